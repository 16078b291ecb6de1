//! A RabbitMQ node for the tests of one process, gone when that ends, in whatever way.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a node may take to start: Erlang is slow on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// A RabbitMQ of one node, with its HTTP API.
pub(crate) struct Node {
    port: u16,
    api: u16,
    /// Holds the pipe that keeps the node alive.
    #[allow(dead_code, reason = "not every test that uses a node kills it")]
    keeper: Child,
    log: PathBuf,
}

/// Whether tests of parts that are not on every machine must run: `scripts/test --real` says so.
pub(crate) fn is_asked_for() -> bool {
    std::env::var_os("TRACELAB_REAL").is_some_and(|value| value == "1")
}

/// Says something past the test harness, which keeps for itself what a test that passes has said.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A program of those that `scripts/parts` gets, or of the path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        Some(cache?.join("tracelab/parts"))
    };
    let parts = variable("TRACELAB_PARTS").or_else(cache);
    let path = std::env::var_os("PATH").unwrap_or_default();
    parts
        .map(|parts| parts.join("bin"))
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

// === impl Node ===

impl Node {
    pub(crate) fn start() -> Self {
        let server = find("rabbitmq-server")
            .expect("rabbitmq-server is needed: scripts/parts rabbitmq gets it");
        let folder = tempfile::tempdir().unwrap().keep();
        let [port, api, distribution, names] = free_ports();
        let settings = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {api}\n"
        );
        fs::write(folder.join("rabbitmq.conf"), settings).unwrap();
        fs::write(folder.join("plugins"), "[rabbitmq_management].").unwrap();
        let log = folder.join("out");
        let output = fs::File::create(&log).unwrap();
        let keeper = Command::new("sh")
            .args(["-c", include_str!("node.sh"), "node.sh"])
            .arg(server)
            .arg(&folder)
            .current_dir(&folder)
            .env("HOME", &folder)
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_NODENAME", format!("test{port}@localhost"))
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("ERL_EPMD_PORT", names.to_string())
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            // Ctrl-C is for the tests; the pipe then ends.
            .process_group(0)
            .spawn()
            .unwrap();
        let node = Self {
            port,
            api,
            keeper,
            log,
        };
        node.answers();
        node
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A virtual host that was not used before.
    pub(crate) fn new_vhost(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let vhost = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let answer = self.put(&format!("/api/vhosts/{vhost}")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{vhost}: {answer}");
        vhost
    }

    /// The process that runs now, of those that were started one after the other.
    #[allow(
        dead_code,
        reason = "not every test that uses a node looks at its process"
    )]
    pub(crate) fn pid(&self) -> i32 {
        let starts = fs::read_to_string(self.log.with_file_name("starts")).unwrap();
        starts.lines().last().unwrap().parse().unwrap()
    }

    /// Kills it and starts it again.
    #[allow(dead_code, reason = "not every test that uses a node kills it")]
    pub(crate) fn restart(&mut self) {
        let starts = self.log.with_file_name("starts");
        let count = || {
            fs::read_to_string(&starts)
                .unwrap_or_default()
                .lines()
                .count()
        };
        let before = count();
        self.keeper
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"\n")
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while count() == before {
            assert!(Instant::now() < deadline, "the node was not killed");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.answers();
    }

    /// Waits until the node answers to both protocols.
    fn answers(&self) {
        let deadline = Instant::now() + PATIENCE;
        let is_up = || {
            let vhost = self.put("/api/vhosts/%2f").ok()?;
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
            vhost.starts_with("HTTP/1.1 20").then_some(())
        };
        while is_up().is_none() {
            assert!(
                Instant::now() < deadline,
                "RabbitMQ is not up within {PATIENCE:?}: {}",
                tail(&self.log)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Calls the HTTP API, and gives the answer as it came.
    fn put(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.api))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // The user is guest, and so is the password.
        let request = format!(
            "PUT {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// Ports that were free a moment ago, below those that the system gives to clients.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    std::array::from_fn(|_| {
        loop {
            let n = std::process::id().wrapping_mul(31) + NEXT.fetch_add(1, Ordering::Relaxed);
            let port = 12_000 + u16::try_from(n % 18_000).unwrap();
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return port;
            }
        }
    })
}

fn tail(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_else(|error| error.to_string());
    let lines: Vec<_> = text.lines().rev().take(30).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
