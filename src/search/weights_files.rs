//! Files of trained weights: one an architecture, written whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::SearchError;

/// The file of an architecture's weights.
pub(super) fn path(folder: &Path, architecture: &str) -> PathBuf {
    folder.join("weights").join(format!("{architecture}.bin"))
}

/// Writes an architecture's weights under a temporary name, then renames; the hash comes back.
pub(super) fn write(
    folder: &Path,
    architecture: &str,
    weights: &[u8],
) -> Result<String, SearchError> {
    let path = path(folder, architecture);
    let written = write_whole(&path, weights);
    written.map_err(|error| SearchError::File { path, error })?;
    Ok(blake3::hash(weights).to_hex().to_string())
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(folder)?.sync_all()
}

/// Reads an architecture's weights, which must have the recorded hash.
pub(super) fn read(
    folder: &Path,
    architecture: &str,
    recorded: &str,
) -> Result<Vec<u8>, SearchError> {
    let path = path(folder, architecture);
    let weights = match fs::read(&path) {
        Ok(weights) => weights,
        Err(error) => return Err(SearchError::File { path, error }),
    };
    if blake3::hash(&weights).to_hex().as_str() != recorded {
        return Err(SearchError::WeightsDamaged(path));
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let hash = write(folder.path(), "a", b"weights").unwrap();
        let again = write(folder.path(), "a", b"weights").unwrap();
        assert_eq!(hash, again);
        assert_eq!(read(folder.path(), "a", &hash).unwrap(), b"weights");
        let error = read(folder.path(), "b", &hash).unwrap_err();
        assert!(matches!(error, SearchError::File { .. }));
        fs::write(path(folder.path(), "a"), b"weight").unwrap();
        let error = read(folder.path(), "a", &hash).unwrap_err();
        assert!(matches!(error, SearchError::WeightsDamaged(_)));
    }
}
