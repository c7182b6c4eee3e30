//! What can go wrong with a dataset, a training or its weights. Messages name the file or the field
//! and what was expected.

use std::path::PathBuf;

use crate::network::{NetworkError, Shape};

/// Why a dataset, a training or its weights could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder that holds none of the known datasets.
    #[error(
        "{}: expected a folder with train-images-idx3-ubyte (MNIST, Fashion-MNIST; or with .gz), \
         data_batch_1.bin (CIFAR-10) or train.bin (CIFAR-100)",
        path.display()
    )]
    NoDataset {
        /// The folder.
        path: PathBuf,
    },
    /// A dataset's file is missing.
    #[error("{}: missing; expected it beside the dataset's other files", path.display())]
    MissingFile {
        /// The file.
        path: PathBuf,
    },
    /// A file of another format.
    #[error("{}: starts with {given:#010x}; expected {expected:#010x}", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// Its first four bytes, big-endian.
        given: u32,
        /// Those of the format.
        expected: u32,
    },
    /// A file that is cut short, or goes on.
    #[error("{}: holds {given} bytes; expected {expected}", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes it holds (unpacked), counted no further than one too many.
        given: u64,
        /// What its header or format asks for.
        expected: String,
    },
    /// A number in a file out of its range.
    #[error("{}: {field} is {given}; expected {expected}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Which number.
        field: String,
        /// Its value.
        given: u64,
        /// What fits.
        expected: String,
    },
    /// A setting out of its range.
    #[error("{field} is {given}; expected {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// Its value.
        given: String,
        /// What fits.
        expected: &'static str,
    },
    /// A network that reads other images than the dataset has.
    #[error("the network's input is {network}; expected the dataset's {dataset}")]
    InputShape {
        /// The network's input.
        network: Shape,
        /// The dataset's images.
        dataset: Shape,
    },
    /// A network that tells another number of classes apart than the dataset has.
    #[error("the network has {network} outputs; expected one a class, {dataset}")]
    Classes {
        /// The network's outputs.
        network: usize,
        /// The dataset's classes.
        dataset: usize,
    },
    /// A network, or its weights, that make no sense.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A training that ended in infinities.
    #[error("the loss is not finite in epoch {epoch}; expected a lower learning rate to help")]
    Diverged {
        /// The epoch, from 1.
        epoch: u32,
    },
    /// Bytes that are no weights file.
    #[error("not a file of float weights: {message}")]
    WeightsFile {
        /// What was found.
        message: String,
    },
    /// A tensor that is missing or does not fit.
    #[error("tensor `{tensor}`: {given}; expected {expected}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What it is.
        given: String,
        /// What fits.
        expected: String,
    },
    /// libtorch refused.
    #[cfg(feature = "torch")]
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}
