//! `nass report`: predictions, verifications (as JSON) and studies become one self-contained page.

use std::path::{Path, PathBuf};

use super::error::Failure;
use super::globals::Globals;
use super::{inputs, output};
use crate::report::{
    Section, StudyReport, page, prediction_sections, random_layer_sections, study_sections,
    verification_sections,
};
use crate::search::StudyRecord;

/// Turn predictions, verifications and studies into one HTML page
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  nass predict toy --format json > toy.json\n  nass report toy.json -o toy.html\n  nass report my-study -o my-study.html"
)]
pub(super) struct Args {
    /// A study's folder, or a file with what `nass predict --format json` or
    /// `nass verify --format json` printed; several make one page
    #[arg(required = true, value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// Where the page goes
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
}

/// The fields by which a verification is told from a prediction.
#[derive(serde::Deserialize)]
struct Kind {
    output_equal: Option<bool>,
    all_equal: Option<bool>,
}

pub(super) fn run(args: Args, globals: &Globals) -> Result<(), Failure> {
    let mut sections = Vec::new();
    for path in &args.results {
        sections.extend(read(path)?);
    }
    let html = page("Private inference report", &sections);
    output::write_file(&args.output, html.as_bytes())?;
    output::say(globals, &format!("wrote {}", args.output.display()));
    Ok(())
}

fn read(path: &Path) -> Result<Vec<Section>, Failure> {
    if path.is_dir() {
        let study = StudyRecord::read(path).map_err(Failure::input)?;
        return Ok(study_sections(&StudyReport::new(&study)));
    }
    let text = inputs::text(path)?;
    let kind: Kind = inputs::json(path, &text)?;
    Ok(match (kind.output_equal, kind.all_equal) {
        (Some(_), _) => verification_sections(&inputs::json(path, &text)?),
        (None, Some(_)) => random_layer_sections(&inputs::json(path, &text)?),
        (None, None) => prediction_sections(&inputs::json(path, &text)?),
    })
}
