//! Datasets read from files that the tests write, whole and damaged.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use super::*;

/// `count` images of 2 × 3 and their labels in IDX form.
fn idx_files(count: u32, classes: u32) -> [Vec<u8>; 2] {
    let header =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_be_bytes()).collect() };
    let mut images = header(&[0x0803, count, 2, 3]);
    images.extend((0..count * 6).map(|i| (i * 7 % 251) as u8));
    let mut labels = header(&[0x0801, count]);
    labels.extend((0..count).map(|i| (i % classes) as u8));
    [images, labels]
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder with 40 training and 10 test images of three classes.
fn idx_folder(pack: fn(&[u8]) -> Vec<u8>, suffix: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (prefix, count) in [("train", 40), ("t10k", 10)] {
        let [images, labels] = idx_files(count, 3);
        let path = |name: &str| folder.path().join(format!("{prefix}-{name}-ubyte{suffix}"));
        fs::write(path("images-idx3"), pack(&images)).unwrap();
        fs::write(path("labels-idx1"), pack(&labels)).unwrap();
    }
    folder
}

fn load(folder: &Path) -> Result<Dataset, TrainError> {
    Dataset::load(&DatasetSource::Folder(folder.to_owned()), 1)
}

#[test]
fn idx_files_read_the_same_plain_and_packed() {
    let plain = idx_folder(<[u8]>::to_vec, "");
    let gz = idx_folder(packed, ".gz");
    let unnamed = idx_folder(packed, "");
    let dataset = load(plain.path()).unwrap();
    assert_eq!((dataset.classes, dataset.shape()), (3, Shape::new(1, 2, 3)));
    assert_eq!(dataset.kind, DatasetKind::Idx);
    let sizes = [Split::Train, Split::Validation, Split::Test].map(|s| dataset.images(s).len());
    assert_eq!(sizes, [36, 4, 10]);
    assert_eq!(dataset.test.image(1), [42, 49, 56, 63, 70, 77]);
    assert_eq!(dataset.test.labels(), [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
    for other in [gz, unnamed] {
        let other = load(other.path()).unwrap();
        assert_eq!((&other.train, &other.test), (&dataset.train, &dataset.test));
    }
}

#[test]
fn the_parts_are_disjoint_and_follow_the_seed() {
    let settings = SyntheticSettings {
        train: 100,
        test: 10,
        ..SyntheticSettings::default()
    };
    let source = DatasetSource::Synthetic(settings);
    let dataset = Dataset::load(&source, 1).unwrap();
    assert_eq!(dataset, Dataset::load(&source, 1).unwrap());
    let other = Dataset::load(&source, 2).unwrap();
    assert_ne!(dataset.validation, other.validation);
    assert_eq!(dataset.test, other.test);
    let held: Vec<&[u8]> = (0..dataset.validation.len())
        .map(|i| dataset.validation.image(i))
        .collect();
    assert!((0..dataset.train.len()).all(|i| !held.contains(&dataset.train.image(i))));
    assert_eq!(dataset.train.len() + held.len(), 100);
}

/// The message about a folder of good files of which one is replaced.
fn damaged(file: &str, bytes: &[u8]) -> String {
    let folder = idx_folder(<[u8]>::to_vec, "");
    fs::write(folder.path().join(file), bytes).unwrap();
    let message = load(folder.path()).unwrap_err().to_string();
    assert!(message.contains(file), "{message} does not name {file}");
    message
}

#[test]
fn damaged_idx_files_are_named() {
    let [images, labels] = idx_files(40, 3);
    let (images_name, labels_name) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    let ends = |message: String, end: &str| assert!(message.ends_with(end), "{message}");
    ends(
        damaged(images_name, &labels),
        "starts with 0x00000801; expected 0x00000803",
    );
    ends(damaged(labels_name, b"no idx file"), "expected 0x00000801");
    ends(
        damaged(images_name, &images[..7]),
        "holds 7 bytes; expected a header of 16",
    );
    ends(
        damaged(images_name, b""),
        "holds 0 bytes; expected a header of 16",
    );
    let expected = "holds 255 bytes; expected 256, as its header says";
    ends(damaged(images_name, &images[..255]), expected);
    ends(
        damaged(images_name, &[images.as_slice(), b"!"].concat()),
        "as its header says",
    );
    let whole = packed(&images);
    ends(
        damaged(images_name, &whole[..whole.len() / 2]),
        "expected 256, as its header says",
    );
    let mut broken = whole;
    broken[12..].fill(0xff);
    assert!(damaged(images_name, &broken).contains("deflate"));
    let message = damaged(labels_name, &idx_files(39, 3)[1]);
    assert!(message.contains("number of labels is 39; expected 40, one an image of "));
}

#[test]
fn headers_are_not_believed() {
    let header =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_be_bytes()).collect() };
    let name = "train-images-idx3-ubyte";
    let message = damaged(name, &header(&[0x0803, u32::MAX, 28, 28]));
    assert!(
        message.contains("length of dimension 1 is 4294967295"),
        "{message}"
    );
    let message = damaged(name, &header(&[0x0803, 1 << 30, 28, 28]));
    assert!(message.contains("number of values is"), "{message}");
    let message = damaged(name, &header(&[0x0803, 10, 0, 28]));
    assert!(
        message.contains("length of dimension 2 is 0; expected 1 to 4096"),
        "{message}"
    );
}

#[test]
fn test_images_must_be_like_the_training_images() {
    let [_, labels] = idx_files(10, 4);
    let message = damaged("t10k-labels-idx1-ubyte", &labels);
    assert!(
        message.ends_with("label of image 3 is 3; expected below 3, as in the training labels")
    );
    let mut images = idx_files(10, 3)[0].clone();
    images[11] = 3;
    images[15] = 2;
    let message = damaged("t10k-images-idx3-ubyte", &images);
    assert!(
        message.ends_with("expected 1x2x3, as in the training images"),
        "{message}"
    );
}

/// Records of CIFAR with labels 0, 1, 2, …; `coarse` labels come before.
fn cifar_file(count: usize, first: u8, coarse: &[u8]) -> Vec<u8> {
    let record = |i: usize| {
        let mut record = coarse.to_vec();
        record.push(first + i as u8);
        record.extend((0..3072).map(|p| ((p / 1024) * 50 + i) as u8));
        record
    };
    (0..count).flat_map(record).collect()
}

fn cifar10_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for batch in 1..=5_u8 {
        let path = folder.path().join(format!("data_batch_{batch}.bin"));
        fs::write(path, cifar_file(4, batch, &[])).unwrap();
    }
    fs::write(folder.path().join("test_batch.bin"), cifar_file(3, 0, &[])).unwrap();
    folder
}

#[test]
fn cifar_files_are_read() {
    let folder = cifar10_folder();
    let dataset = load(folder.path()).unwrap();
    assert_eq!((dataset.classes, dataset.kind), (10, DatasetKind::Cifar10));
    assert_eq!((dataset.train.len(), dataset.validation.len()), (18, 2));
    assert_eq!(dataset.test.labels(), [0, 1, 2]);
    assert_eq!(dataset.test.image(2)[1023..1025], [2, 52]);

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.bin"), cifar_file(20, 60, &[200])).unwrap();
    fs::write(folder.path().join("test.bin"), cifar_file(2, 98, &[0])).unwrap();
    let dataset = load(folder.path()).unwrap();
    assert_eq!(
        (dataset.classes, dataset.kind),
        (100, DatasetKind::Cifar100)
    );
    assert_eq!(dataset.test.labels(), [98, 99]);
}

#[test]
fn damaged_cifar_files_are_named() {
    let refused = |bytes: &[u8]| {
        let folder = cifar10_folder();
        fs::write(folder.path().join("data_batch_3.bin"), bytes).unwrap();
        load(folder.path()).unwrap_err().to_string()
    };
    let message = refused(&cifar_file(2, 0, &[])[1..]);
    assert!(message.ends_with("data_batch_3.bin: holds 6145 bytes; expected records of 3073"));
    assert!(refused(b"").ends_with("holds 0 bytes; expected records of 3073"));
    let message = refused(&cifar_file(2, 9, &[]));
    assert!(
        message.ends_with("label of image 1 is 10; expected below 10"),
        "{message}"
    );
}

#[test]
fn missing_folders_and_files_are_one_clear_error() {
    let message = load(Path::new("/nowhere/mnist")).unwrap_err().to_string();
    assert!(message.starts_with("/nowhere/mnist: expected a folder with train-images-idx3-ubyte"));
    let folder = cifar10_folder();
    fs::remove_file(folder.path().join("data_batch_4.bin")).unwrap();
    let message = load(folder.path()).unwrap_err().to_string();
    assert!(
        message
            .ends_with("data_batch_4.bin: missing; expected it beside the dataset's other files")
    );
    let folder = idx_folder(<[u8]>::to_vec, "");
    fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
    assert!(matches!(
        load(folder.path()),
        Err(TrainError::MissingFile { .. })
    ));
}

#[test]
fn normalized_pixels_have_mean_0_and_deviation_1() {
    let dataset = load(cifar10_folder().path()).unwrap();
    for channel in 0..3 {
        let values: Vec<f64> = (0..dataset.train.len())
            .flat_map(|i| dataset.train.image(i)[channel * 1024..(channel + 1) * 1024].to_vec())
            .map(|byte| dataset.normalization.value(channel, byte))
            .collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let square = values.iter().map(|v| v * v).sum::<f64>() / count;
        assert!(
            mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-4,
            "{mean} {square}"
        );
    }
}

#[test]
fn equal_pixels_do_not_divide_by_zero() {
    let images = Images::new(Shape::new(1, 1, 2), vec![7; 4], vec![0, 1]);
    let normalization = Normalization::of(&images);
    assert_eq!(normalization.deviation, [1.0]);
}

#[test]
fn pixels_are_quantized_by_rounding_halves_up_and_clamping() {
    let normalization = |mean: f32| Normalization {
        mean: vec![mean],
        deviation: vec![1.0],
    };
    let range = ValueRange { low: -8, high: 7 };
    let ends = |mean, exponent| {
        let table = normalization(mean).integers(exponent, range)[0];
        [table[0], table[255]]
    };
    // The pixels 0 and 255 stand for 0 and 1, or for −1 and 0.
    assert_eq!(ends(0.0, 0), [0, 1]);
    assert_eq!(ends(0.0, 1), [0, 1]);
    assert_eq!(ends(0.0, 2), [0, 0]);
    assert_eq!(ends(1.0, 1), [0, 0]);
    assert_eq!(ends(1.0, 0), [-1, 0]);
    assert_eq!(ends(0.0, -3), [0, 7]);
    assert_eq!(ends(1.0, -3), [-8, 0]);
    assert_eq!(ends(1.0, -4), [-8, 0]);
}
