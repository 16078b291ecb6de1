//! [`Data`]: where a lab keeps its databases and mails.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Error;

/// Where the lab keeps its databases and mails.
#[derive(Debug)]
pub(crate) enum Data {
    /// A folder that outlives the lab.
    Kept(PathBuf),
    /// A folder that is removed when this is dropped.
    Temporary(TempDir),
}

// === impl Data ===

impl Data {
    /// Opens `folder`, or a temporary folder, and creates the folder for mails in it.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Data, Error> {
        let unusable = |path: &Path, source| Error::DataDir {
            path: path.to_owned(),
            source,
        };
        let data = match folder {
            Some(folder) => {
                let absolute = std::path::absolute(folder).map_err(|e| unusable(folder, e))?;
                Data::Kept(absolute)
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("tracelab-").tempdir();
                Data::Temporary(temporary.map_err(|e| unusable(&std::env::temp_dir(), e))?)
            }
        };
        let mail = data.path().join("mail");
        std::fs::create_dir_all(&mail).map_err(|e| unusable(&mail, e))?;
        Ok(data)
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Data::Kept(path) => path,
            Data::Temporary(folder) => folder.path(),
        }
    }
}
