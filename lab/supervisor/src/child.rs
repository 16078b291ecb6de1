//! [`Child`]: one child process, from its start to its end.

use std::{
    io,
    net::SocketAddr,
    process::ExitStatus,
    time::{Duration, Instant},
};

use process::{LastLines, Living, forward, next_line, signals};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufRead, BufReader},
    process::ChildStdin,
    task::JoinHandle,
    time::timeout,
};

use crate::{Component, Error, Event, event::Teller, recipe::Recipe};

/// The longest wait until a child listens. It takes some ten milliseconds on an idle machine, and longer on a
/// busy one.
const READY_PATIENCE: Duration = Duration::from_secs(30);

/// The longest wait for the last lines of a child that has ended.
const LAST_LINES_PATIENCE: Duration = Duration::from_secs(1);

/// A child that listens.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    /// The child runs while this pipe is open.
    stdin: Option<ChildStdin>,
    _living: Living,
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
    started: Instant,
}

/// How a child was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It ended by itself after the request to stop.
    Clean,
    /// It did not end by itself, and was killed.
    Killed,
}

/// The line that a child prints when it listens.
#[derive(Deserialize)]
struct Listening {
    listening: SocketAddr,
}

// === impl Child ===

impl Child {
    /// Starts a child and waits until it listens.
    pub(crate) async fn start(
        recipe: &Recipe,
        listen: SocketAddr,
        teller: &Teller,
    ) -> Result<Child, Error> {
        let component = recipe.component;
        let cannot_start = |source| Error::Program {
            program: recipe.program.clone(),
            component,
            source,
        };
        let started = Instant::now();
        let mut process = recipe.command(listen).spawn().map_err(cannot_start)?;
        let pid = process.id().unwrap_or_default();
        let living = Living::group(pid);
        teller.tell(Event::Started { component, pid });

        let stdin = process.stdin.take();
        let mut stdout = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let stderr = process.stderr.take().expect("it is a pipe");
        let last_lines = LastLines::default();
        let forwarding = forward(stderr, last_lines.clone(), tell(component, teller));

        let announced = tokio::select! {
            biased;
            announced = announcement(component, &mut stdout, teller) => announced,
            () = tokio::time::sleep(READY_PATIENCE) => None,
        };
        let Some(address) = announced else {
            // It has closed its standard output: it is ending, or it needs too much time to start.
            return Err(match timeout(LAST_LINES_PATIENCE, process.wait()).await {
                Ok(Ok(status)) => Error::Exited {
                    component,
                    status,
                    stderr: when_all_are_read(&last_lines, forwarding).await,
                },
                Ok(Err(error)) => cannot_start(error),
                Err(_) => Error::NotReady {
                    component,
                    patience: started.elapsed(),
                    stderr: last_lines.take(),
                },
            });
        };
        // A child would block on a full pipe, so its output is read to the end.
        forward(stdout, LastLines::default(), tell(component, teller));
        teller.tell(Event::Ready { component, address });
        Ok(Child {
            process,
            stdin,
            _living: living,
            pid,
            address,
            started,
        })
    }

    /// Waits until the child ends. It may be called again after it was cancelled.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// The time since the start of the child.
    pub(crate) fn lived(&self) -> Duration {
        self.started.elapsed()
    }

    /// Makes the child stop, and waits until it has ended; kills it after `patience`.
    pub(crate) async fn stop(mut self, patience: Duration) -> End {
        self.stdin = None;
        match timeout(patience, self.process.wait()).await {
            Ok(_) => End::Clean,
            Err(_) => {
                self.kill_group();
                // An error means that it has just ended.
                let _ = self.process.kill().await;
                End::Killed
            }
        }
    }

    /// Kills the child and the processes that it has started: each child leads a process group.
    pub(crate) fn kill_group(&self) {
        signals::kill_group(self.pid);
    }
}

/// Reads the address at which the child listens; `None` if its standard output ends first.
async fn announcement(
    component: Component,
    stdout: &mut (impl AsyncBufRead + Unpin),
    teller: &Teller,
) -> Option<SocketAddr> {
    while let Ok(Some(line)) = next_line(stdout).await {
        match serde_json::from_str::<Listening>(&line) {
            Ok(said) => return Some(said.listening),
            Err(_) => teller.tell_line(component, line),
        }
    }
    None
}

/// Makes a function that reports each line of a child as an event.
fn tell(component: Component, teller: &Teller) -> impl Fn(String) + Send + 'static {
    let teller = teller.clone();
    move |line| teller.tell_line(component, line)
}

/// The last lines of a child that has ended. `reading` is the task that reads them.
async fn when_all_are_read(lines: &LastLines, reading: JoinHandle<()>) -> Vec<String> {
    // A process that the child has started may hold the pipe open, so the wait has a limit.
    let _ = timeout(LAST_LINES_PATIENCE, reading).await;
    lines.take()
}
