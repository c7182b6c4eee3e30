//! Files in the IDX format of MNIST and Fashion-MNIST, plain or compressed by gzip.
//!
//! A file is a big-endian magic number (0x0801: bytes in one dimension, the labels; 0x0803: bytes in
//! three, the images), one 32-bit length a dimension, then the bytes (LeCun, Cortes, Burges: the
//! MNIST database). Nothing is believed: lengths are bounded, and the bytes must be exactly those
//! that the header promises.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::dataset::{Images, MAX_PIXELS};
use super::error::TrainError;
use crate::network::Shape;

/// Magic number of a file of labels.
const LABELS: u32 = 0x0801;
/// Magic number of a file of images.
const IMAGES: u32 = 0x0803;
/// Most rows or columns of an image.
const MAX_SIDE: u64 = 4096;

/// The images and labels of `folder` whose names start with `prefix` (`train`, `t10k`).
pub(super) fn read(folder: &Path, prefix: &str) -> Result<Images, TrainError> {
    let path = find(folder, &format!("{prefix}-images-idx3-ubyte"))?;
    let ([count, height, width], pixels) = read_file::<3>(&path, IMAGES)?;
    let labels_path = find(folder, &format!("{prefix}-labels-idx1-ubyte"))?;
    let ([labels_count], labels) = read_file::<1>(&labels_path, LABELS)?;
    if labels_count != count {
        return Err(TrainError::Field {
            path: labels_path,
            field: "number of labels".to_owned(),
            given: labels_count,
            expected: format!("{count}, one an image of {}", path.display()),
        });
    }
    let shape = Shape::new(1, height as usize, width as usize);
    Ok(Images::new(shape, pixels, labels))
}

/// Whether `folder` holds images by this name, plain or compressed.
pub(super) fn is_present(folder: &Path, prefix: &str) -> bool {
    find(folder, &format!("{prefix}-images-idx3-ubyte")).is_ok()
}

/// The file by this name, or the one with `.gz` after it.
fn find(folder: &Path, name: &str) -> Result<PathBuf, TrainError> {
    let plain = folder.join(name);
    let packed = folder.join(format!("{name}.gz"));
    if plain.is_file() {
        Ok(plain)
    } else if packed.is_file() {
        Ok(packed)
    } else {
        Err(TrainError::MissingFile { path: plain })
    }
}

/// The lengths of `D` dimensions and the bytes of one file.
fn read_file<const D: usize>(path: &Path, magic: u32) -> Result<([u64; D], Vec<u8>), TrainError> {
    let failed = |source| TrainError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = open(path).map_err(failed)?;
    let mut header = Vec::new();
    let header_len = 4 + 4 * D;
    read_up_to(&mut bytes, header_len as u64, &mut header).map_err(failed)?;
    let word = |bytes: &[u8]| bytes.iter().fold(0, |word, b| word << 8 | u32::from(*b));
    let mut words = header.chunks_exact(4).map(word);
    if let Some(given) = words.next().filter(|given| *given != magic) {
        return Err(TrainError::Magic {
            path: path.to_owned(),
            given,
            expected: magic,
        });
    }
    if header.len() < header_len {
        return Err(TrainError::Length {
            path: path.to_owned(),
            given: header.len() as u64,
            expected: format!("a header of {header_len}"),
        });
    }
    let mut lengths = [0; D];
    for (index, (length, word)) in lengths.iter_mut().zip(words).enumerate() {
        *length = u64::from(word);
        let limit = if index == 0 { MAX_PIXELS } else { MAX_SIDE };
        if *length == 0 || *length > limit {
            return Err(TrainError::Field {
                path: path.to_owned(),
                field: format!("length of dimension {}", index + 1),
                given: *length,
                expected: format!("1 to {limit}"),
            });
        }
    }
    let total = lengths.iter().product::<u64>();
    if total > MAX_PIXELS {
        return Err(TrainError::Field {
            path: path.to_owned(),
            field: "number of values".to_owned(),
            given: total,
            expected: format!("at most {MAX_PIXELS}"),
        });
    }
    let mut values = Vec::new();
    read_up_to(&mut bytes, total + 1, &mut values).map_err(failed)?;
    if values.len() as u64 != total {
        return Err(TrainError::Length {
            path: path.to_owned(),
            given: (header_len + values.len()) as u64,
            expected: format!("{}, as its header says", header_len as u64 + total),
        });
    }
    Ok((lengths, values))
}

/// Reads up to `limit` bytes; a packed file that is cut short gives those that it has.
fn read_up_to(bytes: &mut impl Read, limit: u64, into: &mut Vec<u8>) -> std::io::Result<()> {
    match bytes.take(limit).read_to_end(into) {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(()),
    }
}

/// The file's bytes, unpacked if they are packed.
fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let mut magic = [0; 2];
    let mut file = File::open(path)?;
    let packed = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    let file = BufReader::new(File::open(path)?);
    Ok(if packed {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    })
}
