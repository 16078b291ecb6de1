//! [`Books`]: what a generator notes of its requests, in a file, and the accounts of several generators and receivers.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use firehose::{
    Accounts, Arrivals, LedgerError, LedgerReader, Outcomes, Sent, Slice, Stream, Workload,
    WorkloadError,
};
use plain::Plain;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How the requests of a generator ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Books {
    /// `bench-books`.
    pub kind: String,
    /// The [`Workload::digest`] of what was sent.
    pub workload: u64,
    /// The number of the first request.
    pub first: u64,
    /// The slots that were planned: the first, and the one after the last.
    pub slots: (u64, u64),
    /// Whether only what was begun was planned.
    pub is_open_ended: bool,
    /// How each request ended.
    pub outcomes: Outcomes,
}

/// Why accounts cannot be made.
#[derive(Debug, Error)]
pub enum MergeError {
    /// A file cannot be read.
    #[error("{} cannot be read", Plain(path.display()))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is no such document.
    #[error("{} is no {what}: {}", Plain(path.display()), Plain(why))]
    Document {
        /// The file.
        path: PathBuf,
        /// What it ought to be.
        what: &'static str,
        /// Where it is not.
        why: String,
    },
    /// A file belongs to another workload.
    #[error("{} is of another workload", Plain(.0.display()))]
    OtherWorkload(PathBuf),
    /// The workload makes no sense.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// A ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There are no books.
    #[error("there are no books of a generator among the files (tracelab blast --books)")]
    NoBooks,
}

/// The accounts of a run that was spread over generators and receivers.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The fates.
    pub accounts: Accounts,
    /// Spans that arrived and that the workload does not have.
    pub foreign: u64,
    /// How many generators there were.
    pub generators: usize,
    /// How many receivers.
    pub receivers: usize,
}

const KIND: &str = "bench-books";

// === impl Books ===

impl Books {
    /// The books of what was sent of a workload.
    pub fn of(workload: &Workload, sent: &Sent) -> Books {
        Books {
            kind: KIND.to_owned(),
            workload: workload.digest(),
            first: sent.slice.first,
            slots: (sent.slice.slots.start, sent.slice.slots.end),
            is_open_ended: sent.is_open_ended,
            outcomes: sent.outcomes.clone(),
        }
    }
}

/// Makes the accounts of a workload from the books of its generators and the ledgers of its receivers, in any order.
///
/// # Errors
///
/// When a file cannot be read, is neither, or is of another workload, and when there are no books.
pub fn merge(workload: &Path, files: &[PathBuf]) -> Result<Merged, MergeError> {
    let read = |path: &Path| {
        fs::read(path).map_err(|source| MergeError::File {
            path: path.to_owned(),
            source,
        })
    };
    let document = |path: &Path, what, error: serde_json::Error| MergeError::Document {
        path: path.to_owned(),
        what,
        why: error.to_string(),
    };
    let parsed: Workload = serde_json::from_slice(&read(workload)?)
        .map_err(|error| document(workload, "workload", error))?;
    let stream = Stream::new(&parsed)?;
    let digest = parsed.digest();
    let (mut books, mut ledgers) = (Vec::new(), Vec::new());
    for path in files {
        let other = || MergeError::OtherWorkload(path.clone());
        match LedgerReader::open(path) {
            Ok(ledger) => {
                let file = |source| MergeError::File {
                    path: path.clone(),
                    source,
                };
                if ledger.workload().map_err(file)? != digest {
                    return Err(other());
                }
                let foreign = ledger.received().map_err(file)?.foreign;
                ledgers.push((ledger.arrivals().map_err(file)?, foreign));
            }
            Err(LedgerError::NoLedger(_)) => {
                let of_file: Books = serde_json::from_slice(&read(path)?).map_err(|error| {
                    document(path, "ledger, nor the books of a generator", error)
                })?;
                if of_file.workload != digest {
                    return Err(other());
                }
                books.push(of_file);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let first = books
        .iter()
        .map(|of| of.first)
        .min()
        .ok_or(MergeError::NoBooks)?;
    let start = books.iter().map(|of| of.slots.0).min().unwrap_or(0);
    let end = books.iter().map(|of| of.slots.1).max().unwrap_or(0);
    let arrivals: Vec<&Arrivals> = ledgers.iter().map(|(arrivals, _)| arrivals).collect();
    let accounts = Accounts::close(&firehose::Books {
        stream: &stream,
        slice: Slice {
            first,
            slots: start..end,
        },
        is_open_ended: books.iter().any(|of| of.is_open_ended),
        outcomes: books.iter().map(|of| &of.outcomes).collect(),
        arrivals: (!arrivals.is_empty()).then_some(arrivals),
        policy: None,
    });
    Ok(Merged {
        accounts,
        foreign: ledgers.iter().map(|(_, foreign)| foreign).sum(),
        generators: books.len(),
        receivers: ledgers.len(),
    })
}
