//! The prediction checked: the same layers run for real between two parties, measured beside predicted.

mod outcome;

pub use outcome::{
    Measured, PredictionError, Verification, VerifiedLayer, VerifiedSetup, VerifiedTotal,
};
