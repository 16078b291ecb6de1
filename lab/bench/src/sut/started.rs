//! [`StartedSut`]: a SUT that the benchmark has started, from its start to its end.
//!
//! It leads a process group: what it starts is paused and killed with it.

use std::{
    io,
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use process::{LastLines, Living, forward, ports::taken, signals};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    Death, SutCommand, SutError, SutSettings,
    addresses::{Addresses, placeholder},
};
use crate::{cores, usage};

/// The time between two looks whether it listens.
const LOOK: Duration = Duration::from_millis(20);

/// The longest time to send on what it holds and to end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// The longest wait for processes that were killed, and for the last lines of a process that has ended.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// The number of attempts with other ports, if another process took one before the SUT did.
const TRIES: usize = 4;

/// A SUT that the benchmark has started. It is killed when this is dropped.
#[derive(Debug)]
pub struct StartedSut {
    command: SutCommand,
    settings: SutSettings,
    addresses: Addresses,
    said: LastLines,
    /// `None` from [`kill`](StartedSut::kill) to [`restart`](StartedSut::restart).
    group: Option<Group>,
    /// The process id of the last one that was started.
    pid: u32,
    _dir: TempDir,
}

/// How a SUT ended that was stopped.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended; `None` if that is not known, or it was killed before.
    pub status: Option<ExitStatus>,
    /// Whether it was killed, since it did not end in 10 s.
    pub killed: bool,
    /// The last lines that it wrote.
    pub said: Vec<String>,
}

/// The processes of a SUT. They are killed when this is dropped.
#[derive(Debug)]
struct Group {
    leader: Child,
    pid: u32,
    reading: Vec<JoinHandle<()>>,
    /// Whether what the program has left behind was killed. Once it was waited for, another process may get its number.
    left_killed: bool,
    _living: Living,
}

// === impl StartedSut ===

impl StartedSut {
    /// Starts a SUT and waits until it listens.
    ///
    /// # Errors
    ///
    /// [`SutError::Start`] where there is no such program, [`SutError::Ended`] where it ends before it listens,
    /// [`SutError::NotReady`] where it never does, and others of the machine.
    pub async fn start(
        command: &SutCommand,
        settings: SutSettings,
    ) -> Result<StartedSut, SutError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match StartedSut::start_once(command, &settings).await {
                Err(SutError::Ended { said, .. }) if tries < TRIES && taken(&said) => {}
                started => return started,
            }
        }
    }

    async fn start_once(
        command: &SutCommand,
        settings: &SutSettings,
    ) -> Result<StartedSut, SutError> {
        let dir = tempfile::Builder::new()
            .prefix("tracelab-bench-")
            .tempdir()
            .map_err(SutError::Folder)?;
        let addresses = Addresses::free(settings.out, dir.path()).map_err(SutError::Ports)?;
        let said = LastLines::default();
        let group = Group::start(command, settings, &addresses, &said)?;
        let mut started = StartedSut {
            command: command.clone(),
            settings: settings.clone(),
            addresses,
            said,
            pid: group.pid,
            group: Some(group),
            _dir: dir,
        };
        started.ready().await?;
        Ok(started)
    }

    /// Where requests are sent.
    pub fn target(&self) -> firehose::Target {
        let scheme = match self.settings.protocol {
            firehose::Protocol::Grpc => "grpc",
            firehose::Protocol::Http1 => "http",
            firehose::Protocol::Http2 => "h2",
        };
        let target = format!("{scheme}://{}", self.receiving()).parse();
        target.expect("a scheme, an address and a port")
    }

    /// Where it listens for the protocol that is sent.
    pub fn receiving(&self) -> SocketAddr {
        self.addresses.receiving(self.settings.protocol)
    }

    /// The process id of the program itself. A restart changes it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The last lines that it has written so far.
    pub fn said(&self) -> Vec<String> {
        self.said.kept()
    }

    /// Waits until it ends by itself, which may be for ever, as after [`kill`](StartedSut::kill). It may be dropped and
    /// called again.
    pub async fn died(&mut self) -> Death {
        let Some(group) = &mut self.group else {
            return std::future::pending().await;
        };
        let status = group.ended().await;
        Death {
            status: status.ok(),
            said: self.said.kept(),
        }
    }

    /// Ends it: SIGTERM to all its processes, and SIGKILL to those that are there 10 s later, or when the program
    /// itself has ended.
    pub async fn stop(mut self) -> Ended {
        let (status, killed) = match self.group.take() {
            Some(group) => group.stop().await,
            None => (None, true),
        };
        Ended {
            status,
            killed,
            said: self.said.kept(),
        }
    }

    /// Kills all its processes at once, and waits until they have ended.
    pub async fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            group.kill().await;
        }
    }

    /// Starts it again after [`kill`](StartedSut::kill) or its death, with the same addresses, folder and core, and
    /// waits until it listens.
    ///
    /// # Errors
    ///
    /// As [`start`](StartedSut::start).
    pub async fn restart(&mut self) -> Result<(), SutError> {
        self.kill().await;
        let group = Group::start(&self.command, &self.settings, &self.addresses, &self.said)?;
        self.pid = group.pid;
        self.group = Some(group);
        self.ready().await
    }

    /// Kills it, waits for `pause`, and starts it again.
    ///
    /// # Errors
    ///
    /// As [`start`](StartedSut::start).
    pub async fn kill_and_restart(&mut self, pause: Duration) -> Result<(), SutError> {
        self.kill().await;
        sleep(pause).await;
        self.restart().await
    }

    /// Stops all its processes where they are (SIGSTOP), until [`resume`](StartedSut::resume).
    pub fn pause(&self) {
        if let Some(group) = &self.group {
            signals::pause_group(group.pid);
        }
    }

    /// Lets its processes go on after [`pause`](StartedSut::pause).
    pub fn resume(&self) {
        if let Some(group) = &self.group {
            signals::resume_group(group.pid);
        }
    }

    /// Waits until it listens. What does not is killed.
    async fn ready(&mut self) -> Result<(), SutError> {
        let address = self.receiving();
        let patience = self.settings.patience;
        let deadline = Instant::now() + patience;
        let Some(group) = &mut self.group else {
            return Ok(());
        };
        while TcpStream::connect(address).await.is_err() {
            if Instant::now() >= deadline {
                self.kill().await;
                return Err(SutError::NotReady {
                    address,
                    placeholder: placeholder(self.settings.protocol),
                    patience,
                    said: self.said.kept(),
                });
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                status = group.ended() => return Err(SutError::Ended {
                    status: status.unwrap_or_default(),
                    address,
                    said: self.said.kept(),
                }),
            }
        }
        Ok(())
    }
}

// === impl Group ===

impl Group {
    fn start(
        command: &SutCommand,
        settings: &SutSettings,
        addresses: &Addresses,
        said: &LastLines,
    ) -> Result<Group, SutError> {
        let filled = command.fill(addresses);
        let mut process = Command::new(&filled.program);
        process
            .args(filled.arguments)
            .envs(filled.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let spawned = match settings.core {
            // A process begins on the cores of the thread that starts it.
            Some(core) => cores::on_core(core, || process.spawn())
                .map_err(|source| SutError::Pin { core, source })?,
            None => process.spawn(),
        };
        let mut leader = spawned.map_err(|source| SutError::Start {
            program: filled.program,
            source,
        })?;
        let stdout = leader.stdout.take().expect("it is a pipe");
        let stderr = leader.stderr.take().expect("it is a pipe");
        let pid = leader.id().expect("nothing has waited for its end so far");
        Ok(Group {
            leader,
            pid,
            reading: vec![
                forward(stdout, said.clone(), |_| {}),
                forward(stderr, said.clone(), |_| {}),
            ],
            left_killed: false,
            _living: Living::group(pid),
        })
    }

    /// Waits until the program ends by itself; then what it started is killed, and the last lines are read.
    async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.leader.wait().await;
        self.end().await;
        status
    }

    async fn stop(mut self) -> (Option<ExitStatus>, bool) {
        signals::terminate_group(self.pid);
        // A paused process takes the signal only when it goes on.
        signals::resume_group(self.pid);
        let ended = timeout(STOP_PATIENCE, self.leader.wait()).await;
        let killed = ended.is_err();
        let status = match ended {
            Ok(status) => status,
            Err(_) => {
                signals::kill_group(self.pid);
                self.leader.wait().await
            }
        };
        self.end().await;
        (status.ok(), killed)
    }

    async fn kill(mut self) {
        if self.leader.id().is_some() {
            signals::kill_group(self.pid);
        }
        let _ = self.leader.wait().await;
        self.end().await;
    }

    /// Kills what the program has left behind, which holds its ports, and reads the last lines.
    async fn end(&mut self) {
        if !self.left_killed {
            signals::kill_group(self.pid);
            self.left_killed = true;
        }
        let deadline = Instant::now() + END_PATIENCE;
        for mut reading in self.reading.drain(..) {
            // A process that has left the group may hold the pipe open.
            if timeout(END_PATIENCE, &mut reading).await.is_err() {
                reading.abort();
            }
        }
        while usage::group_lives(self.pid) && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.left_killed {
            signals::kill_group(self.pid);
        }
    }
}
