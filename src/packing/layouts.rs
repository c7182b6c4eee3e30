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

    /// The products of a convolution.
    pub(super) fn products(
        &self,
        stride: Stride,
        schedule: &'static str,
    ) -> Result<Arc<Products>, PackingError> {
        Slots::new(self.n)?;
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
        let made = shared.get_or_init(|| Products::new(conv, self.n, stride).map(Arc::new));
        made.clone()
    }

    /// Sizes of a fully connected layer.
    pub(super) fn fully_connected(
        &self,
        diagonals: Diagonals,
        schedule: &'static str,
    ) -> Result<FcLayout, PackingError> {
        let slots = Slots::new(self.n)?;
        match self.layer {
            LinearShape::Conv(_) => Err(PackingError::WrongLayer { schedule }),
            LinearShape::Fc { inputs: 0, .. } | LinearShape::Fc { outputs: 0, .. } => {
                Err(PackingError::Empty)
            }
            LinearShape::Fc { inputs, outputs } => {
                Ok(FcLayout::new(slots, (inputs, outputs), diagonals))
            }
        }
    }
}
