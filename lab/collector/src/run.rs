//! Runs one Collector, from its start to its end.
//!
//! The Collector is started with free ports and is ready when it listens. SIGTERM makes it export what it
//! holds and end; it is killed if it does not end in time.

use std::{
    collections::HashMap,
    env,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use process::{
    LastLines, Living, forward,
    ports::{free, reachable, taken},
    signals::terminate,
};
use serde::Serialize;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{Error, Program, variable};

/// The longest wait until it listens. It takes about a second.
const READY_PATIENCE: Duration = Duration::from_secs(25);

/// The longest time to export what it holds: less than a process has that is told to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(4);

/// The time between two checks whether it listens.
const LOOK: Duration = Duration::from_millis(20);

/// The number of attempts with other ports, if another process took one before the Collector did.
const TRIES: usize = 4;

/// The arguments, behind those of a set-up, of a Collector whose ports are chosen for it: it would serve its own
/// metrics on the same default port as every other Collector.
pub const NO_OWN_METRICS: [&str; 2] = ["--config", "yaml:service::telemetry::metrics::level: none"];

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct CollectorRun {
    /// The Collector.
    pub program: Program,
    /// Its set-up file.
    pub file: PathBuf,
    /// The address for OTLP/gRPC. Port 0 takes a free port, and then all other addresses that the environment
    /// does not give get free ports too. `None` leaves all addresses to the environment and the file.
    pub listen: Option<SocketAddr>,
}

/// The addresses of a running Collector.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// The address for OTLP/gRPC.
    pub listening: SocketAddr,
    /// The process id of the Collector itself.
    pub pid: u32,
    /// All addresses that the Collector was given, by the variables of its set-up. The set-up may not use all
    /// of them.
    pub addresses: HashMap<&'static str, String>,
}

/// Runs a Collector until it is stopped. `ready` is called once it listens; each line of its output goes to
/// `line`.
///
/// # Errors
///
/// When it cannot be started, does not listen in time, or ends by itself.
pub async fn run(
    what: CollectorRun,
    ready: impl FnOnce(Ready),
    line: impl Fn(&str) + Clone + Send + 'static,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let mut tries = 0;
    let (mut running, is_ready) = loop {
        tries += 1;
        let addresses = what.addresses()?;
        match Running::start(&what, &addresses, line.clone(), &shutdown).await {
            Err(Error::Ended { said, .. }) if tries < TRIES && what.chooses() && taken(&said) => {}
            started => break started?,
        }
    };
    if let Some(is_ready) = is_ready {
        ready(is_ready);
        tokio::select! {
            status = running.ended() => return Err(running.end(status).await),
            () = shutdown.cancelled() => {}
        }
    }
    running.stop().await
}

// === impl CollectorRun ===

impl CollectorRun {
    /// Whether any of its ports is chosen here.
    fn chooses(&self) -> bool {
        self.listen.is_some()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the set-up names the variables, and the Collector inherits them"
    )]
    fn addresses(&self) -> Result<HashMap<&'static str, String>, Error> {
        let given = |name: &'static str| Some((name, env::var(name).ok()?));
        let mut addresses: HashMap<&'static str, String> =
            variable::LISTENING.into_iter().filter_map(given).collect();
        if let Some(listen) = self.listen {
            if listen.port() > 0 {
                addresses.insert(variable::OTLP_GRPC, listen.to_string());
            } else {
                addresses.remove(variable::OTLP_GRPC);
            }
            let host: IpAddr = listen.ip();
            let free = free(host, variable::LISTENING.len()).map_err(Error::Ports)?;
            for (name, address) in variable::LISTENING.into_iter().zip(free) {
                addresses.entry(name).or_insert_with(|| address.to_string());
            }
        }
        Ok(addresses)
    }

    fn command(&self, addresses: &HashMap<&'static str, String>) -> Command {
        let mut command = Command::new(self.program.path());
        command.arg("--config").arg(&self.file);
        if self.chooses() {
            command.args(NO_OWN_METRICS);
        }
        command
            .envs(addresses)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// A started Collector.
struct Running {
    process: Child,
    _living: Living,
    said: LastLines,
    reading: Vec<JoinHandle<()>>,
}

// === impl Running ===

impl Running {
    /// Starts it and waits until it listens; `None` in the result if it was stopped before.
    async fn start(
        what: &CollectorRun,
        addresses: &HashMap<&'static str, String>,
        line: impl Fn(&str) + Clone + Send + 'static,
        shutdown: &CancellationToken,
    ) -> Result<(Running, Option<Ready>), Error> {
        let listening = listening(addresses)?;
        let mut process = what
            .command(addresses)
            .spawn()
            .map_err(|source| Error::Start {
                program: what.program.path().to_owned(),
                source,
            })?;
        let said = LastLines::default();
        let stdout = process.stdout.take().expect("it is a pipe");
        let stderr = process.stderr.take().expect("it is a pipe");
        let told = line.clone();
        let reading = vec![
            forward(stdout, said.clone(), move |text| told(&text)),
            forward(stderr, said.clone(), move |text| line(&text)),
        ];
        let pid = process.id().unwrap_or_default();
        let mut running = Running {
            process,
            _living: Living::process(pid),
            said,
            reading,
        };
        let deadline = Instant::now() + READY_PATIENCE;
        while TcpStream::connect(reachable(listening)).await.is_err() {
            if Instant::now() >= deadline {
                return Err(Error::NotReady {
                    address: listening,
                    patience: READY_PATIENCE,
                    said: running.said.take(),
                });
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                status = running.ended() => return Err(running.end(status).await),
                () = shutdown.cancelled() => return Ok((running, None)),
            }
        }
        let ready = Ready {
            listening,
            pid,
            addresses: addresses.clone(),
        };
        Ok((running, Some(ready)))
    }

    async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// The error for its end.
    async fn end(&mut self, status: std::io::Result<ExitStatus>) -> Error {
        for reading in self.reading.drain(..) {
            // Its last lines have the reason.
            let _ = reading.await;
        }
        Error::Ended {
            status: status.unwrap_or_default(),
            said: self.said.take(),
        }
    }

    /// Stops it, and waits until it has ended; kills it after the time limit.
    async fn stop(mut self) -> Result<(), Error> {
        if let Some(pid) = self.process.id() {
            terminate(pid);
        }
        if timeout(STOP_PATIENCE, self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
        for reading in self.reading {
            let _ = reading.await;
        }
        Ok(())
    }
}

/// The address for OTLP/gRPC.
fn listening(addresses: &HashMap<&'static str, String>) -> Result<SocketAddr, Error> {
    let said = addresses.get(variable::OTLP_GRPC);
    let said = said.map_or(variable::DEFAULT_OTLP_GRPC, String::as_str);
    // The Collector resolves host names itself; here the port is enough.
    let by_port = || {
        Some(SocketAddr::from((
            [127, 0, 0, 1],
            said.rsplit_once(':')?.1.parse().ok()?,
        )))
    };
    said.parse()
        .ok()
        .or_else(by_port)
        .ok_or_else(|| Error::Address {
            variable: variable::OTLP_GRPC,
            value: said.to_owned(),
        })
}
