//! The networks worth having, as files that `nass verify` runs: `NAME.toml`, `NAME.safetensors`.
//!
//! Weights are integers by each network's own quantizers. Names are `best` and `front-<episode>`;
//! files of an earlier front that are no longer on it are removed. The TOML begins with the accuracy
//! on the test images, by which nothing was chosen.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::models::Learner;
use crate::cli::error::Failure;
use crate::cli::output;
use crate::search::StudyRecord;

/// Writes the best network and those on the front into the study's folder.
pub(super) fn write(study: &StudyRecord, learner: &Learner) -> Result<(), Failure> {
    let mut names: Vec<(String, u64)> = Vec::new();
    names.extend(study.best().map(|e| ("best".to_owned(), e.episode)));
    for episode in study.front() {
        names.push((format!("front-{}", episode.episode), episode.episode));
    }
    for (name, episode) in &names {
        write_network(study, learner, (name, *episode))?;
    }
    remove_others(&study.folder, &names)
}

fn write_network(
    study: &StudyRecord,
    learner: &Learner,
    (name, episode): (&str, u64),
) -> Result<(), Failure> {
    let trained = study.export(episode).map_err(Failure::job)?;
    let network = &trained.network;
    let quantized = learner.quantize(network, &trained.weights);
    let weights = quantized.map_err(Failure::job)?;
    let accuracy = learner.test_accuracy(network, &weights);
    let accuracy = accuracy.map_err(Failure::job)?;
    let text = format!(
        "# Right on the test images: {accuracy:.4} of 1.\n{}",
        network.to_toml().map_err(Failure::job)?
    );
    let bytes = weights.to_safetensors(network).map_err(Failure::job)?;
    let path = study.folder.join(name);
    output::write_file(&path.with_extension("safetensors"), &bytes)?;
    output::write_file(&path.with_extension("toml"), text.as_bytes())
}

/// Removes the files of networks that have left the front.
fn remove_others(folder: &Path, names: &[(String, u64)]) -> Result<(), Failure> {
    let entries = fs::read_dir(folder)
        .with_context(|| folder.display().to_string())
        .map_err(Failure::Job)?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let part = |part: Option<&std::ffi::OsStr>| part?.to_str().map(str::to_owned);
        let (Some(stem), Some(extension)) = (part(path.file_stem()), part(path.extension())) else {
            continue;
        };
        let number = stem.strip_prefix("front-").map(str::parse::<u64>);
        let ours = matches!(number, Some(Ok(_))) && ["toml", "safetensors"].contains(&&*extension);
        if ours && !names.iter().any(|(name, _)| *name == stem) {
            fs::remove_file(&path)
                .with_context(|| path.display().to_string())
                .map_err(Failure::Job)?;
        }
    }
    Ok(())
}
