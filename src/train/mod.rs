//! How accurate a network is: datasets, float training, quantization, exact quantized accuracy.
//!
//! A [`DatasetSource`] gives a [`Dataset`] (bytes, no tensors); with the feature `torch`, `Trainer`
//! takes a network description and [`TrainSettings`] to [`FloatWeights`], those to the integer
//! weights of [`crate::network::Weights`], and counts how many images of a [`Split`] the integer
//! network gets right. This is the ML estimator of NASS (Bian et al. 2020, section 3).
//!
//! Training uses floats; a quantized accuracy comes from integer arithmetic alone and is the same
//! as that of `network::evaluate`. All randomness comes from seeds given as arguments: results
//! repeat on one build, one kind of processor and one number of threads. Knows nothing of
//! cryptography; only this room names `tch`.

mod cifar;
mod dataset;
mod error;
mod float_weights;
mod idx;
mod settings;
mod synthetic;

#[cfg(feature = "torch")]
mod evaluate;
#[cfg(feature = "torch")]
mod model;
#[cfg(feature = "torch")]
mod quantize;
#[cfg(feature = "torch")]
mod trainer;

pub use dataset::{Dataset, DatasetKind, DatasetSource, Images, Normalization, Split};
pub use error::TrainError;
pub use float_weights::{FloatLayer, FloatWeights};
pub use settings::{Epoch, Optimizer, Schedule, TrainSettings};
pub use synthetic::SyntheticSettings;
#[cfg(feature = "torch")]
pub use trainer::Trainer;
