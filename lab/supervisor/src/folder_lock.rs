//! [`FolderLock`]: a folder belongs to one lab at a time, and whether that lab lives is seen from outside.
//!
//! The lock is flock(2) on a file in the folder. The system releases it with the process, however that ends.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use tempfile::TempDir;

/// The name of the file.
const FILE: &str = "lab.lock";

/// The name of the file before it is locked: nobody else looks at it.
const NOT_YET: &str = "lab.lock.new";

/// What the names of temporary folders begin with.
const PREFIX: &str = "tracelab-";

/// A folder that belongs to this lab. It is free when this is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock(
    #[expect(dead_code, reason = "the lock lasts as long as the file is open")] File,
);

/// The answer to a request for a folder.
#[derive(Debug)]
pub(crate) enum Claim {
    Taken(FolderLock),
    /// The folder belongs to another lab, of this process if its id can be read.
    InUse(Option<u32>),
}

// === impl FolderLock ===

impl FolderLock {
    /// Takes a folder.
    pub(crate) fn take(folder: &Path) -> io::Result<Claim> {
        let mut file = open(&folder.join(FILE))?;
        match file.try_lock() {
            Ok(()) => {
                sign(&mut file)?;
                Ok(Claim::Taken(FolderLock(file)))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Another lab may be writing its id at this moment.
                let _ = file.read_to_string(&mut text);
                Ok(Claim::InUse(text.trim().parse().ok()))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Makes a temporary folder that only this user may read, and takes it.
    ///
    /// The file gets its name when it is locked, so that it is never taken for that of a lab that has died.
    pub(crate) fn temporary(parent: &Path) -> io::Result<(TempDir, FolderLock)> {
        let mut builder = tempfile::Builder::new();
        let folder = builder
            .prefix(PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let mut file = open(&folder.path().join(NOT_YET))?;
        file.lock()?;
        sign(&mut file)?;
        fs::rename(folder.path().join(NOT_YET), folder.path().join(FILE))?;
        Ok((folder, FolderLock(file)))
    }
}

/// Removes the temporary folders of labs of this user that have died. A folder that cannot be removed stays.
pub(crate) fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(PREFIX)) && is_ours(&entry.path()) {
            remove_if_abandoned(&entry.path());
        }
    }
}

/// Whether it is a folder of this user, and no link to one.
fn is_ours(path: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == user)
}

fn remove_if_abandoned(folder: &Path) {
    let lock = folder.join(FILE);
    let is_file = fs::symlink_metadata(&lock).is_ok_and(|found| found.is_file());
    // Without the file it is no folder of a lab, or that of one that starts at this moment.
    if !is_file {
        return;
    }
    let Ok(file) = File::open(&lock) else {
        return;
    };
    if file.try_lock().is_ok() {
        let _ = fs::remove_dir_all(folder);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Writes the id of this process, for the message to another lab.
fn sign(file: &mut File) -> io::Result<()> {
    file.rewind()?;
    file.set_len(0)?;
    write!(file, "{}", std::process::id())?;
    file.flush()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_again_when_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let Claim::Taken(first) = FolderLock::take(folder.path()).unwrap() else {
            panic!("it is free");
        };
        let second = FolderLock::take(folder.path()).unwrap();
        assert!(matches!(second, Claim::InUse(Some(id)) if id == std::process::id()));
        drop(first);
        let third = FolderLock::take(folder.path()).unwrap();
        assert!(matches!(third, Claim::Taken(_)), "{third:?}");
    }

    #[test]
    fn only_folders_of_labs_that_have_died_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let (living, _lock) = FolderLock::temporary(parent.path()).unwrap();
        let mode = fs::metadata(living.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);

        let (died, lock) = FolderLock::temporary(parent.path()).unwrap();
        let died = died.keep();
        fs::create_dir(died.join("mail")).unwrap();
        drop(lock);
        let folder = |name: &str| {
            let folder = parent.path().join(name);
            fs::create_dir(&folder).unwrap();
            folder
        };
        let no_lab = folder("tracelab-something");
        let other = folder("other");
        File::create(other.join(FILE)).unwrap();
        // A link is not followed, wherever it leads.
        let link = parent.path().join("tracelab-link");
        std::os::unix::fs::symlink(&other, &link).unwrap();

        remove_abandoned(parent.path());
        assert!(!died.exists());
        for stays in [living.path(), &no_lab, &other, &link] {
            assert!(stays.exists(), "{}", stays.display());
        }
    }
}
