#!/usr/bin/env bash
# tracing-appender 0.2.4: dropping the WorkerGuard of a non-blocking writer whose queue is full prints a line to standard
# output, "Failed to send shutdown signal to logging worker. …". In a program whose standard output is data, the line
# is among the data.
#
# The guard sends its last message through the same queue, and gives up after 100 ms; the crate reports that with
# `println!`.
#
# Seen: one such line on standard output, from a program that prints nothing; its writer waits until the guard is gone.
# Consequence for a user: with a writer that may stand still (a pipe that is not read), standard output can hold a line
# that the program never wrote.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'END_TOML'
[package]
name = "look"
version = "0.0.0"
edition = "2024"

[dependencies]
tracing-appender = "=0.2.4"

[workspace]
END_TOML
cat >src/main.rs <<'END_RS'
use std::{io::{self, Write}, sync::mpsc};
use tracing_appender::non_blocking::NonBlockingBuilder;

/// A writer that says that it has begun, and then waits until it may go on.
struct Slow {
    begun: mpsc::Sender<()>,
    may_go_on: mpsc::Receiver<()>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.begun.send(());
        let _ = self.may_go_on.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let builder = NonBlockingBuilder::default().buffered_lines_limit(1);
    let (mut writer, guard) = builder.finish(Slow { begun, may_go_on });
    writer.write_all(b"is being written\n").expect("it is queued");
    has_begun.recv().expect("the worker runs");
    writer.write_all(b"fills the queue\n").expect("it is queued");
    drop(guard);
    drop(go_on);
}
END_RS
seen=$(CARGO_TARGET_DIR="$folder/target" cargo run --quiet)

if [[ $seen == "Failed to send shutdown signal to logging worker."* ]]; then
  echo "tracing-appender 0.2.4: a guard whose queue is full prints to standard output: $seen"
else
  printf 'it is no longer so; standard output has: %s\n' "$seen" >&2
  exit 1
fi
