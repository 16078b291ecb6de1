//! A file of traces that something else writes, such as the Collector's file exporter. It is read anew where it grew.

use std::{path::PathBuf, time::SystemTime};

use async_trait::async_trait;
use parking_lot::Mutex;
use trace::{Span, TraceId};

use super::answer::of_contents;
use crate::reader::{Identity, ReadError, ReadTrace, Reader, Representation};

/// A file of traces.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// What was read last. The file is read once for all traces that are looked for in it.
    last: Mutex<Option<Read>>,
}

#[derive(Clone, Debug)]
struct Read {
    length: u64,
    changed: Option<SystemTime>,
    contents: std::sync::Arc<formats::Contents>,
}

// === impl File ===

impl File {
    pub(super) fn new(path: PathBuf) -> File {
        File {
            path,
            last: Mutex::new(None),
        }
    }

    fn read(&self) -> Result<Option<Read>, ReadError> {
        let wrong = |why: String| ReadError::File {
            path: self.path.display().to_string(),
            why,
        };
        let found = match std::fs::metadata(&self.path) {
            Ok(found) => found,
            // It is made when the first trace comes.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let mut last = self.last.lock();
        let (length, changed) = (found.len(), found.modified().ok());
        if let Some(read) = &*last
            && (read.length, read.changed) == (length, changed)
        {
            return Ok(Some(read.clone()));
        }
        let bytes = std::fs::read(&self.path).map_err(|error| wrong(error.to_string()))?;
        let contents = match formats::read(&bytes) {
            Ok(contents) => contents,
            Err(formats::ReadError::Empty) => return Ok(None),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let read = Read {
            length,
            changed,
            contents: std::sync::Arc::new(contents),
        };
        *last = Some(read.clone());
        Ok(Some(read))
    }
}

#[async_trait]
impl Reader for File {
    fn kind(&self) -> &str {
        "file"
    }

    fn representation(&self) -> Representation {
        Representation::ALL
    }

    async fn identify(&self) -> Result<Identity, ReadError> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => std::path::Path::new("."),
        };
        match std::fs::metadata(folder) {
            Ok(found) if found.is_dir() => Ok(Identity::named(&format!(
                "the file {}",
                self.path.display()
            ))),
            _ => Err(ReadError::File {
                path: self.path.display().to_string(),
                why: "there is no such folder".to_owned(),
            }),
        }
    }

    async fn trace(&self, id: TraceId) -> Result<Option<ReadTrace>, ReadError> {
        let read = tokio::task::block_in_place(|| self.read())?;
        let Some(read) = read else {
            return Ok(None);
        };
        let of_trace = |span: &&Span| span.trace_id == id;
        let spans: Vec<Span> = read
            .contents
            .spans
            .iter()
            .filter(of_trace)
            .cloned()
            .collect();
        let notes = read.contents.notes.clone();
        let read = of_contents(formats::Contents { spans, notes }, id);
        Ok((!read.spans.is_empty()).then_some(read))
    }
}
