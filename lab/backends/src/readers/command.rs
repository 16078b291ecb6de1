//! A program that prints the trace whose id it is given, in any format of a trace file: for backends that have no reader
//! here. Nothing on its output means that there is no such trace yet.

use std::{process::Stdio, time::Duration};

use async_trait::async_trait;
use tokio::process;
use trace::TraceId;

use super::{KindError, TIMEOUT, answer::of_contents};
use crate::reader::{Identity, ReadError, ReadTrace, Reader, Representation};

/// A command line, to which the id of a trace is added.
#[derive(Debug)]
pub(super) struct Command {
    line: String,
    program: String,
    arguments: Vec<String>,
}

/// The most characters of what a failing program wrote.
const SAID: usize = 300;

// === impl Command ===

impl Command {
    pub(super) fn new(line: &str) -> Result<Command, KindError> {
        let words = shlex::split(line).unwrap_or_default();
        let Some((program, arguments)) = words.split_first() else {
            return Err(KindError::Address(format!(
                "command:{line} names no program, or a quotation mark in it has no end; \
                 'command:my-reader --json' would be one, which is called with a trace id besides"
            )));
        };
        Ok(Command {
            line: line.to_owned(),
            program: program.clone(),
            arguments: arguments.to_vec(),
        })
    }

    fn wrong(&self, why: String) -> ReadError {
        ReadError::Command {
            command: self.line.clone(),
            why,
        }
    }

    async fn run(&self, id: TraceId, within: Duration) -> Result<Vec<u8>, ReadError> {
        let child = process::Command::new(&self.program)
            .args(&self.arguments)
            .arg(id.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.wrong(format!("cannot be started: {error}")))?;
        let ended = tokio::time::timeout(within, child.wait_with_output()).await;
        let output = ended
            .map_err(|_| self.wrong(format!("did not end within {within:?}")))?
            .map_err(|error| self.wrong(format!("failed: {error}")))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(SAID).collect();
        Err(self.wrong(format!("ended with {}: {said}", output.status)))
    }
}

#[async_trait]
impl Reader for Command {
    fn kind(&self) -> &str {
        "command"
    }

    fn representation(&self) -> Representation {
        Representation::ALL
    }

    async fn identify(&self) -> Result<Identity, ReadError> {
        // The id of no trace: the program must know that there is none.
        let none = TraceId::from_bytes([0xfe; 16]).expect("it is not zero");
        match self.trace(none).await? {
            None => Ok(Identity::named(&self.line)),
            Some(_) => Err(self.wrong("printed a trace for an id that no trace has".to_owned())),
        }
    }

    async fn trace(&self, id: TraceId) -> Result<Option<ReadTrace>, ReadError> {
        let printed = self.run(id, TIMEOUT).await?;
        if printed.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let contents = match formats::read(&printed) {
            Ok(contents) => contents,
            Err(formats::ReadError::Empty) => return Ok(None),
            Err(error) => return Err(self.wrong(format!("printed what is no trace: {error}"))),
        };
        let read = of_contents(contents, id);
        Ok((!read.spans.is_empty()).then_some(read))
    }
}
