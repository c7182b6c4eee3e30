//! Which profile prices a command: the file that was named, this host's, or the reference machine's.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::error::Failure;
use super::globals::Globals;
use super::{inputs, output};
use crate::calibrate::{Profile, environment, hostname};

/// The reference machine's profile, for hosts that have none.
const REFERENCE: &str = include_str!("../../calibration/reference.csv");

/// A profile with the name under which results mention it.
#[derive(Debug)]
pub(super) struct Calibration {
    /// Where it came from.
    pub(super) name: String,
    /// The measurements.
    pub(super) profile: Profile,
}

impl Calibration {
    /// What the profile was measured under otherwise than this machine's conditions now, in one line.
    pub(super) fn elsewhere(&self) -> Option<String> {
        let differs = self.profile.differs_from(&environment(1));
        let (name, list) = (&self.name, differs.join("; "));
        (!differs.is_empty()).then(|| format!("{name} was measured elsewhere ({list})"))
    }
}

/// Where this host's profile stands.
pub(super) fn of_this_host() -> PathBuf {
    Path::new("calibration").join(format!("{}.csv", hostname()))
}

/// Reads the profile in `file`, else this host's, else the reference with a warning.
pub(super) fn load(file: Option<&Path>, globals: &Globals) -> Result<Calibration, Failure> {
    let host = of_this_host();
    match file {
        Some(path) => read(path),
        None if host.exists() => read(&host),
        None => {
            let name = "calibration/reference.csv".to_owned();
            let calibration = parse(name, REFERENCE)?;
            let environment = &calibration.profile.environment;
            let unknown = "an unnamed machine".to_owned();
            let machine = environment.get("processor").unwrap_or(&unknown);
            output::warn(
                globals,
                &format!(
                    "no {}: prices are those of the reference machine ({machine}); \
                     `nass calibrate` measures this one",
                    host.display()
                ),
            );
            Ok(calibration)
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Calibration, Failure> {
    parse(path.display().to_string(), &inputs::text(path)?)
}

fn parse(name: String, text: &str) -> Result<Calibration, Failure> {
    let profile = Profile::from_csv(text)
        .context(name.clone())
        .map_err(Failure::Input)?;
    Ok(Calibration { name, profile })
}
