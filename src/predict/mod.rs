//! What a network will cost: protocol work times profile gives seconds and bytes.

mod prediction;

pub use prediction::{
    BytesSplit, HeReport, LayerPrediction, LinkReport, Prediction, PredictionTotal, SecondsSplit,
    SetupCost,
};
