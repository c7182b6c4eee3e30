//! The prices that a selection of parameters asks for: a calibrated machine's, over a link.

use std::borrow::Borrow;

use super::price_list::{PriceList, working_set};
use crate::params::{LayerWork, Prices};
use crate::protocol::{Link, RingSize};
use crate::units::Nanos;

/// Prices for the selection of parameters, over a link; `list` is a [`PriceList`] or borrows one.
#[derive(Debug, Clone, Copy)]
pub struct LinkedPrices<L> {
    /// Prices of operations.
    pub list: L,
    /// Price of bytes.
    pub link: Link,
}

impl<L: Borrow<PriceList>> Prices for LinkedPrices<L> {
    fn layer_cost(&self, work: &LayerWork) -> Option<Nanos> {
        let ring = RingSize {
            n: work.n,
            limbs: work.limbs,
            special: work.switching.special(),
            digits: work.switching.digits(),
        };
        let row = self.list.borrow().row(ring, working_set(work.streams));
        let computed: f64 = work
            .counts
            .iter()
            .filter(|&(_, count)| count > 0)
            .map(|(op, count)| {
                row.get(op as usize).copied().unwrap_or(f64::INFINITY) * count as f64
            })
            .sum();
        let computed = Some(Nanos(computed)).filter(|time| time.0.is_finite());
        Some(computed? + self.link.time(work.bytes))
    }
}
