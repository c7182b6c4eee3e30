//! Files in the binary format of CIFAR-10 and CIFAR-100.
//!
//! A record is a label (CIFAR-100: a coarse label, then the fine one that is used) and 3072 bytes:
//! the red, green and blue planes of an image of 32 × 32, row by row (Krizhevsky 2009). CIFAR-10 has
//! five training files and one test file, CIFAR-100 one of each. Files must hold whole records.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::dataset::{Images, MAX_PIXELS};
use super::error::TrainError;
use crate::network::Shape;

/// Shape of an image.
const SHAPE: Shape = Shape::new(3, 32, 32);

/// Which of the two datasets.
#[derive(Clone, Copy)]
pub(super) enum Cifar {
    /// Ten classes.
    Ten,
    /// A hundred.
    Hundred,
}

impl Cifar {
    /// Bytes of labels before the pixels; the last one counts.
    const fn labels(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }

    pub(super) const fn classes(self) -> usize {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }

    fn train_files(self) -> Vec<String> {
        match self {
            Self::Ten => (1..=5).map(|i| format!("data_batch_{i}.bin")).collect(),
            Self::Hundred => vec!["train.bin".to_owned()],
        }
    }

    /// Whether a folder holds this dataset.
    pub(super) fn is_present(self, folder: &Path) -> bool {
        folder.join(&self.train_files()[0]).is_file()
    }

    /// The training images and the test images of a folder.
    pub(super) fn read(self, folder: &Path) -> Result<[Images; 2], TrainError> {
        let test = match self {
            Self::Ten => "test_batch.bin",
            Self::Hundred => "test.bin",
        };
        Ok([
            self.read_files(folder, &self.train_files())?,
            self.read_files(folder, &[test.to_owned()])?,
        ])
    }

    fn read_files(self, folder: &Path, names: &[String]) -> Result<Images, TrainError> {
        let mut images = Images::new(SHAPE, Vec::new(), Vec::new());
        for name in names {
            self.read_file(&folder.join(name), &mut images)?;
        }
        Ok(images)
    }

    fn read_file(self, path: &Path, images: &mut Images) -> Result<(), TrainError> {
        if !path.is_file() {
            return Err(TrainError::MissingFile {
                path: path.to_owned(),
            });
        }
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_PIXELS).read_to_end(&mut bytes))
            .map_err(|source| TrainError::Read {
                path: path.to_owned(),
                source,
            })?;
        let record = self.labels() + SHAPE.len();
        if bytes.is_empty() || bytes.len() % record != 0 {
            return Err(TrainError::Length {
                path: path.to_owned(),
                given: bytes.len() as u64,
                expected: format!("records of {record}"),
            });
        }
        for (index, record) in bytes.chunks_exact(record).enumerate() {
            let (labels, pixels) = record.split_at(self.labels());
            let label = labels[self.labels() - 1];
            if usize::from(label) >= self.classes() {
                return Err(TrainError::Field {
                    path: path.to_owned(),
                    field: format!("label of image {index}"),
                    given: label.into(),
                    expected: format!("below {}", self.classes()),
                });
            }
            images.push(pixels, label);
        }
        Ok(())
    }
}
