//! One process at work in a folder at a time.
//!
//! In: a folder. Out: a lock on its `study.lock`, until it is dropped or the process dies.
//!
//! The system's lock belongs to the open file, which a process shares with the children it starts
//! until they have become another program. So the lock is given back by name, not by closing the
//! file: a child of the moment would hold it on.

use super::error::SearchError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// The right to work in a folder.
pub(super) struct FolderLock(File);

impl FolderLock {
    /// Takes the lock of a folder that exists.
    ///
    /// # Errors
    /// [`SearchError::StudyBusy`], or what the file system refuses.
    pub(super) fn take(folder: &Path) -> Result<Self, SearchError> {
        let path = folder.join("study.lock");
        let refused = |error| SearchError::File {
            path: path.clone(),
            error,
        };
        let file = File::create(&path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(SearchError::StudyBusy(folder.into())),
            Err(TryLockError::Error(error)) => Err(refused(error)),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // A refusal here leaves it to the closing of the file.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_free_once_dropped_even_while_a_child_shares_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        let shared = lock.0.try_clone().unwrap();
        let busy = FolderLock::take(folder.path()).err().unwrap();
        assert!(matches!(busy, SearchError::StudyBusy(_)), "{busy}");
        drop(lock);
        FolderLock::take(folder.path()).unwrap();
        drop(shared);
    }
}
