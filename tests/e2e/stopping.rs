//! A command stops when it is told to, whatever its clients and its children do.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
    time::{sleep, timeout},
};

use crate::support::{PATIENCE, Up, binary, eventually, is_alive, run};

/// A program that has said where it listens.
struct Program {
    ready: Value,
    child: Child,
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    async fn start(command: &mut Command) -> Program {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        Program {
            ready: serde_json::from_str(&line.unwrap()).unwrap(),
            child,
            _lines: lines,
        }
    }

    fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Its exit code, once it has ended.
    async fn code(mut self) -> Option<i32> {
        let status = timeout(PATIENCE, self.child.wait()).await;
        status.expect("it does not end").unwrap().code()
    }

    fn at(&self, listener: &str) -> &str {
        let url = self.ready[listener].as_str().unwrap();
        url.trim_start_matches("http://")
    }
}

/// `tracelab sink` on free ports, started through `sh` with these words before.
fn sink(before: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{before} exec \"$@\""), "sh"])
        .arg(binary())
        .arg("sink");
    for port in ["--grpc", "--http", "--page"] {
        command.args([port, "127.0.0.1:0"]);
    }
    command
}

/// Connects, and says half of something.
async fn half(address: &str, said: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(said.as_bytes()).await.unwrap();
    client
}

const HALF_A_HEADER: &str = "GET / HTTP/1.1\r\nhost: te";
const HALF_A_BODY: &str = "POST /v1/traces HTTP/1.1\r\nhost: test\r\n\
     content-type: application/json\r\ncontent-length: 99\r\n\r\n{";
const HALF_A_CART: &str = "PUT /carts/one HTTP/1.1\r\nhost: localhost\r\n\
     content-type: application/json\r\ncontent-length: 99\r\n\r\n{";
const HTTP2: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test]
async fn a_sink_waits_for_no_client_that_keeps_its_request_back() {
    let sink = Program::start(&mut sink("")).await;
    let _held = [
        half(sink.at("page"), HALF_A_HEADER).await,
        half(sink.at("page"), "").await,
        half(sink.at("otlp_http"), HALF_A_BODY).await,
        half(sink.at("otlp_grpc"), HTTP2).await,
    ];
    sink.send(Signal::TERM);
    assert_eq!(sink.code().await, Some(0));
}

#[tokio::test]
async fn a_lab_waits_for_no_client_that_keeps_its_request_back() {
    let up = Up::start().await;
    let without_scheme = |url: &str| url.trim_start_matches("http://").to_owned();
    let amqp = up.ready["amqp"].as_str().unwrap();
    let broker = amqp.split('@').nth(1).unwrap().split('/').next().unwrap();
    let checkout = without_scheme(up.url("checkout"));
    let _held = [
        half(&without_scheme(up.page()), HALF_A_HEADER).await,
        half(&checkout, HALF_A_CART).await,
        half(&checkout, HTTP2).await,
        half(broker, "AMQP").await,
    ];
    let (_connection, _channel) = up.amqp().await;
    let (code, said) = up.stop().await;
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("killed"), "{said}");
}

#[tokio::test]
async fn a_child_that_hangs_is_killed_and_named() {
    let up = Up::start().await;
    let checkout = up.pid("checkout");
    kill_process(checkout, Signal::STOP).unwrap();
    let (code, said) = up.stop().await;
    assert_eq!(code, 0, "{said}");
    let named = "checkout did not stop in time and was killed\n";
    assert!(said.ends_with(named), "{said}");
    assert!(!is_alive(checkout));
}

#[tokio::test]
async fn a_second_signal_ends_a_lab_and_its_children_at_once() {
    let folder = TempDir::new().unwrap();
    let mut up = lab_in(folder.path(), Stdio::null()).await;
    let pid = |name: &str| {
        let pid = up.ready["services"][name]["pid"].as_i64().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    };
    let names = [
        "checkout",
        "payment",
        "provider",
        "inventory",
        "email",
        "broker",
    ];
    let pids: Vec<Pid> = names.into_iter().map(pid).collect();
    // Without a second signal it would be waited for, and the exit code would be 0.
    kill_process(pid("checkout"), Signal::STOP).unwrap();
    while up.child.try_wait().unwrap().is_none() {
        up.send(Signal::INT);
        // Two signals at once are one request.
        sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(up.code().await, Some(130));
    for pid in pids {
        eventually("its children to be gone", async || {
            (!is_alive(pid)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_hangup_is_a_stop() {
    // The tests themselves may run where it is ignored.
    let heard = "exec env --default-signal=HUP \"$@\";";
    let sink = Program::start(&mut sink(heard)).await;
    sink.send(Signal::HUP);
    assert_eq!(sink.code().await, Some(0));
}

#[tokio::test]
async fn a_hangup_that_was_ignored_from_the_start_is_ignored() {
    let sink = Program::start(&mut sink("trap '' HUP;")).await;
    sink.send(Signal::HUP);
    let health = format!("http://{}/healthz", sink.at("page"));
    let answer = reqwest::get(health).await.unwrap();
    assert_eq!(answer.status(), 200);
    sink.send(Signal::TERM);
    assert_eq!(sink.code().await, Some(0));
}

#[tokio::test]
async fn a_data_folder_belongs_to_one_lab() {
    let up = Up::start().await;
    let folder = up.data.path().to_str().unwrap();
    let second = ["up", "--free-ports", "--format", "json", "--data", folder];
    let (code, _, said) = run(&second).await;
    assert_eq!(code, 2, "{said}");
    let pid = up.supervisor().as_raw_nonzero();
    let expected = format!(
        "error: the folder {folder} is in use by another lab (process {pid}): stop that lab, or name another \
         folder with --data FOLDER\n"
    );
    assert_eq!(said, expected);
    up.order().await.expect(201);
}

/// A lab with a temporary folder, which is below this one.
async fn lab_in(temporary: &Path, stderr: Stdio) -> Program {
    let mut command = Command::new(binary());
    command
        .args(["up", "--free-ports", "--pace", "none", "--format", "json"])
        .env("TMPDIR", temporary)
        .stderr(stderr);
    Program::start(&mut command).await
}

fn folders(below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(below).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn the_folder_of_a_lab_that_was_killed_is_removed_by_the_next() {
    let temporary = TempDir::new().unwrap();
    let lab = lab_in(temporary.path(), Stdio::null()).await;
    let died = folders(temporary.path());
    assert_eq!(died.len(), 1, "{died:?}");
    let mode = fs::metadata(&died[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    lab.send(Signal::KILL);
    assert_eq!(lab.code().await, None);
    assert!(died[0].exists());

    let lab = lab_in(temporary.path(), Stdio::null()).await;
    let living = folders(temporary.path());
    assert_eq!(living.len(), 1, "{living:?}");
    assert_ne!(living, died);
    // A third lab leaves it alone.
    let third = lab_in(temporary.path(), Stdio::null()).await;
    assert!(living[0].exists());
    for lab in [lab, third] {
        lab.send(Signal::INT);
        assert_eq!(lab.code().await, Some(0));
    }
    assert_eq!(folders(temporary.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_reader_of_standard_error_that_is_stuck_holds_no_lab() {
    let temporary = TempDir::new().unwrap();
    let mut command = Command::new(binary());
    command
        .args(["up", "--free-ports", "--pace", "none", "--format", "json"])
        .env("TMPDIR", temporary.path())
        // Far more than a pipe takes.
        .env("RUST_LOG", "trace")
        .stderr(Stdio::piped());
    let mut lab = Program::start(&mut command).await;
    let _unread = lab.child.stderr.take().unwrap();
    for _ in 0..3 {
        let orders = format!("http://{}/api/orders", lab.at("page"));
        let placed = reqwest::Client::new().post(orders).send().await.unwrap();
        assert_eq!(placed.status(), 201);
    }
    lab.send(Signal::INT);
    assert_eq!(lab.code().await, Some(0));
}

#[tokio::test]
async fn a_result_waits_for_its_reader_beyond_the_deadline_of_a_stop() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // Nothing more goes into the pipe until it is read.
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let mut filled = 0;
    while let Ok(written) = writer.write(&[b' '; 4096]) {
        filled += written;
    }
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    let mut run = Command::new(binary())
        .args(["run", "checkout", "--only", "faulty", "--pace", "none"])
        .args(["--requests", "100000", "--users", "2", "--format", "json"])
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines();
    let line = timeout(PATIENCE, said.next_line()).await.unwrap().unwrap();
    assert_eq!(line.unwrap(), "the lab is up; making requests");
    let pid = i32::try_from(run.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    // Whatever has not stopped by itself is ended 9 s after the signal.
    sleep(Duration::from_secs(10)).await;
    assert!(run.try_wait().unwrap().is_none());
    let all = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).map(|_| all)
    });
    let all = timeout(PATIENCE, all).await.unwrap().unwrap().unwrap();
    let report: Value = serde_json::from_slice(&all[filled..]).unwrap();
    assert!(report["verdict"].is_string(), "{report}");
    timeout(PATIENCE, run.wait()).await.unwrap().unwrap();
}
