//! `nass datasets`: the images that a search can train on, built in and found in folders.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::error::Failure;
use super::globals::Globals;
use super::output;
use crate::network::Shape;
use crate::report::{Align, Grid, Present, ReportError, count};
use crate::train::{Dataset, DatasetKind, DatasetSource, SyntheticSettings};

use Align::{Left, Right};

/// Where datasets are looked for without any folder named.
const FOLDER: &str = "datasets";
/// Which images are held back does not matter here, only how many.
const SPLIT_SEED: u64 = 0;

/// List the datasets that are built in, and those found in folders
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  nass datasets\n  nass datasets ~/data ~/data/mnist --format json"
)]
pub(super) struct Args {
    /// Folders that hold a dataset's files (MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100), or folders
    /// of such folders [default: ./datasets if it is there]
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Found {
    /// What `nass search --dataset` takes.
    name: String,
    kind: DatasetKind,
    image: Shape,
    classes: usize,
    train: usize,
    validation: usize,
    test: usize,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Datasets(Vec<Found>);

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let synthetic = DatasetSource::Synthetic(SyntheticSettings::default());
    let mut found = vec![describe("synthetic".to_owned(), &synthetic)?];
    let usual = Path::new(FOLDER);
    let folders = if args.folders.is_empty() && usual.is_dir() {
        vec![usual.to_owned()]
    } else {
        args.folders
    };
    for folder in folders {
        for dataset in inside(&folder)? {
            let name = dataset.display().to_string();
            found.push(describe(name, &DatasetSource::Folder(dataset))?);
        }
    }
    output::present(&Datasets(found), globals)
}

/// The folder itself if it holds a dataset, else those right below it that do, by name.
fn inside(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if Dataset::kind_of(folder).is_some() {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = std::fs::read_dir(folder)
        .with_context(|| folder.display().to_string())
        .map_err(Failure::Input)?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut below: Vec<PathBuf> = paths
        .filter(|path| path.is_dir() && Dataset::kind_of(path).is_some())
        .collect();
    below.sort();
    Ok(below)
}

fn describe(name: String, source: &DatasetSource) -> Result<Found, Failure> {
    let dataset = Dataset::load(source, SPLIT_SEED).map_err(Failure::input)?;
    Ok(Found {
        name,
        kind: dataset.kind,
        image: dataset.shape(),
        classes: dataset.classes,
        train: dataset.train.len(),
        validation: dataset.validation.len(),
        test: dataset.test.len(),
    })
}

/// The format as JSON names it.
const fn kind(kind: DatasetKind) -> &'static str {
    match kind {
        DatasetKind::Synthetic => "synthetic",
        DatasetKind::Idx => "idx",
        DatasetKind::Cifar10 => "cifar10",
        DatasetKind::Cifar100 => "cifar100",
    }
}

impl Datasets {
    fn grid(&self, number: impl Fn(u64) -> String) -> Grid {
        let mut grid = Grid::new(
            "",
            &[
                ("name", Left),
                ("kind", Left),
                ("image", Left),
                ("classes", Right),
                ("train", Right),
                ("validation", Right),
                ("test", Right),
            ],
        );
        for dataset in &self.0 {
            let sizes = [
                dataset.classes,
                dataset.train,
                dataset.validation,
                dataset.test,
            ];
            let words = [
                dataset.name.clone(),
                kind(dataset.kind).to_owned(),
                dataset.image.to_string(),
            ];
            grid.row(
                words
                    .into_iter()
                    .chain(sizes.map(|size| number(size as u64))),
            );
        }
        grid
    }
}

impl Present for Datasets {
    fn table(&self) -> String {
        self.grid(count).to_text()
    }

    fn csv(&self) -> Result<String, ReportError> {
        self.grid(|number| number.to_string()).to_csv()
    }
}
