//! [`Data`]: where a lab keeps its databases and mails.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{
    Error,
    folder_lock::{Claim, FolderLock, remove_abandoned},
};

/// Where the lab keeps its databases and mails. The folder belongs to this lab alone.
#[derive(Debug)]
pub(crate) struct Data {
    // Removed before the lock is released, so that no other lab removes it at the same time.
    folder: Folder,
    _lock: FolderLock,
}

#[derive(Debug)]
enum Folder {
    /// A folder that outlives the lab.
    Kept(PathBuf),
    /// A folder that is removed when this is dropped.
    Temporary(TempDir),
}

// === impl Data ===

impl Data {
    /// Opens `folder`, or a temporary folder, and creates the folder for mails in it.
    ///
    /// The temporary folders of labs that have died are removed.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Data, Error> {
        let data = match folder {
            Some(folder) => Data::keep(folder)?,
            None => Data::temporary()?,
        };
        let mail = data.path().join("mail");
        std::fs::create_dir_all(&mail).map_err(|source| unusable(&mail, source))?;
        Ok(data)
    }

    pub(crate) fn path(&self) -> &Path {
        match &self.folder {
            Folder::Kept(path) => path,
            Folder::Temporary(folder) => folder.path(),
        }
    }

    fn keep(folder: &Path) -> Result<Data, Error> {
        let path = std::path::absolute(folder).map_err(|source| unusable(folder, source))?;
        let taken = std::fs::create_dir_all(&path).and_then(|()| FolderLock::take(&path));
        match taken.map_err(|source| unusable(&path, source))? {
            Claim::Taken(lock) => Ok(Data {
                folder: Folder::Kept(path),
                _lock: lock,
            }),
            Claim::InUse(pid) => Err(Error::DataInUse { path, pid }),
        }
    }

    fn temporary() -> Result<Data, Error> {
        let parent = std::env::temp_dir();
        remove_abandoned(&parent);
        let made = FolderLock::temporary(&parent);
        let (folder, lock) = made.map_err(|source| unusable(&parent, source))?;
        Ok(Data {
            folder: Folder::Temporary(folder),
            _lock: lock,
        })
    }
}

fn unusable(path: &Path, source: std::io::Error) -> Error {
    Error::DataDir {
        path: path.to_owned(),
        source,
    }
}
