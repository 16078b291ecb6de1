//! `late-spans`: spans are delayed before they are exported.

use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use opentelemetry_sdk::trace::{SpanData, SpanProcessor};

/// Delays spans, each by its own time, and then passes them on.
#[derive(Debug)]
pub(crate) struct Late {
    kept: mpsc::Sender<(Instant, SpanData)>,
    thread: JoinHandle<()>,
}

// === impl Late ===

impl Late {
    /// Starts the thread that delays the spans.
    pub(crate) fn start<P: SpanProcessor + 'static>(onward: Arc<P>) -> std::io::Result<Late> {
        let (kept, arriving) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("late-spans".to_owned())
            .spawn(move || hand_on(&arriving, &*onward))?;
        Ok(Late { kept, thread })
    }

    /// Delays a span. `Err` returns the span: the thread has ended.
    pub(crate) fn keep(&self, span: SpanData, delay: Duration) -> Result<(), Box<SpanData>> {
        let due = Instant::now() + delay;
        self.kept
            .send((due, span))
            .map_err(|mpsc::SendError((_, span))| Box::new(span))
    }

    /// Passes on all delayed spans at once, for the shutdown.
    pub(crate) fn finish(self) {
        drop(self.kept);
        // A panic in the thread was reported when it happened.
        let _ = self.thread.join();
    }
}

fn hand_on(arriving: &mpsc::Receiver<(Instant, SpanData)>, onward: &impl SpanProcessor) {
    let mut kept: Vec<(Instant, SpanData)> = Vec::new();
    loop {
        let now = Instant::now();
        for (_, span) in kept.extract_if(.., |(due, _)| *due <= now) {
            onward.on_end(span);
        }
        let next = kept.iter().map(|(due, _)| *due).min();
        let arrived = match next {
            Some(due) => arriving.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => arriving
                .recv()
                .map_err(|_| mpsc::RecvTimeoutError::Disconnected),
        };
        match arrived {
            Ok(span) => kept.push(span),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    for (_, span) in kept {
        onward.on_end(span);
    }
}
