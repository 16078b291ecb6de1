//! A lab for a test: `tracelab up` on free ports, in a new folder; both end with the test.

use std::{
    future::Future,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::{sleep, timeout},
};
use trace::{Trace, TraceId};

/// The timeout of every wait in a test. It measures nothing: a debug build on a busy machine is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running lab.
pub(crate) struct Up {
    /// The line that reports that all services are ready.
    pub(crate) ready: Value,
    pub(crate) data: TempDir,
    pub(crate) client: reqwest::Client,
    child: Child,
    said: Arc<Mutex<String>>,
    /// Ends when all of standard error is in `said`.
    collected: JoinHandle<()>,
}

/// A reply, with the parts that tests check.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) trace_id: TraceId,
    pub(crate) body: Value,
}

// === impl Up ===

impl Up {
    pub(crate) async fn start() -> Up {
        Up::start_with(&[]).await
    }

    pub(crate) async fn start_with(arguments: &[&str]) -> Up {
        Up::start_in(&[], arguments).await
    }

    /// Starts a lab with these variables in its environment.
    pub(crate) async fn start_in(variables: &[(&str, &str)], arguments: &[&str]) -> Up {
        let data = TempDir::new().unwrap();
        // Without simulated time, unless the test asks for it.
        let pace: &[&str] = if arguments.contains(&"--pace") {
            &[]
        } else {
            &["--pace", "none"]
        };
        let ports: &[&str] = if arguments.contains(&"--port-base") {
            &[]
        } else {
            &["--free-ports"]
        };
        let mut command = tracelab();
        command
            .args(["up", "--format", "json"])
            .args(ports)
            .args(pace)
            .arg("--data")
            .arg(data.path())
            .args(arguments)
            .envs(variables.iter().copied());
        Up::spawn(command, data).await
    }

    /// Starts a lab whose data is on a small disk, which only the lab sees: it is at [`Up::disk`].
    pub(crate) async fn start_on_a_disk_of(size: &str) -> Up {
        let data = TempDir::new().unwrap();
        let mut command = tracelab();
        command
            .args(["up", "--format", "json", "--free-ports", "--pace", "none"])
            .arg("--data")
            .arg(data.path());
        Up::spawn(on_a_disk_of(size, data.path(), &command), data).await
    }

    async fn spawn(mut command: Command, data: TempDir) -> Up {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let collected = collect(child.stderr.take().unwrap(), Arc::clone(&said));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line())
            .await
            .expect("no line that says ready");
        let line = line
            .unwrap()
            .unwrap_or_else(|| panic!("up ended: {}", said.lock().unwrap()));
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["ready"], true, "{line}");
        Up {
            ready,
            data,
            client: reqwest::Client::new(),
            child,
            said,
            collected,
        }
    }

    /// The text on standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn page(&self) -> &str {
        self.ready["page"].as_str().unwrap()
    }

    pub(crate) fn url(&self, service: &str) -> &str {
        self.ready["services"][service]["url"].as_str().unwrap()
    }

    pub(crate) fn pid(&self, service: &str) -> Pid {
        let pid = self.ready["services"][service]["pid"].as_i64().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    }

    /// The present addresses and process ids: after a restart a process has another id.
    pub(crate) async fn look_again(&mut self) {
        self.ready = self.get_json("/api/lab").await;
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.page());
        self.client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub(crate) async fn put_cart(&self, cart_id: &str, lines: Value) -> Reply {
        let url = format!("{}/carts/{cart_id}", self.url("checkout"));
        reply(self.client.put(url).json(&json!({ "lines": lines }))).await
    }

    /// Checks a cart out, with a valid card.
    pub(crate) async fn checkout(&self, cart_id: &str) -> Reply {
        reply(self.checkout_request(cart_id)).await
    }

    pub(crate) fn checkout_request(&self, cart_id: &str) -> reqwest::RequestBuilder {
        self.post_checkout(&checkout_body(cart_id))
    }

    pub(crate) fn post_checkout(&self, body: &Value) -> reqwest::RequestBuilder {
        self.client
            .post(format!("{}/checkout", self.url("checkout")))
            .json(body)
    }

    /// Makes a cart of three lines, and checks it out.
    pub(crate) async fn order(&self) -> Reply {
        let cart_id = uuid();
        self.put_cart(&cart_id, some_lines()).await.expect(200);
        self.checkout(&cart_id).await
    }

    /// A trace of the sink, in its present state.
    pub(crate) async fn trace(&self, id: TraceId) -> Option<Trace> {
        let url = format!("{}/api/traces/{id}", self.page());
        let reply = self.client.get(url).send().await.unwrap();
        if reply.status() == 404 {
            return None;
        }
        assert_eq!(reply.status(), 200);
        let decoded = trace::otlp::from_json(&reply.bytes().await.unwrap()).unwrap();
        Some(Trace::new(id, decoded.spans))
    }

    /// A trace, as soon as it meets a condition.
    pub(crate) async fn trace_when(
        &self,
        id: TraceId,
        what: &str,
        is: impl Fn(&Trace) -> bool,
    ) -> Trace {
        eventually(&format!("trace {id}: {what}"), async || {
            self.trace(id).await.filter(|trace| is(trace))
        })
        .await
    }

    /// The path of the small disk, as other processes see it.
    pub(crate) fn disk(&self) -> PathBuf {
        disk_of(self.supervisor(), self.data.path())
    }

    /// The mails that were written, by the id of the message that asked for each.
    pub(crate) fn mails(&self) -> Vec<PathBuf> {
        let folder = self.data.path().join("mail");
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let files = entries.map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|ending| ending == "eml"))
            .collect()
    }

    pub(crate) async fn mail(&self, message_id: &str) -> String {
        let path = self
            .data
            .path()
            .join("mail")
            .join(format!("{message_id}.eml"));
        eventually("the mail", async || std::fs::read_to_string(&path).ok()).await
    }

    /// A separate connection to the broker, for the test.
    pub(crate) async fn amqp(&self) -> (lapin::Connection, lapin::Channel) {
        amqp(self.ready["amqp"].as_str().unwrap()).await
    }

    pub(crate) fn supervisor(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap()
    }

    /// Sends the signal of Ctrl-C, and waits for the end of the process.
    pub(crate) async fn stop(mut self) -> (i32, String) {
        kill_process(self.supervisor(), Signal::INT).unwrap();
        let status = timeout(PATIENCE, self.child.wait())
            .await
            .expect("it does not stop")
            .unwrap();
        // What it said last may still be in the pipe.
        timeout(PATIENCE, &mut self.collected)
            .await
            .expect("its standard error does not end")
            .unwrap();
        (status.code().unwrap_or(-1), self.said())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // The processes of the lab end with the process that started them.
        let _ = self.child.start_kill();
    }
}

// === impl Reply ===

impl Reply {
    pub(crate) fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{:?}", self.body);
        self
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.body[field]
            .as_str()
            .unwrap_or_else(|| panic!("no {field} in {:?}", self.body))
    }

    /// Checks that it is a problem (RFC 9457) of this kind, with a trace id.
    pub(crate) fn expect_problem(self, status: u16, kind: &str) -> Reply {
        let reply = self.expect(status);
        assert_eq!(
            reply.content_type, "application/problem+json",
            "{:?}",
            reply.body
        );
        assert_eq!(
            reply.body["type"],
            format!("/problems/{kind}"),
            "{:?}",
            reply.body
        );
        assert_eq!(reply.body["status"], status);
        assert_eq!(reply.text("trace_id"), reply.trace_id.to_string());
        assert!(!reply.text("title").is_empty());
        reply
    }
}

/// Sends a request to the shop. Every reply must name its trace.
pub(crate) async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let reply = request.send().await.unwrap();
    let header = |name: &str| {
        reply
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let traceresponse = header("traceresponse").expect("every reply has a traceresponse");
    let content_type = header("content-type").unwrap_or_default();
    let status = reply.status().as_u16();
    let text = reply.text().await.unwrap();
    Reply {
        status,
        content_type,
        trace_id: traceresponse.split('-').nth(1).unwrap().parse().unwrap(),
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

pub(crate) fn checkout_body(cart_id: &str) -> Value {
    json!({
        "cart_id": cart_id,
        "email": "ada@example.org",
        "card": { "number": "4242 4242 4242 4242", "expiry": "12/39", "cvc": "123" },
    })
}

pub(crate) fn some_lines() -> Value {
    json!([
        { "sku": SKUS[0], "quantity": 1 },
        { "sku": SKUS[1], "quantity": 2 },
        { "sku": SKUS[2], "quantity": 1 },
    ])
}

/// Products of the catalogue with a large stock.
pub(crate) const SKUS: [&str; 3] = ["TENT-2P-GRN", "TENT-3P-GRN", "TENT-1P-GRN"];

/// The binary under test.
pub(crate) fn tracelab() -> Command {
    let mut command = Command::new(binary());
    command.kill_on_drop(true).env_remove("RUST_LOG");
    command
}

/// A separate connection to a broker, for the test.
pub(crate) async fn amqp(url: &str) -> (lapin::Connection, lapin::Channel) {
    let properties = lapin::ConnectionProperties::default();
    let connection = lapin::Connection::connect(url, properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// A program with a small disk at this folder. It runs in a separate mount namespace, in which every user
/// may mount a disk.
pub(crate) fn on_a_disk_of(size: &str, folder: &Path, program: &Command) -> Command {
    let script = format!("mount -t tmpfs -o size={size} tracelab \"$0\" && exec \"$@\"");
    let program = program.as_std();
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .arg(folder)
        .arg(program.get_program())
        .args(program.get_args())
        .kill_on_drop(true)
        .env_remove("RUST_LOG");
    command
}

/// The path of such a program's disk, through a process that sees it.
pub(crate) fn disk_of(process: Pid, folder: &Path) -> PathBuf {
    let process = process.as_raw_nonzero();
    PathBuf::from(format!("/proc/{process}/root{}", folder.display()))
}

pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tracelab"))
}

/// Runs the binary to its end; returns its exit code, standard output and standard error.
pub(crate) async fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = timeout(
        PATIENCE * 3,
        tracelab().args(arguments).stdin(Stdio::null()).output(),
    );
    let output = output.await.expect("it does not end").unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Runs `tracelab` to its end with these variables, with a timeout that is enough for all scenarios; returns
/// its exit code, the JSON document on standard output, and standard error.
pub(crate) async fn run_with(env: &[(&str, &str)], arguments: &[&str]) -> (i32, Value, String) {
    let output = tracelab()
        .args(arguments)
        .args(["--format", "json"])
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output();
    let output = timeout(PATIENCE * 10, output)
        .await
        .expect("it does not end")
        .unwrap();
    (
        output.status.code().unwrap_or(-1),
        serde_json::from_slice(&output.stdout).unwrap_or_default(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Waits until a condition holds; panics with the last state if it does not hold in time.
pub(crate) async fn eventually<T, F>(what: &str, look: impl Fn() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain for {what}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn is_alive(pid: Pid) -> bool {
    rustix::process::test_kill_process(pid).is_ok()
}

pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Collects the lines of an output; the task ends with the output.
fn collect(
    output: impl AsyncRead + Unpin + Send + 'static,
    into: Arc<Mutex<String>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut said = into.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    })
}
