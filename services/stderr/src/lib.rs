//! Standard error behind a bounded queue: a reader that is slow or stuck never holds the program.
//!
//! Logs and progress go through here. A thread writes them; what does not fit into the queue is dropped, and the
//! number of dropped messages is said once there is room again. A result belongs on standard output, which waits
//! for its reader.
//!
//! ```
//! stderr::say("stopping");
//! // At the end of the program, so that its last words are read.
//! stderr::flush(std::time::Duration::from_secs(1));
//! ```
//!
//! `tracing_appender::non_blocking` is not used: its bound is a number of lines and not of bytes, it does not say
//! what it dropped, and when its reader is stuck it reports that on standard output, into the program's result.

use std::{
    collections::VecDeque,
    fmt::Display,
    io::{self, Write},
    sync::{Arc, LazyLock},
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// The highest number of bytes that wait to be written.
const MOST: usize = 1 << 20;

/// Writes a line.
pub fn say(line: impl Display) {
    write(format!("{line}\n").into_bytes());
}

/// Writes these bytes, all or none of them.
pub fn write(message: Vec<u8>) {
    QUEUE.push(message);
}

/// Waits until everything is written, or nothing could be written for `patience`.
pub fn flush(patience: Duration) {
    QUEUE.flush(patience);
}

/// A writer whose every call is one message, for loggers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Writer;

/// A writer, as loggers ask for it.
pub fn writer() -> Writer {
    Writer
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static QUEUE: LazyLock<Arc<Queue>> = LazyLock::new(|| Queue::start(io::stderr(), MOST));

/// Messages on their way to a writer.
#[derive(Debug)]
struct Queue {
    most: usize,
    waiting: Mutex<Waiting>,
    filled: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The number of messages that were dropped since the last that was taken.
    lost: u64,
    /// The number of messages that were written.
    written: u64,
    is_writing: bool,
}

// === impl Queue ===

impl Queue {
    fn start(mut to: impl Write + Send + 'static, most: usize) -> Arc<Queue> {
        let queue = Arc::new(Queue {
            most,
            waiting: Mutex::default(),
            filled: Condvar::new(),
            written: Condvar::new(),
        });
        let writing = Arc::clone(&queue);
        let thread = thread::Builder::new().name("stderr".to_owned());
        // Without the thread, which a system refuses only when it can start nothing more, nothing is written.
        let _ = thread.spawn(move || {
            loop {
                let message = writing.next();
                // Standard error may be closed. That is no reason to end.
                let _ = to.write_all(&message).and_then(|()| to.flush());
                writing.is_written();
            }
        });
        queue
    }

    fn push(&self, message: Vec<u8>) {
        let mut waiting = self.waiting.lock();
        if waiting.bytes + message.len() > self.most {
            waiting.lost += 1;
            return;
        }
        waiting.say_lost();
        waiting.push(message);
        drop(waiting);
        self.filled.notify_one();
    }

    fn flush(&self, patience: Duration) {
        let mut waiting = self.waiting.lock();
        waiting.say_lost();
        self.filled.notify_one();
        let mut written = waiting.written;
        let mut until = Instant::now() + patience;
        while waiting.is_writing || !waiting.messages.is_empty() {
            let is_late = self.written.wait_until(&mut waiting, until).timed_out();
            if waiting.written > written {
                written = waiting.written;
                until = Instant::now() + patience;
            } else if is_late {
                return;
            }
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some(message) = waiting.messages.pop_front() {
                waiting.bytes -= message.len();
                waiting.is_writing = true;
                return message;
            }
            self.filled.wait(&mut waiting);
        }
    }

    fn is_written(&self) {
        let mut waiting = self.waiting.lock();
        waiting.is_writing = false;
        waiting.written += 1;
        drop(waiting);
        self.written.notify_all();
    }
}

// === impl Waiting ===

impl Waiting {
    fn push(&mut self, message: Vec<u8>) {
        self.bytes += message.len();
        self.messages.push_back(message);
    }

    /// Says how many messages were dropped, in their place.
    fn say_lost(&mut self) {
        match std::mem::take(&mut self.lost) {
            0 => {}
            1 => self.push(b"1 message is missing here: standard error was not read\n".to_vec()),
            lost => self.push(
                format!("{lost} messages are missing here: standard error was not read\n").into(),
            ),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// More than anything here takes on the busiest machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A writer that takes a message whenever the test lets it.
    struct Slow {
        may: mpsc::Receiver<()>,
        written: mpsc::Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.may.recv().map_err(io::Error::other)?;
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let _ = self.written.send(text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_reader_holds_nothing_and_what_was_lost_is_said_in_its_place() {
        let (let_it, may) = mpsc::channel();
        let (written, read) = mpsc::channel();
        let queue = Queue::start(Slow { may, written }, 6);
        queue.push(b"first\n".to_vec());
        while !queue.waiting.lock().is_writing {
            thread::yield_now();
        }
        // It is with the writer: the queue has room for three of these.
        for message in [b"a\n", b"b\n", b"c\n", b"d\n", b"e\n"] {
            queue.push(message.to_vec());
        }
        queue.flush(Duration::ZERO);
        for _ in 0..5 {
            let_it.send(()).unwrap();
        }
        queue.flush(PATIENCE);
        queue.push(b"f\n".to_vec());
        let_it.send(()).unwrap();
        queue.flush(PATIENCE);
        let all: String = read.try_iter().collect();
        let lost = "2 messages are missing here: standard error was not read\n";
        assert_eq!(all, format!("first\na\nb\nc\n{lost}f\n"));
    }
}
