//! What the schedules of one layer at one n share, made when the first of them asks for it.

use std::cell::OnceCell;
use std::sync::Arc;

use super::conv_layout::Stride;
use super::conv_products::Products;
use super::fc_layout::{Diagonals, FcLayout};
use super::shape::{LinearShape, PackingError};
use super::slots::Slots;

type Shared<T> = OnceCell<Result<Arc<T>, PackingError>>;

/// A layer at a ring degree.
#[derive(Debug)]
pub struct Layouts {
    layer: LinearShape,
    n: usize,
    discarding: Shared<Products>,
    decimating: Shared<Products>,
}

impl Layouts {
    /// Nothing is made or checked yet.
    pub const fn new(layer: &LinearShape, n: usize) -> Self {
        Self {
            layer: *layer,
            n,
            discarding: OnceCell::new(),
            decimating: OnceCell::new(),
        }
    }

    /// Whether there is such a ring and all sizes of the layer are within bounds.
    pub(super) fn check(&self) -> Result<Slots, PackingError> {
        let slots = Slots::new(self.n)?;
        self.layer.check()?;
        Ok(slots)
    }

    /// The products of a convolution.
    pub(super) fn products(
        &self,
        stride: Stride,
        schedule: &'static str,
    ) -> Result<Arc<Products>, PackingError> {
        let LinearShape::Conv(conv) = &self.layer else {
            return Err(PackingError::WrongLayer { schedule });
        };
        let shared = match stride {
            Stride::Discard => &self.discarding,
            Stride::Decimate if conv.stride == [1, 1] => {
                return Err(PackingError::NothingToGain { schedule });
            }
            Stride::Decimate => &self.decimating,
        };
        let make = || {
            let slots = self.check()?;
            Products::new(conv, slots, stride).map(Arc::new)
        };
        shared.get_or_init(make).clone()
    }

    /// Number of values of a square.
    pub(super) fn square(&self, schedule: &'static str) -> Result<(Slots, usize), PackingError> {
        match self.layer {
            LinearShape::Square { values } => Ok((self.check()?, values)),
            LinearShape::Fc { .. } | LinearShape::Conv(_) => {
                Err(PackingError::WrongLayer { schedule })
            }
        }
    }

    /// Sizes of a fully connected layer.
    pub(super) fn fully_connected(
        &self,
        diagonals: Diagonals,
        schedule: &'static str,
    ) -> Result<FcLayout, PackingError> {
        match self.layer {
            LinearShape::Conv(_) | LinearShape::Square { .. } => {
                Err(PackingError::WrongLayer { schedule })
            }
            LinearShape::Fc { inputs, outputs } => {
                let slots = self.check()?;
                Ok(FcLayout::new(slots, (inputs, outputs), diagonals))
            }
        }
    }
}
