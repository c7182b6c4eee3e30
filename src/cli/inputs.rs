//! What commands read: networks by name or file, JSON results. All of it is untrusted.
//!
//! An error names the file first, then the line or field, then what was expected; exit 2.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use serde::de::DeserializeOwned;

use super::error::Failure;
use super::globals::Globals;
use super::output;
use crate::network::{NetworkParams, Weights, zoo};

/// Files longer than this are refused: nothing that is read as text comes near it.
const LONGEST_TEXT: u64 = 64 << 20;
/// The same for files of weights.
const LONGEST_WEIGHTS: u64 = 4 << 30;

/// `NET`: the path of a `.toml` file, or a name of the zoo.
pub(super) fn network(net: &str, globals: &Globals) -> Result<NetworkParams, Failure> {
    let path = Path::new(net);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => {
            let text = text(path)?;
            let read = NetworkParams::from_toml(&text)
                .with_context(|| net.to_owned())
                .map_err(Failure::Input)?;
            for warning in &read.1 {
                output::warn(globals, &format!("{net}: {warning}"));
            }
            Ok(read.0)
        }
        Some("onnx") => Err(Failure::unusable(format_args!(
            "{net}: ONNX files are not read yet; expected a `.toml` file or a name that \
             `nass networks` lists"
        ))),
        Some(_) | None => zoo::load(net).map_err(Failure::input),
    }
}

/// Integer weights of `network` from a safetensors file.
pub(super) fn weights(path: &Path, network: &NetworkParams) -> Result<Weights, Failure> {
    let read = bytes(path).and_then(|bytes| Ok(Weights::from_safetensors(&bytes, network)?));
    read.with_context(|| path.display().to_string())
        .map_err(Failure::Input)
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LONGEST_WEIGHTS + 1)
        .read_to_end(&mut bytes)?;
    anyhow::ensure!(
        bytes.len() as u64 <= LONGEST_WEIGHTS,
        "expected a file of at most {LONGEST_WEIGHTS} bytes"
    );
    Ok(bytes)
}

/// A file as text.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    read(path)
        .with_context(|| path.display().to_string())
        .map_err(Failure::Input)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let file = File::open(path)?;
    let mut text = String::new();
    file.take(LONGEST_TEXT + 1).read_to_string(&mut text)?;
    anyhow::ensure!(
        text.len() as u64 <= LONGEST_TEXT,
        "expected a file of at most {LONGEST_TEXT} bytes"
    );
    Ok(text)
}

/// A value from JSON text that came from `path`; errors name the field and the line.
pub(super) fn json<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Failure> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(anyhow::Error::from);
    value
        .and_then(|value| reader.end().map(|()| value).map_err(anyhow::Error::from))
        .with_context(|| path.display().to_string())
        .map_err(Failure::Input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(net: &str) -> String {
        let failure = network(net, &Globals::default()).unwrap_err();
        assert!(matches!(failure, Failure::Input(_)));
        failure.to_string()
    }

    #[test]
    fn networks_come_by_name_or_file() {
        let toy = network("toy", &Globals::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, toy.to_toml().unwrap()).unwrap();
        let read = network(path.to_str().unwrap(), &Globals::default()).unwrap();
        assert_eq!(read, toy);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(refusal("resnet").contains("gazelle-cifar10"));
        assert!(refusal("net.onnx").starts_with("net.onnx: ONNX files are not read yet"));
        assert!(refusal("/nowhere/net.toml").starts_with("/nowhere/net.toml: No such file"));
    }

    #[test]
    fn a_bad_toml_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.toml");
        std::fs::write(&path, "name = \"x\"\ninput = 3\n").unwrap();
        let told = refusal(path.to_str().unwrap());
        assert!(told.contains("bad.toml: "), "{told}");
        assert!(told.contains("line 2"), "{told}");
        assert_eq!(told.lines().count(), 1);
    }

    #[test]
    fn json_errors_name_the_field() {
        let path = Path::new("p.json");
        let failure = json::<crate::predict::SetupCost>(path, "{\"seconds\": \"x\"}").unwrap_err();
        let told = failure.to_string();
        assert!(told.starts_with("p.json: seconds: "), "{told}");
        assert!(told.contains("line 1"), "{told}");
        assert!(json::<u32>(path, "1 2").is_err());
    }
}
