//! Runs one Collector, from its start to its end.
//!
//! It is started with free ports, is ready when it listens, is told to stop by SIGTERM, upon which it
//! pushes out what it holds, and is killed if it does not come to its end.

use std::{
    collections::HashMap,
    env,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use process::{
    LastLines, forward,
    ports::{free, reachable},
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

/// How long it may take until it listens. It takes about a second.
const READY_PATIENCE: Duration = Duration::from_secs(25);

/// How long it may take to push out what it holds: less than the lab gives a child to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// How often it is looked whether it listens.
const LOOK: Duration = Duration::from_millis(20);

/// How many times other ports are tried, where another process took one before the Collector did.
const TRIES: usize = 4;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct CollectorRun {
    /// The Collector.
    pub program: Program,
    /// Its set-up.
    pub file: PathBuf,
    /// Where it receives OTLP/gRPC; port 0 takes a free one, and so do all other addresses that the
    /// environment does not give. `None` leaves all to the environment and the file.
    pub listen: Option<SocketAddr>,
}

/// Where a Collector listens.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Where it receives OTLP/gRPC.
    pub listening: SocketAddr,
    /// The process of the Collector itself.
    pub pid: u32,
    /// All addresses that it was given, by the variables that its set-up takes them from. It may have no
    /// use for some.
    pub addresses: HashMap<&'static str, String>,
}

/// Runs a Collector until it is told to stop. `ready` is called once it listens; what it writes goes to
/// `line`.
///
/// # Errors
///
/// When it cannot be started, does not come to listen, or comes to its end by itself.
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
            Err(Error::Ended { said, .. }) if tries < TRIES && what.chooses() && in_use(&said) => {}
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

fn in_use(said: &[String]) -> bool {
    said.iter()
        .any(|line| line.contains("address already in use"))
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
            // It would tell of itself on a port that every Collector has by default.
            command.args(["--config", "yaml:service::telemetry::metrics::level: none"]);
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

/// A Collector that was started.
struct Running {
    process: Child,
    said: LastLines,
    reading: Vec<JoinHandle<()>>,
}

// === impl Running ===

impl Running {
    /// Starts it and waits until it listens; `None` beside it if it was told to stop before.
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

    /// What is to be said of its end.
    async fn end(&mut self, status: std::io::Result<ExitStatus>) -> Error {
        for reading in self.reading.drain(..) {
            // Its last lines say why.
            let _ = reading.await;
        }
        Error::Ended {
            status: status.unwrap_or_default(),
            said: self.said.take(),
        }
    }

    /// Tells it to stop, and waits until it has; kills it if that takes too long.
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

/// Where it will receive OTLP/gRPC.
fn listening(addresses: &HashMap<&'static str, String>) -> Result<SocketAddr, Error> {
    let said = addresses.get(variable::OTLP_GRPC);
    let said = said.map_or(variable::DEFAULT_OTLP_GRPC, String::as_str);
    // A name in place of an address is for the Collector to look up; here the port is enough.
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
