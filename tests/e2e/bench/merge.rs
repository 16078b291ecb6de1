//! `tracelab blast`, `tracelab drain` and `tracelab bench merge`: a run that is spread over generators and receivers.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use crate::support::{run, tracelab};

/// A receiver, as a process.
struct Drain {
    child: Child,
    address: String,
}

// === impl Drain ===

impl Drain {
    async fn start(workload: &Path, ledger: &Path) -> Drain {
        let mut child = tracelab()
            .args(["drain", "--listen", "127.0.0.1:0", "--workload"])
            .arg(workload)
            .arg("--ledger")
            .arg(ledger)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready: Value =
            serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
        let address = ready["listening"].as_str().unwrap().to_owned();
        Drain { child, address }
    }

    /// Any receiver that takes everything, and its address.
    async fn start_any() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(firehose::count(
            listener,
            Default::default(),
            Default::default(),
        ));
        address
    }
}

#[tokio::test]
async fn the_count_is_the_same_over_generators_and_receivers() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    // The workload is written by a generator that sends nothing of it to the receivers below.
    let nowhere = Drain::start_any().await;
    let write = [
        "blast",
        "--to",
        &format!("grpc://{nowhere}"),
        "--rate",
        "30k/s",
        "--duration",
        "1s",
        "--shape",
        "order,small",
        "--write-workload",
        &text("w.json"),
        "--share",
        "2/3",
    ];
    let (code, _, said) = run(&write).await;
    assert_eq!(code, 0, "{said}");
    let (left, right) = (path("left.ledger"), path("right.ledger"));
    let left = Drain::start(&path("w.json"), &left).await;
    let right = Drain::start(&path("w.json"), &right).await;
    let blast = async |share: &str, to: &str, books: &str| {
        let (to, workload, books) = (format!("grpc://{to}"), text("w.json"), text(books));
        let arguments = [
            "blast",
            "--to",
            &to,
            "--workload",
            &workload,
            "--rate",
            "30k/s",
            "--duration",
            "1s",
            "--share",
            share,
            "--books",
            &books,
            "--format",
            "json",
        ];
        let (code, stdout, said) = run(&arguments).await;
        assert_eq!(code, 0, "{said}");
        serde_json::from_str::<Value>(&stdout).unwrap()["spans"]
            .as_u64()
            .unwrap()
    };
    let (first, second, third) = tokio::join!(
        blast("0/3", &left.address, "0.json"),
        blast("1/3", &right.address, "1.json"),
        blast("2/3", &left.address, "2.json"),
    );
    let sent = first + second + third;
    assert!(sent > 0 && sent <= 30_000);
    let merge = async |files: &[&str]| {
        let mut arguments = vec!["bench".to_owned(), "merge".to_owned(), text("w.json")];
        arguments.extend(files.iter().map(|file| text(file)));
        arguments.extend(["--format".to_owned(), "json".to_owned()]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, stdout, said) = run(&arguments).await;
        (
            code,
            serde_json::from_str::<Value>(&stdout).unwrap_or_default(),
            said,
        )
    };
    let (code, document, said) =
        merge(&["0.json", "left.ledger", "1.json", "right.ledger", "2.json"]).await;
    assert_eq!(code, 0, "{said}");
    let accounts = &document["accounts"];
    assert_eq!(accounts["delivered_once"], sent, "{document:#}");
    assert_eq!(accounts["planned"], 30_000);
    // Without a receiver its spans are lost, and without a generator those that came were never sent.
    let (_, document, _) = merge(&["0.json", "1.json", "2.json", "left.ledger"]).await;
    assert_eq!(document["accounts"]["lost"], second);
    let (code, _, _) = merge(&["0.json", "1.json", "left.ledger", "right.ledger"]).await;
    assert_eq!(code, 1);
    let (code, _, said) = merge(&["left.ledger"]).await;
    assert_eq!(code, 2);
    assert!(said.contains("no books"), "{said}");
    drop((left.child, right.child));
}
