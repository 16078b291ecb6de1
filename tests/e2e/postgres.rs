//! What needs PostgreSQL: locks on rows, and two orders that wait for each other.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::support::run;

/// Whom a server runs as where the tests run as root, whom it refuses: `nobody`.
const NOBODY: u32 = 65_534;

/// A PostgreSQL server of the test's own, gone when the test ends.
struct Server {
    folder: TempDir,
    port: u16,
}

// === impl Server ===

impl Server {
    fn start() -> Server {
        let folder = TempDir::new().unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Server { folder, port };
        let data = server.data();
        call(
            Command::new(program("initdb"))
                .args(["-A", "trust", "-U", "shop", "-N", "-D"])
                .arg(&data),
        );
        let socket = server.folder.path().display();
        let options = format!("-p {port} -k {socket} -c listen_addresses=127.0.0.1 -c fsync=off");
        call(
            Command::new(program("pg_ctl"))
                .args(["start", "-w", "-o", &options, "-l"])
                .arg(server.folder.path().join("log"))
                .arg("-D")
                .arg(&data),
        );
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn url(&self) -> String {
        format!("postgres://shop@127.0.0.1:{}", self.port)
    }

    async fn databases(&self) -> Vec<String> {
        let mut server = PgConnection::connect(&format!("{}/postgres", self.url()))
            .await
            .unwrap();
        sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'lab%'")
            .fetch_all(&mut server)
            .await
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = Command::new(program("pg_ctl"));
        stop.args(["stop", "-m", "immediate", "-D"])
            .arg(self.data());
        call(&mut stop);
    }
}

fn call(command: &mut Command) {
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let status = command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let status = status.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// A program of PostgreSQL, which Debian does not put on the path.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let debian = versions.map(|version| version.unwrap().path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = debian
        .chain(path)
        .map(|folder| folder.join(name))
        .find(|file| Path::is_file(file));
    found.unwrap_or_else(|| panic!("PostgreSQL's {name} is needed: scripts/test installs it"))
}

#[tokio::test]
async fn with_locks_on_rows_contention_is_of_one_product_and_a_deadlock_is_real() {
    let server = Server::start();
    let (code, stdout, stderr) = run(&[
        "run",
        "deadlock",
        "lock-contention",
        "checkout",
        "--database",
        &server.url(),
        "--format",
        "json",
        "--strict",
    ])
    .await;
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["verdict"], "pass", "{stdout}");
    assert_eq!(report["scenarios"].as_array().unwrap().len(), 7, "{stdout}");
    assert_eq!(
        server.databases().await,
        Vec::<String>::new(),
        "they are dropped with the lab"
    );
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_named() {
    let (code, _, stderr) = run(&[
        "run",
        "checkout",
        "--database",
        "postgres://shop:secret@127.0.0.1:1",
    ])
    .await;
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stderr.contains("127.0.0.1:1") && !stderr.contains("secret"),
        "{stderr}"
    );
    let (code, ..) = run(&["run", "checkout", "--database", "mysql://127.0.0.1"]).await;
    assert_eq!(code, 2);
}
