//! [`RunningSut`]: a SUT that was there before the benchmark.

use std::{fmt, future::pending, time::Duration};

use firehose::Target;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{Death, SutError};
use crate::usage;

/// The time between two looks whether it is there.
const LOOK: Duration = Duration::from_millis(100);

/// A SUT that was there before the benchmark, which does not end it.
#[derive(Clone, Debug)]
pub struct RunningSut {
    text: String,
    target: Target,
    pid: Option<u32>,
}

// === impl RunningSut ===

impl RunningSut {
    /// The SUT at `grpc://HOST:PORT`, `http://HOST:PORT` or `h2://HOST:PORT`. Its CPU and memory are measured, and its
    /// death is seen, if its process is named.
    ///
    /// # Errors
    ///
    /// When the text is no [`Target`], or there is no such process.
    pub fn new(target: &str, pid: Option<u32>) -> Result<RunningSut, SutError> {
        if let Some(pid) = pid.filter(|pid| !usage::lives(*pid)) {
            return Err(SutError::NoProcess(pid));
        }
        Ok(RunningSut {
            text: target.to_owned(),
            target: target.parse()?,
            pid,
        })
    }

    /// Where requests are sent.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Its process, if that was named.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Waits until it takes connections.
    pub(super) async fn reach(&self, patience: Duration) -> Result<(), SutError> {
        let deadline = Instant::now() + patience;
        let address = self.text.split_once("://").map_or("", |(_, rest)| rest);
        loop {
            let Err(source) = TcpStream::connect(address.trim_end_matches('/')).await else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                return Err(SutError::NotReachable {
                    target: self.text.clone(),
                    source,
                });
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until its process has ended; for ever if that was not named.
    pub(super) async fn died(&self) -> Death {
        let Some(pid) = self.pid else {
            return pending().await;
        };
        while usage::lives(pid) {
            sleep(LOOK).await;
        }
        Death {
            status: None,
            said: Vec::new(),
        }
    }
}

/// Its address.
impl fmt::Display for RunningSut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
