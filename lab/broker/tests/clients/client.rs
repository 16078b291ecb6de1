//! A client that is not ours, and how it is run.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::node;

/// How long one may take: Java compiles its script first, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// How many messages each of the two producers of perf-test sends.
const MESSAGES: u32 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Pika,
    Amqplib,
    Java,
    /// The load generator of RabbitMQ, on its Java client.
    PerfTest,
}

/// A client that is here.
pub(crate) struct Found {
    client: Client,
    program: PathBuf,
}

// === impl Client ===

impl Client {
    /// Those with a script of their own, which can put messages and find them again.
    pub(crate) const SCRIPTED: [Self; 3] = [Self::Pika, Self::Amqplib, Self::Java];

    /// The client, if it is here. If not, that is said; if it is asked for, the test fails.
    pub(crate) fn find(self) -> Option<Found> {
        // The Java client comes with perf-test.
        let (name, part) = match self {
            Self::Pika => ("python-with-pika", "pika"),
            Self::Amqplib => ("node-with-amqplib", "amqplib"),
            Self::Java | Self::PerfTest => ("perf-test", "perf-test"),
        };
        let Some(program) = node::find(name) else {
            let text = format!("{name} is missing: scripts/parts {part} gets it");
            assert!(!node::is_asked_for(), "{text}");
            node::say(&format!("A TEST DID NOT RUN: {self:?}; {text}"));
            return None;
        };
        Some(Found {
            client: self,
            program,
        })
    }
}

// === impl Found ===

impl Found {
    /// Does `all` things, or if it has a script `put`s messages or `find`s them again, and expects
    /// success.
    pub(crate) async fn run(&self, url: &str, what: &str) {
        // Tests run in the folder of their package.
        let script = |name: &str| format!("tests/clients/{name}");
        let mut command = match self.client {
            Client::Pika => self.call(&[&script("with_pika.py"), url, what]),
            Client::Amqplib => self.call(&[&script("with_amqplib.js"), url, what]),
            Client::Java => {
                let program = self.program.canonicalize().unwrap();
                let mut java = Command::new("java");
                java.arg("-cp").arg(program.with_file_name("*")).args([
                    &script("WithJava.java"),
                    url,
                    what,
                ]);
                java
            }
            Client::PerfTest => self.perf_test(url),
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output())
            .await
            .unwrap_or_else(|_| panic!("{:?} takes longer than {PATIENCE:?}", self.client))
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{:?} {what}: {}\n{said}{}",
            self.client,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        if self.client == Client::PerfTest {
            assert_nothing_lost(&said);
        }
    }

    /// It stops when all is confirmed and the consumer has got all.
    fn perf_test(&self, url: &str) -> Command {
        let (sent, got) = (MESSAGES.to_string(), (2 * MESSAGES).to_string());
        let mut options = vec!["--uri", url, "--queue", "perf", "--size", "2000"];
        options.extend(["--producers", "2", "--pmessages", &sent, "--confirm", "100"]);
        options.extend(["--consumers", "1", "--cmessages", &got, "--qos", "50"]);
        options.extend(["--multi-ack-every", "10"]);
        options.extend(["--flag", "persistent", "--flag", "mandatory"]);
        self.call(&options)
    }

    fn call(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        command
    }
}

/// Its exit code is that of success whatever becomes of its messages.
fn assert_nothing_lost(said: &str) {
    for role in ["Producer", "Consumer"] {
        let end = format!("{role} reached message limit");
        assert!(said.contains(&end), "no {end:?} in what it said: {said}");
    }
    let lost = said
        .lines()
        .find(|line| !says_none(line, "returned") || !says_none(line, "nacked"));
    assert_eq!(lost, None, "something was returned or refused");
}

/// Whether a line of perf-test, if it is about this at all, says that there was none of it.
fn says_none(line: &str, what: &str) -> bool {
    line.split_once(&format!("{what}: "))
        .is_none_or(|(_, rest)| rest.starts_with("0 msg/s"))
}
