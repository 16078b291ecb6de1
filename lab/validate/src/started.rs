//! [`Started`]: a backend that the validation starts, kills and starts again.
//!
//! Placeholders of its command line, and variables of its environment, say where it is to listen:
//!
//! | placeholder | variable | what |
//! | --- | --- | --- |
//! | `{grpc}` | `BACKEND_OTLP_GRPC` | `HOST:PORT` for OTLP/gRPC |
//! | `{http}` | `BACKEND_OTLP_HTTP` | `HOST:PORT` for OTLP/HTTP |
//! | `{read}` | `BACKEND_READ` | `HOST:PORT` of the API that is read |
//! | `{dir}` | `BACKEND_DIR` | a folder of its own, empty at the start, kept over a restart |

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use process::{LastLines, Living, Said, forward, signals};
use tempfile::TempDir;
use thiserror::Error;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// A command line, read.
#[derive(Clone, Debug)]
pub struct StartCommand {
    line: String,
    words: Vec<String>,
}

/// Where a backend that is started listens, and its folder.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// For OTLP/gRPC.
    pub grpc: SocketAddr,
    /// For OTLP/HTTP.
    pub http: SocketAddr,
    /// The API that is read.
    pub read: SocketAddr,
    /// Its folder.
    pub dir: PathBuf,
}

/// A backend that was started. It is killed, with all that it started, when this is dropped.
#[derive(Debug)]
pub struct Started {
    command: StartCommand,
    addresses: Addresses,
    group: Option<Group>,
    said: LastLines,
    patience: Duration,
    _dir: TempDir,
}

/// Why a backend did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The command line cannot be read.
    #[error("{0:?} is no command line: a quotation mark has no end, or there is no program")]
    Line(String),
    /// The machine has no folder or no port.
    #[error("a backend cannot be prepared: {0}")]
    Machine(#[source] io::Error),
    /// There is no such program.
    #[error("{program} cannot be started: {source}")]
    Program {
        /// The program.
        program: String,
        /// The error of the system.
        source: io::Error,
    },
    /// It ended before it listened.
    #[error("the backend ended ({status}) before it listened{}", Said(said))]
    Ended {
        /// How it ended.
        status: String,
        /// Its last lines.
        said: Vec<String>,
    },
    /// It did not listen in time.
    #[error(
        "the backend did not listen at {address} within {within:?}; its command line says where with {{grpc}}, {{http}}, {{read}}{}",
        Said(said)
    )]
    NotReady {
        /// Where it was waited for.
        address: SocketAddr,
        /// The wait.
        within: Duration,
        /// Its last lines.
        said: Vec<String>,
    },
}

/// The processes of a backend.
#[derive(Debug)]
struct Group {
    leader: Child,
    pid: u32,
    _living: Living,
}

/// The pause between two looks whether it listens.
const LOOK: Duration = Duration::from_millis(20);

/// The longest time for it to end by itself.
const STOP: Duration = Duration::from_secs(30);

// === impl StartCommand ===

impl StartCommand {
    /// Reads a command line. No shell runs it.
    ///
    /// # Errors
    ///
    /// [`StartError::Line`].
    pub fn parse(line: &str) -> Result<StartCommand, StartError> {
        let words = shlex::split(line).filter(|words| !words.is_empty());
        Ok(StartCommand {
            line: line.to_owned(),
            words: words.ok_or_else(|| StartError::Line(line.to_owned()))?,
        })
    }

    /// Whether its words have a placeholder.
    pub fn says(&self, placeholder: &str) -> bool {
        self.line.contains(placeholder)
    }
}

// === impl Addresses ===

impl Addresses {
    fn free(dir: &Path) -> io::Result<Addresses> {
        let free = process::ports::free(IpAddr::V4(Ipv4Addr::LOCALHOST), 3)?;
        Ok(Addresses {
            grpc: free[0],
            http: free[1],
            read: free[2],
            dir: dir.to_owned(),
        })
    }

    /// A text with what its placeholders stand for.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{grpc}", &self.grpc.to_string())
            .replace("{http}", &self.http.to_string())
            .replace("{read}", &self.read.to_string())
            .replace("{dir}", &self.dir.to_string_lossy())
    }

    fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("BACKEND_OTLP_GRPC", self.grpc.to_string()),
            ("BACKEND_OTLP_HTTP", self.http.to_string()),
            ("BACKEND_READ", self.read.to_string()),
            ("BACKEND_DIR", self.dir.to_string_lossy().into_owned()),
        ]
    }
}

// === impl Started ===

impl Started {
    /// Starts a backend and waits until it listens for `waits_for`.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(command: &StartCommand, patience: Duration) -> Result<Started, StartError> {
        let dir = tempfile::Builder::new()
            .prefix("tracelab-validate-")
            .tempdir()
            .map_err(StartError::Machine)?;
        let addresses = Addresses::free(dir.path()).map_err(StartError::Machine)?;
        let mut started = Started {
            command: command.clone(),
            addresses,
            group: None,
            said: LastLines::default(),
            patience,
            _dir: dir,
        };
        started.spawn().await?;
        Ok(started)
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The last lines that it wrote.
    pub fn said(&self) -> Vec<String> {
        self.said.kept()
    }

    /// Kills all its processes (SIGKILL) and starts it again, with the same addresses and folder.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn kill_and_restart(&mut self) -> Result<(), StartError> {
        if let Some(mut group) = self.group.take() {
            signals::kill_group(group.pid);
            let _ = group.leader.wait().await;
            gone(group.pid).await;
        }
        self.spawn().await
    }

    /// Ends it: SIGTERM, and SIGKILL to what is there 30 s later.
    pub async fn stop(mut self) {
        let Some(mut group) = self.group.take() else {
            return;
        };
        signals::terminate_group(group.pid);
        let _ = timeout(STOP, group.leader.wait()).await;
        signals::kill_group(group.pid);
        let _ = group.leader.wait().await;
        gone(group.pid).await;
    }

    async fn spawn(&mut self) -> Result<(), StartError> {
        let words: Vec<String> = self
            .command
            .words
            .iter()
            .map(|word| self.addresses.fill(word))
            .collect();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .envs(self.addresses.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut leader = command.spawn().map_err(|source| StartError::Program {
            program: words[0].clone(),
            source,
        })?;
        let stdout = leader.stdout.take().expect("it is a pipe");
        let stderr = leader.stderr.take().expect("it is a pipe");
        forward(stdout, self.said.clone(), |_| {});
        forward(stderr, self.said.clone(), |_| {});
        let pid = leader.id().expect("nothing has waited for its end so far");
        self.group = Some(Group {
            leader,
            pid,
            _living: Living::group(pid),
        });
        self.ready().await
    }

    /// Waits until it listens wherever its command line says that it does; for OTLP/gRPC where that says nothing.
    async fn ready(&mut self) -> Result<(), StartError> {
        let all = [
            ("{grpc}", self.addresses.grpc),
            ("{http}", self.addresses.http),
            ("{read}", self.addresses.read),
        ];
        let mut waits: Vec<SocketAddr> = all
            .iter()
            .filter(|(word, _)| self.command.says(word))
            .map(|(_, address)| *address)
            .collect();
        if waits.is_empty() {
            waits.push(self.addresses.http);
        }
        let deadline = Instant::now() + self.patience;
        for address in waits {
            while TcpStream::connect(address).await.is_err() {
                let group = self.group.as_mut().expect("it was started above");
                if Instant::now() >= deadline {
                    let said = self.said.kept();
                    return Err(StartError::NotReady {
                        address,
                        within: self.patience,
                        said,
                    });
                }
                tokio::select! {
                    () = sleep(LOOK) => {}
                    status = group.leader.wait() => {
                        let status = status.map_or("unknown".to_owned(), |status| status.to_string());
                        // Its last lines may still be on their way.
                        sleep(LOOK).await;
                        return Err(StartError::Ended { status, said: self.said.kept() });
                    }
                }
            }
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        signals::kill_group(self.pid);
    }
}

/// Waits until no process of a group is left, two seconds at most.
async fn gone(group: u32) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while signals::group_is_there(group) && Instant::now() < deadline {
        sleep(LOOK).await;
    }
}
