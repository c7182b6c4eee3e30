//! Labelled images as bytes, in three parts that never mix, and how their pixels become numbers.
//!
//! A [`DatasetSource`] (a folder in an original format, or settings for the drawn one) and a seed go
//! in, a [`Dataset`] comes out. A tenth of the training images, drawn by the seed, is held back for
//! validation; the test images are those of the source. A pixel b of channel c stands for
//! (b/255 − mean_c) / deviation_c, mean and deviation taken over the training images that remain.
//! Quantized with exponent e to l_i signed bits (NASS, section 3.3), it is the integer
//! ⌊x/2^e + 1/2⌋ clamped to [−2^(l_i−1), 2^(l_i−1) − 1]: a table of 256 a channel, so that all
//! readers of one dataset agree bit for bit.

use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use serde::{Deserialize, Serialize};

use super::cifar::Cifar;
use super::error::TrainError;
use super::idx;
use super::synthetic::{self, SyntheticSettings};
use crate::network::{Shape, ValueRange};

/// Most bytes of pixels in a file.
pub(super) const MAX_PIXELS: u64 = 1 << 31;
/// Every how many-th training image is held back for validation.
const VALIDATION_SHARE: usize = 10;

/// Where a dataset comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetSource {
    /// Drawn by the program.
    Synthetic(SyntheticSettings),
    /// A folder with the files of MNIST, Fashion-MNIST, CIFAR-10 or CIFAR-100.
    Folder(PathBuf),
}

/// Formats of datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// Drawn by the program.
    Synthetic,
    /// IDX files: MNIST, Fashion-MNIST.
    Idx,
    /// Binary files of CIFAR-10.
    Cifar10,
    /// Binary files of CIFAR-100.
    Cifar100,
}

/// The parts of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Weights are trained on these.
    Train,
    /// Networks are chosen by these.
    Validation,
    /// What is reported at the end.
    Test,
}

/// Images and their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    shape: Shape,
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Images {
    /// `pixels` holds one image of `shape` a label: channel by channel, row by row.
    pub(super) fn new(shape: Shape, pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        debug_assert_eq!(pixels.len(), labels.len() * shape.len());
        Self {
            shape,
            pixels,
            labels,
        }
    }

    pub(super) fn push(&mut self, pixels: &[u8], label: u8) {
        debug_assert_eq!(pixels.len(), self.shape.len());
        self.pixels.extend_from_slice(pixels);
        self.labels.push(label);
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Shape of an image.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Pixels of image `index`, channel by channel, row by row.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.shape.len()..(index + 1) * self.shape.len()]
    }

    /// The labels, one an image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

/// Mean and standard deviation of the pixels (as fractions of 255), one a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// Means.
    pub mean: Vec<f32>,
    /// Standard deviations; 1 where all pixels are equal.
    pub deviation: Vec<f32>,
}

impl Normalization {
    fn of(images: &Images) -> Self {
        let plane = images.shape.height * images.shape.width;
        let channels = images.shape.channels;
        let (mut sums, mut squares) = (vec![0_u64; channels], vec![0_u64; channels]);
        for (index, values) in images.pixels.chunks_exact(plane).enumerate() {
            let channel = index % channels;
            sums[channel] += values.iter().map(|b| u64::from(*b)).sum::<u64>();
            squares[channel] += values.iter().map(|b| u64::from(*b).pow(2)).sum::<u64>();
        }
        let count = (images.len() * plane) as f64;
        let moments = sums.iter().zip(&squares).map(|(sum, square)| {
            let mean = *sum as f64 / count;
            let deviation = (*square as f64 / count - mean * mean).max(0.0).sqrt();
            let deviation = if deviation > 0.0 { deviation } else { 255.0 };
            ((mean / 255.0) as f32, (deviation / 255.0) as f32)
        });
        let (mean, deviation) = moments.unzip();
        Self { mean, deviation }
    }

    /// What pixel `byte` of `channel` stands for.
    pub fn value(&self, channel: usize, byte: u8) -> f64 {
        (f64::from(byte) / 255.0 - f64::from(self.mean[channel]))
            / f64::from(self.deviation[channel])
    }

    /// What the 256 pixels of each channel become: integers of `range` with scale 2^exponent.
    pub fn integers(&self, exponent: i32, range: ValueRange) -> Vec<[i64; 256]> {
        let scale = libm::exp2(-f64::from(exponent));
        let quantized = |channel: usize, byte: usize| {
            let value = self.value(channel, byte as u8) * scale;
            ((value + 0.5).floor() as i64).clamp(range.low, range.high)
        };
        (0..self.mean.len())
            .map(|channel| std::array::from_fn(|byte| quantized(channel, byte)))
            .collect()
    }
}

/// Labelled images in three parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Its name: `synthetic`, or that of its folder.
    pub name: String,
    /// Its format.
    pub kind: DatasetKind,
    /// Number of classes; labels are below it.
    pub classes: usize,
    /// Images for training, as they were in the source, without those held back.
    pub train: Images,
    /// Images held back.
    pub validation: Images,
    /// Images for the report.
    pub test: Images,
    /// How pixels become numbers.
    pub normalization: Normalization,
}

impl Dataset {
    /// Reads or draws a dataset; `seed` chooses the images held back for validation.
    ///
    /// # Errors
    /// A file that is missing, unreadable or not what its format asks for; settings out of range.
    pub fn load(source: &DatasetSource, seed: u64) -> Result<Self, TrainError> {
        match source {
            DatasetSource::Synthetic(settings) => {
                let [train, test] = synthetic::draw(settings)?;
                let name = "synthetic".to_owned();
                let parts = (synthetic::CLASSES, train, test);
                Ok(Self::new((name, DatasetKind::Synthetic), parts, seed))
            }
            DatasetSource::Folder(folder) => Self::read(folder, seed),
        }
    }

    /// The format a folder's files have, if it holds a dataset.
    pub fn kind_of(folder: &Path) -> Option<DatasetKind> {
        if idx::is_present(folder, "train") {
            Some(DatasetKind::Idx)
        } else if Cifar::Ten.is_present(folder) {
            Some(DatasetKind::Cifar10)
        } else if Cifar::Hundred.is_present(folder) {
            Some(DatasetKind::Cifar100)
        } else {
            None
        }
    }

    fn read(folder: &Path, seed: u64) -> Result<Self, TrainError> {
        let name = folder
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let (kind, parts) = match Self::kind_of(folder) {
            Some(kind @ DatasetKind::Cifar10) => (kind, read_cifar(Cifar::Ten, folder)?),
            Some(kind @ DatasetKind::Cifar100) => (kind, read_cifar(Cifar::Hundred, folder)?),
            Some(kind) => (kind, read_idx(folder)?),
            None => {
                return Err(TrainError::NoDataset {
                    path: folder.to_owned(),
                });
            }
        };
        Ok(Self::new((name, kind), parts, seed))
    }

    fn new(
        (name, kind): (String, DatasetKind),
        (classes, all, test): (usize, Images, Images),
        seed: u64,
    ) -> Self {
        let [train, validation] = hold_back(&all, seed);
        Self {
            name,
            kind,
            classes,
            normalization: Normalization::of(&train),
            train,
            validation,
            test,
        }
    }

    /// Shape of an image.
    pub const fn shape(&self) -> Shape {
        self.train.shape
    }

    /// One part.
    pub const fn images(&self, split: Split) -> &Images {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }
}

fn read_cifar(cifar: Cifar, folder: &Path) -> Result<(usize, Images, Images), TrainError> {
    let [train, test] = cifar.read(folder)?;
    Ok((cifar.classes(), train, test))
}

/// IDX files do not say how many classes there are: the training labels do.
fn read_idx(folder: &Path) -> Result<(usize, Images, Images), TrainError> {
    let (train, test) = (idx::read(folder, "train")?, idx::read(folder, "t10k")?);
    let classes = usize::from(train.labels.iter().copied().max().unwrap_or(0)) + 1;
    let known = |label: &u8| usize::from(*label) < classes;
    let path = |name: &str| folder.join(format!("t10k-{name}-ubyte"));
    if let Some(index) = test.labels.iter().position(|label| !known(label)) {
        return Err(TrainError::Field {
            path: path("labels-idx1"),
            field: format!("label of image {index}"),
            given: test.labels[index].into(),
            expected: format!("below {classes}, as in the training labels"),
        });
    }
    if test.shape != train.shape {
        return Err(TrainError::Field {
            path: path("images-idx3"),
            field: "pixels of an image".to_owned(),
            given: test.shape.len() as u64,
            expected: format!("{}, as in the training images", train.shape),
        });
    }
    Ok((classes, train, test))
}

/// The images that stay for training and those held back, each in their order. One image alone is
/// in both parts: there is nothing to hold back.
fn hold_back(all: &Images, seed: u64) -> [Images; 2] {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let count = all.len().div_ceil(VALIDATION_SHARE);
    let (mut held, mut rest) = (order[..count].to_vec(), order[count..].to_vec());
    if rest.is_empty() {
        rest.clone_from(&held);
    }
    held.sort_unstable();
    rest.sort_unstable();
    [rest, held].map(|part| {
        let mut images = Images::new(all.shape, Vec::new(), Vec::new());
        for index in part {
            images.push(all.image(index), all.labels[index]);
        }
        images
    })
}

#[cfg(test)]
mod tests;
