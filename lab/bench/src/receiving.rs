//! [`Receiving`]: the receiving end, a process of its own that writes its ledger into a file, so that it can be killed
//! and started again without loss.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use firehose::{Content, LedgerReader, Workload};
use process::{LastLines, Living, forward, signals};
use tempfile::TempDir;
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::cores;

/// How the receiving end is started.
#[derive(Clone, Debug)]
pub struct ReceivingSettings {
    /// The program whose subcommand `drain` is the receiving end: this one.
    pub program: PathBuf,
    /// The core that it runs on; `None` is any.
    pub core: Option<usize>,
    /// What of the content of spans must be as it was sent.
    pub content: Content,
    /// The file of the workload.
    pub workload: PathBuf,
    /// The file of the ledger.
    pub ledger: PathBuf,
}

/// The receiving end.
#[derive(Debug)]
pub struct Receiving {
    settings: ReceivingSettings,
    address: SocketAddr,
    child: Option<Child>,
    living: Option<Living>,
    pid: u32,
    reader: LedgerReader,
}

/// Why there is no receiving end.
#[derive(Debug, Error)]
pub enum ReceivingError {
    /// The program cannot be started.
    #[error("the receiving end, {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It ended, or did not say where it listens.
    #[error("the receiving end did not start{}", process::Said(said))]
    NotReady {
        /// Its last lines.
        said: Vec<String>,
    },
    /// Its ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] firehose::LedgerError),
}

/// The longest time until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes the file of a workload into a folder.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_workload(folder: &TempDir, name: &str, workload: &Workload) -> io::Result<PathBuf> {
    let path = folder.path().join(name);
    std::fs::write(&path, serde_json::to_vec(workload)?)?;
    Ok(path)
}

// === impl Receiving ===

impl Receiving {
    /// Starts it on a free port.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or does not listen in time.
    pub async fn start(settings: ReceivingSettings) -> Result<Receiving, ReceivingError> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (child, address) = spawn(&settings, any).await?;
        let pid = child.id().unwrap_or_default();
        Ok(Receiving {
            reader: LedgerReader::open(&settings.ledger)?,
            settings,
            address,
            living: Some(Living::process(pid)),
            child: Some(child),
            pid,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id; of the last one, if it was killed.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its ledger.
    pub fn reader(&self) -> &LedgerReader {
        &self.reader
    }

    /// The file of its ledger.
    pub fn ledger(&self) -> &Path {
        &self.settings.ledger
    }

    /// Kills it, as SIGKILL does.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill().await;
        }
        self.living = None;
    }

    /// Starts it again, where it listened before.
    ///
    /// # Errors
    ///
    /// As of [`start`](Receiving::start).
    pub async fn restart(&mut self) -> Result<(), ReceivingError> {
        let (child, _) = spawn(&self.settings, self.address).await?;
        self.pid = child.id().unwrap_or_default();
        self.living = Some(Living::process(self.pid));
        self.child = Some(child);
        Ok(())
    }

    /// Stops all its threads, until [`resume`](Receiving::resume).
    pub fn pause(&self) {
        signals::pause(self.pid);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signals::resume(self.pid);
    }

    /// Ends it.
    pub async fn stop(mut self) {
        let Some(child) = &mut self.child else { return };
        signals::terminate(self.pid);
        if timeout(PATIENCE, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }
}

/// Starts the program, and reads where it listens.
async fn spawn(
    settings: &ReceivingSettings,
    listen: SocketAddr,
) -> Result<(Child, SocketAddr), ReceivingError> {
    let failed = |source| ReceivingError::Start {
        program: settings.program.clone(),
        source,
    };
    let content = match settings.content {
        Content::Same => "same",
        Content::Kept => "kept",
        Content::Any => "any",
    };
    let mut command = Command::new(&settings.program);
    command
        .arg("drain")
        .arg("--workload")
        .arg(&settings.workload)
        .arg("--ledger")
        .arg(&settings.ledger)
        .args(["--listen", &listen.to_string()])
        .args(["--content", content, "--exit-with-parent"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let started = match settings.core {
        Some(core) => cores::on_core(core, || command.spawn()).map_err(failed)?,
        None => command.spawn(),
    };
    let mut child = started.map_err(failed)?;
    let said = LastLines::default();
    let stderr = child.stderr.take().expect("it is a pipe");
    let stdout = child.stdout.take().expect("it is a pipe");
    let reading = forward(stderr, said.clone(), |_line| {});
    let mut lines = BufReader::new(stdout).lines();
    let first = timeout(PATIENCE, lines.next_line()).await;
    let listening = first.ok().and_then(Result::ok).flatten().and_then(|line| {
        let ready: serde_json::Value = serde_json::from_str(&line).ok()?;
        ready["listening"].as_str()?.parse().ok()
    });
    // Its later lines are read, so that it never waits for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    match listening {
        Some(address) => Ok((child, address)),
        None => {
            let _ = child.kill().await;
            let _ = timeout(PATIENCE, reading).await;
            Err(ReceivingError::NotReady { said: said.take() })
        }
    }
}
