//! What a network will cost: protocol work times profile gives seconds and bytes.
//!
//! [`plan`] chooses parameters and writes the protocol's script, [`estimate()`] adds it up with a
//! [`PriceList`]. The paper's performance characterization engine (Bian et al. 2020, section 4.2).

mod estimate;
mod he_fit;
mod he_row;
mod linked_prices;
mod prediction;
mod price_keys;
mod price_list;
mod reach;

pub use estimate::{Computed, PredictError, Setting, estimate, he_report, plan, plan_with};
pub use he_fit::{FitPoint, HeFit};
pub use linked_prices::LinkedPrices;
pub use prediction::{
    BytesSplit, CircuitsReport, HeReport, LayerPrediction, LinkReport, Prediction, PredictionTotal,
    SecondsSplit, SetupCost, StoredBytes,
};
pub use price_list::{PriceError, PriceList};
pub use reach::Reach;

#[cfg(test)]
mod linked_prices_tests;
