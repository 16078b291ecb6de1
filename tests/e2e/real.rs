//! PostgreSQL, RabbitMQ and a Collector for tests, each on a free port; they end with the tests.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use rustix::process::Pid;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::{
    collector::{set_up, spawn},
    node::{self, Node, free_ports},
    support::{eventually, tracelab},
};

/// The user id of `nobody`, which runs PostgreSQL where the tests run as root: PostgreSQL refuses root.
const NOBODY: u32 = 65_534;

/// Whether tests that need RabbitMQ run: it starts slowly and uses much of a small machine.
pub(crate) fn there_is_rabbitmq() -> bool {
    if !node::is_asked_for() {
        node::say("A TEST DID NOT RUN: it needs RabbitMQ; scripts/test --real runs it");
    }
    node::is_asked_for()
}

/// A new virtual host on a RabbitMQ that the tests share.
pub(crate) async fn a_virtual_host() -> String {
    static NODE: OnceLock<Node> = OnceLock::new();
    let new = || {
        let node = NODE.get_or_init(Node::start);
        format!("amqp://guest:guest@{}/{}", node.address(), node.new_vhost())
    };
    spawn_blocking(new).await.unwrap()
}

/// A PostgreSQL server.
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
    options: &'static str,
}

// === impl Postgres ===

impl Postgres {
    pub(crate) fn start() -> Postgres {
        Postgres::start_with("")
    }

    /// Starts it with further options of the server, such as `-c deadlock_timeout=200ms`.
    pub(crate) fn start_with(options: &'static str) -> Postgres {
        let folder = TempDir::new().unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let [port] = free_ports();
        let server = Postgres {
            folder,
            port,
            options,
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

    /// The main process, of which the others are children.
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
            "-p {} -k {socket} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 {}",
            self.port, self.options
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

/// A program of PostgreSQL, which Debian does not put on the path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = versions.map(|version| version.unwrap().path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = debian
        .chain(path)
        .map(|folder| folder.join(name))
        .find(|file| Path::is_file(file));
    found.unwrap_or_else(|| panic!("PostgreSQL's {name} is needed: scripts/test installs it"))
}

/// An OpenTelemetry Collector between the services and a lab.
pub(crate) struct Collector {
    pub(crate) port: u16,
    lab: u16,
    child: tokio::process::Child,
}

// === impl Collector ===

impl Collector {
    /// Starts it with the simplest set-up, on a free port, in front of a lab whose receiver has the other
    /// port.
    pub(crate) async fn start(lab: u16) -> Collector {
        let [port] = free_ports();
        let child = Collector::spawn(port, lab).await;
        Collector { port, lab, child }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap()
    }

    /// Starts it again after it was killed.
    pub(crate) async fn start_again(&mut self) {
        self.child.wait().await.unwrap();
        self.child = Collector::spawn(self.port, self.lab).await;
    }

    async fn spawn(port: u16, lab: u16) -> tokio::process::Child {
        let mut command = tracelab();
        command
            .arg("collector")
            .arg(set_up("base.yaml"))
            .env("LAB_OTLP_GRPC", format!("127.0.0.1:{lab}"));
        spawn(&mut command, port).await.0
    }
}
