//! The real parts, each a process of the test's own on free ports, gone when the test ends:
//! PostgreSQL, RabbitMQ, the Collector. `scripts/parts` gets them.

use std::{
    collections::HashMap,
    fs,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::eventually;

/// Whom PostgreSQL runs as where the tests run as root, whom it refuses: `nobody`.
const NOBODY: u32 = 65_534;

/// Whether tests of parts that are not on every machine must run: `scripts/test --real` says so.
pub(crate) fn is_required() -> bool {
    std::env::var_os("TRACELAB_REAL").is_some_and(|value| value == "1")
}

/// Whether these programs are here. If not, it is said; if they are required, the test fails.
pub(crate) fn are_here(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs
        .iter()
        .filter(|name| find(name).is_none())
        .collect();
    if missing.is_empty() {
        return true;
    }
    let text = format!("not here: {missing:?}; scripts/parts gets them");
    assert!(!is_required(), "{text}");
    eprintln!("THIS TEST DID NOT RUN: {text}");
    false
}

/// A program of the parts, of the path, or of PostgreSQL, which Debian does not put on the path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = versions.map(|version| version.unwrap().path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    debian
        .chain([parts()])
        .chain(path)
        .map(|folder| folder.join(name))
        .find(|file| Path::is_file(file))
}

/// Where `scripts/parts` puts programs.
fn parts() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME")
        .or_else(|| Some(variable("HOME")?.join(".cache")))
        .unwrap_or_default();
    variable("TRACELAB_PARTS")
        .unwrap_or_else(|| cache.join("tracelab/parts"))
        .join("bin")
}

fn program(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| panic!("{name} is needed: scripts/test or scripts/parts gets it"))
}

/// A port that was free a moment ago, below those that the system gives to clients.
pub(crate) fn free_port() -> u16 {
    let mut seed = u32::from_le_bytes(uuid::Uuid::new_v4().as_bytes()[..4].try_into().unwrap());
    loop {
        let port = 12_000 + u16::try_from(seed % 18_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
        seed = seed.wrapping_add(7);
    }
}

/// A process and all that it has started.
pub(crate) fn family(of: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // The name of the process, in brackets, may hold anything.
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        children.entry(parent.unwrap_or(0)).or_default().push(pid);
    }
    let mut family = vec![of.as_raw_nonzero().get()];
    let mut at = 0;
    while at < family.len() {
        family.extend(children.get(&family[at]).into_iter().flatten());
        at += 1;
    }
    family.into_iter().filter_map(Pid::from_raw).collect()
}

/// Sends a signal to a process and all that it has started.
pub(crate) fn signal(of: Pid, signal: Signal) {
    for pid in family(of) {
        // It may have ended since.
        let _ = kill_process(pid, signal);
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

/// A PostgreSQL server.
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
}

// === impl Postgres ===

impl Postgres {
    pub(crate) fn start() -> Postgres {
        let folder = TempDir::new().unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let server = Postgres {
            folder,
            port: free_port(),
        };
        let made = call(
            Command::new(program("initdb"))
                .args(["-A", "trust", "-U", "shop", "-N", "-D"])
                .arg(server.data()),
        );
        assert!(made, "initdb failed");
        assert!(server.try_start(), "pg_ctl start failed");
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://shop@127.0.0.1:{}", self.port)
    }

    /// The process that all others of it belong to.
    pub(crate) fn pid(&self) -> Pid {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        Pid::from_raw(file.lines().next().unwrap().parse().unwrap()).unwrap()
    }

    /// Starts it again after it was killed.
    pub(crate) async fn start_again(&self) {
        eventually("PostgreSQL to be back", async || {
            self.try_start().then_some(())
        })
        .await;
    }

    fn try_start(&self) -> bool {
        let socket = self.folder.path().display();
        let options = format!(
            "-p {} -k {socket} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200",
            self.port
        );
        call(
            Command::new(program("pg_ctl"))
                .args(["start", "-w", "-o", &options, "-l"])
                .arg(self.folder.path().join("log"))
                .arg("-D")
                .arg(self.data()),
        )
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = Command::new(program("pg_ctl"));
        stop.args(["stop", "-m", "immediate", "-D"])
            .arg(self.data());
        call(&mut stop);
    }
}

fn call(command: &mut Command) -> bool {
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let status = command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
        .success()
}

/// A RabbitMQ of one node.
pub(crate) struct Rabbit {
    folder: TempDir,
    port: u16,
    distribution: u16,
    names: u16,
    /// The daemon that knows the names of nodes. Left to itself a node starts one that outlives it.
    daemon: Child,
    server: Child,
}

// === impl Rabbit ===

impl Rabbit {
    pub(crate) async fn start() -> Rabbit {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("plugins"), "[].").unwrap();
        let (port, distribution, names) = (free_port(), free_port(), free_port());
        let daemon = Command::new(program("epmd"))
            .args(["-port", &names.to_string(), "-address", "127.0.0.1"])
            .spawn()
            .unwrap();
        let server = spawn(folder.path(), port, distribution, names);
        let rabbit = Rabbit {
            folder,
            port,
            distribution,
            names,
            daemon,
            server,
        };
        rabbit.answers().await;
        rabbit
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    pub(crate) fn pid(&self) -> Pid {
        pid_of(&self.server)
    }

    /// Starts it again after it was killed.
    pub(crate) async fn start_again(&mut self) {
        self.server.wait().unwrap();
        let folder = self.folder.path();
        self.server = spawn(folder, self.port, self.distribution, self.names);
        self.answers().await;
    }

    async fn answers(&self) {
        // Erlang is slow to start on a busy machine.
        for _ in 0..3 {
            let answer = async || {
                let (url, properties) = (self.url(), lapin::ConnectionProperties::default());
                let connection = lapin::Connection::connect(&url, properties);
                connection.await.ok()?.close(200, "".into()).await.ok()
            };
            let deadline = std::time::Instant::now() + crate::support::PATIENCE;
            while std::time::Instant::now() < deadline {
                if answer().await.is_some() {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        let log = fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
        panic!("RabbitMQ does not answer: {log}");
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        signal(self.pid(), Signal::KILL);
        let _ = self.server.wait();
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn spawn(folder: &Path, port: u16, distribution: u16, names: u16) -> Child {
    let output = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("out"))
        .unwrap();
    Command::new(program("rabbitmq-server"))
        .env("HOME", folder)
        .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_NODENAME", format!("lab{port}@localhost"))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", port.to_string())
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        .env("ERL_EPMD_PORT", names.to_string())
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap()
}

/// An OpenTelemetry Collector between the services and a lab.
pub(crate) struct Collector {
    pub(crate) port: u16,
    lab: u16,
    server: Child,
}

// === impl Collector ===

impl Collector {
    /// With the plainest set-up, on a free port, before a lab whose receiver has the other port.
    pub(crate) async fn start(lab: u16) -> Collector {
        let port = free_port();
        let server = Collector::spawn(port, lab);
        let collector = Collector { port, lab, server };
        collector.answers().await;
        collector
    }

    pub(crate) fn pid(&self) -> Pid {
        pid_of(&self.server)
    }

    /// Starts it again after it was killed.
    pub(crate) async fn start_again(&mut self) {
        self.server.wait().unwrap();
        self.server = Collector::spawn(self.port, self.lab);
        self.answers().await;
    }

    async fn answers(&self) {
        eventually("the Collector to listen", async || {
            let address = ("127.0.0.1", self.port);
            tokio::net::TcpStream::connect(address).await.ok()
        })
        .await;
    }

    fn spawn(port: u16, lab: u16) -> Child {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("collector-config/base.yaml");
        Command::new(program("otelcol"))
            .arg("--config")
            .arg(file)
            // Its own metrics would take a port that is the same for all.
            .arg("--set=service.telemetry.metrics.level=none")
            .env("COLLECTOR_OTLP_GRPC", format!("127.0.0.1:{port}"))
            .env("COLLECTOR_OTLP_HTTP", format!("127.0.0.1:{}", free_port()))
            .env("LAB_OTLP_GRPC", format!("127.0.0.1:{lab}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
