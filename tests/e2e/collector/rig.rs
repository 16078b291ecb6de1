//! The rig of the Collector's tests: a Collector that runs with a set-up, a sink behind it, and artificial
//! traces.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use collector::Program;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sink::Store;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use trace::Trace;

use crate::{
    node,
    support::{PATIENCE, run_with, tracelab},
};

/// Whether a Collector is installed. If not, a message says so; with `TRACELAB_REAL=1` the test fails.
pub(crate) fn there_is_a_collector() -> bool {
    match Program::find(None) {
        Ok(_) => true,
        Err(error) => {
            assert!(!node::is_asked_for(), "{error}");
            node::say(&format!("A TEST DID NOT RUN: {error}"));
            false
        }
    }
}

/// The path of a set-up of this repository.
pub(crate) fn set_up(name: &str) -> PathBuf {
    // Tests run in the folder of their package.
    std::path::absolute("collector-config").unwrap().join(name)
}

/// The files of all set-ups of this repository.
pub(super) fn set_ups() -> Vec<PathBuf> {
    let of_folder = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    let mut files: Vec<PathBuf> = of_folder(set_up(""))
        .chain(of_folder(set_up("scaled")))
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    files
}

/// Places three orders of the shop through a set-up; the number of spans of each judged trace, by its id.
pub(super) async fn three_orders(file: &str, env: &[(&str, &str)]) -> BTreeMap<String, usize> {
    let (path, out) = (set_up(file), tempfile::TempDir::new().unwrap());
    let (path, folder) = (path.to_str().unwrap(), out.path().to_str().unwrap());
    let load = "run checkout --requests 3 --users 1 --pace none --traces all";
    let mut arguments: Vec<&str> = load.split(' ').collect();
    arguments.extend(["--via", path, "--out", folder]);
    let (code, report, stderr) = run_with(env, &arguments).await;
    assert_eq!(code, 0, "{file}: {report}{stderr}");
    assert_eq!(report["scenarios"][0]["passed"], 3, "{file}: {report}");
    let files = std::fs::read_dir(out.path().join("checkout/faulty")).unwrap();
    let judged = files.filter_map(|entry| {
        let path = entry.unwrap().path();
        let id = path
            .file_name()?
            .to_str()?
            .strip_suffix(".otlp.json")?
            .to_owned();
        let read = formats::read(&std::fs::read(path).unwrap()).unwrap();
        Some((id, read.spans.len()))
    });
    let judged: BTreeMap<String, usize> = judged.collect();
    assert_eq!(judged.len(), 3, "{file}");
    judged
}

/// A Collector, and the sink to which it sends.
pub(super) struct Rig {
    pub(super) store: Store,
    pub(super) pid: Pid,
    addresses: HashMap<String, String>,
    child: Child,
    _sink: DropGuard,
}

// === impl Rig ===

impl Rig {
    pub(super) async fn start(file: &str, env: &[(&str, &str)]) -> Rig {
        let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (grpc, http) = (bind().await, bind().await);
        let lab = grpc.local_addr().unwrap().to_string();
        let store = Store::new(sink::Config::default());
        let stop = CancellationToken::new();
        tokio::spawn(sink::run(grpc, http, store.clone(), stop.clone()));
        let mut command = tracelab();
        command
            .arg("collector")
            .arg(set_up(file))
            .env("LAB_OTLP_GRPC", lab)
            .envs(env.iter().copied());
        let (child, ready) = spawn(&mut command, 0).await;
        let pid = i32::try_from(ready["pid"].as_i64().unwrap()).unwrap();
        Rig {
            store,
            pid: Pid::from_raw(pid).unwrap(),
            addresses: serde_json::from_value(ready["addresses"].clone()).unwrap(),
            child,
            _sink: stop.drop_guard(),
        }
    }

    /// One of its addresses, by the variable with which its set-up reads it.
    pub(super) fn url(&self, variable: &str) -> String {
        format!("http://{}", self.addresses[variable])
    }

    /// Sends spans to it, as OTLP/JSON, which it must take.
    pub(super) async fn send(&self, request: &Value) {
        let reply = self.try_send(request).await;
        assert_eq!(reply.status(), 200, "{:?}", reply.text().await);
    }

    /// Sends spans to it, as OTLP/JSON.
    pub(super) async fn try_send(&self, request: &Value) -> reqwest::Response {
        let url = format!("{}/v1/traces", self.url("COLLECTOR_OTLP_HTTP"));
        let reply = reqwest::Client::new().post(url).json(request).send();
        reply.await.unwrap()
    }

    /// Stops it as a supervisor does, upon which it exports what it holds; returns everything that the sink
    /// got.
    pub(super) async fn stop(mut self) -> Vec<Trace> {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
        let ended = timeout(PATIENCE, self.child.wait()).await;
        assert!(ended.expect("it does not stop").unwrap().success());
        let ids = self.store.trace_ids();
        ids.into_iter()
            .filter_map(|id| self.store.trace(id))
            .collect()
    }

    /// Closes its standard input, as happens when its parent process dies.
    pub(super) fn orphan(&mut self) {
        drop(self.child.stdin.take());
    }
}

/// Starts `tracelab collector` or another part on a port, 0 for any free one; returns its process, and the
/// line that reports that it is ready.
pub(crate) async fn spawn(command: &mut Command, port: u16) -> (Child, Value) {
    let mut child = command
        .args([
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--exit-with-parent",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // It ends with its standard input, so that it can stop the Collector.
        .kill_on_drop(false)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await;
    let line = line.expect("it does not come to listen").unwrap();
    let line = line.expect("it ended before it was ready");
    (child, serde_json::from_str(&line).unwrap())
}

/// An artificial trace: a server span in one service, and a client span below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Healthy,
    Failed,
    Slow,
}

/// The id of the trace with this number: its digits are as good as random ones.
pub(super) fn id(number: u64) -> String {
    // The finalizer of SplitMix64, a bijection.
    let mix = |mut z: u64| {
        z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    format!("{:016x}{:016x}", mix(number), mix(mix(number) ^ 1))
}

/// The spans of these traces, as one request of OTLP/JSON.
pub(super) fn request(traces: &[(String, Made)]) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = u64::try_from(now.unwrap().as_nanos()).unwrap();
    let spans: Vec<Value> = traces
        .iter()
        .flat_map(|(id, made)| {
            let lasts = match made {
                Made::Slow => Duration::from_millis(501),
                Made::Healthy | Made::Failed => Duration::from_millis(499),
            };
            let end = now + u64::try_from(lasts.as_nanos()).unwrap();
            let times = |end: u64| (now.to_string(), end.to_string());
            let (start, end) = times(end);
            let code = if *made == Made::Failed { 2 } else { 0 };
            [
                json!({ "traceId": id, "spanId": "00000000000000a1", "name": "GET /made", "kind": 2,
                    "startTimeUnixNano": start, "endTimeUnixNano": end, "status": {} }),
                json!({ "traceId": id, "spanId": "00000000000000b2", "parentSpanId": "00000000000000a1",
                    "name": "SELECT made", "kind": 3, "startTimeUnixNano": start,
                    "endTimeUnixNano": start, "status": { "code": code } }),
            ]
        })
        .collect();
    let service = json!([{ "key": "service.name", "value": { "stringValue": "made" } }]);
    json!({ "resourceSpans": [{ "resource": { "attributes": service },
        "scopeSpans": [{ "spans": spans }] }] })
}
