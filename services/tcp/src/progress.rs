//! [`Progress`]: what moves on a connection, and since when nothing does.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::Limits;

/// What moves on one connection. A connection makes progress when a request begins, when a part of its body arrives
/// or a part of its answer leaves, and when it ends; bytes of half a header and pings are no progress.
#[derive(Debug)]
pub struct Progress {
    accepted: Instant,
    /// The last progress, in milliseconds after `accepted`.
    moved: AtomicU64,
    /// The number of requests that have begun and are not answered to the end.
    open: AtomicUsize,
    /// The number of requests that have arrived whole and are worked on: nothing is to come from the client.
    working: AtomicUsize,
    /// Whether any request has begun.
    is_used: AtomicBool,
    /// Whether the last request came by HTTP/1, whose next bytes are a header.
    is_http1: AtomicBool,
    /// When the header began that is arriving now, in milliseconds after `accepted` plus 1; 0 without one.
    header: AtomicU64,
}

/// What is to happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stay,
    /// It is idle: it is closed as soon as the client agrees.
    Part,
    /// It is closed.
    Leave,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress {
            accepted: Instant::now(),
            moved: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            working: AtomicUsize::new(0),
            is_used: AtomicBool::new(false),
            is_http1: AtomicBool::new(false),
            header: AtomicU64::new(0),
        }
    }

    /// Notes that something moved.
    pub fn moved(&self) {
        self.moved.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// Notes that work for the client begins, which must not be broken off for another client.
    pub fn work(&self) {
        self.working.fetch_add(1, Ordering::Relaxed);
        self.moved();
    }

    /// Notes the end of what [`work`](Self::work) has begun.
    pub fn rest(&self) {
        self.moved();
        self.working.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes the head of a request.
    pub(crate) fn begin(&self, is_http1: bool) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.is_used.store(true, Ordering::Relaxed);
        self.is_http1.store(is_http1, Ordering::Relaxed);
        self.header.store(0, Ordering::Relaxed);
        self.moved();
    }

    /// Notes the end of an answer.
    pub(crate) fn end(&self) {
        self.moved();
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that bytes have arrived. Between two requests of HTTP/1 they are a header.
    pub(crate) fn bytes_arrived(&self) {
        if self.is_http1.load(Ordering::Relaxed)
            && self.open.load(Ordering::Relaxed) == 0
            && self.header.load(Ordering::Relaxed) == 0
        {
            self.header.store(self.now() + 1, Ordering::Relaxed);
        }
    }

    /// The time for which nothing has moved; `None` while something is worked on.
    pub(crate) fn silence(&self) -> Option<Duration> {
        let is_worked_on = self.working.load(Ordering::Relaxed) > 0;
        let silence = self
            .now()
            .saturating_sub(self.moved.load(Ordering::Relaxed));
        (!is_worked_on).then(|| Duration::from_millis(silence))
    }

    /// What is to happen to the connection, whose server is about to stop if `is_stopping`.
    pub(crate) fn verdict(&self, limits: &Limits, is_stopping: bool) -> Verdict {
        let Some(silence) = self.silence() else {
            return Verdict::Stay;
        };
        let header = match self.header.load(Ordering::Relaxed) {
            0 if self.is_used.load(Ordering::Relaxed) => Duration::ZERO,
            // The first header is waited for from the start.
            0 => silence,
            began => Duration::from_millis((self.now() + 1).saturating_sub(began)),
        };
        let is_open = self.open.load(Ordering::Relaxed) > 0;
        let is_over = match is_open {
            _ if is_stopping => silence >= limits.stopping,
            true => silence >= limits.stalled,
            false => header >= limits.header || silence >= limits.idle + limits.parting,
        };
        match is_over {
            true => Verdict::Leave,
            false if !is_open && silence >= limits.idle => Verdict::Part,
            false => Verdict::Stay,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const STAY: Verdict = Verdict::Stay;

    fn after(progress: &Progress, seconds: u64) -> Verdict {
        // The time is told, not waited for: the connection was accepted earlier.
        let earlier = Progress {
            accepted: progress.accepted - Duration::from_secs(seconds),
            moved: AtomicU64::new(progress.moved.load(Ordering::Relaxed)),
            open: AtomicUsize::new(progress.open.load(Ordering::Relaxed)),
            working: AtomicUsize::new(progress.working.load(Ordering::Relaxed)),
            is_used: AtomicBool::new(progress.is_used.load(Ordering::Relaxed)),
            is_http1: AtomicBool::new(progress.is_http1.load(Ordering::Relaxed)),
            header: AtomicU64::new(progress.header.load(Ordering::Relaxed)),
        };
        earlier.verdict(&Limits::default(), false)
    }

    #[test]
    fn each_kind_of_silence_has_its_limit() {
        let limits = Limits::default();
        let (header, idle, stalled) = (
            limits.header.as_secs(),
            limits.idle.as_secs(),
            limits.stalled.as_secs(),
        );
        let progress = Progress::new();
        assert_eq!(
            after(&progress, header - 1),
            STAY,
            "it may send its first header"
        );
        assert_eq!(after(&progress, header), Verdict::Leave);

        progress.begin(true);
        assert_eq!(after(&progress, stalled - 1), STAY, "its body may come");
        assert_eq!(after(&progress, stalled), Verdict::Leave);
        progress.work();
        assert_eq!(
            after(&progress, 10 * stalled),
            STAY,
            "it waits for the server"
        );
        progress.rest();
        progress.end();
        assert_eq!(after(&progress, idle - 1), STAY, "it may be used again");
        assert_eq!(after(&progress, idle), Verdict::Part);
        assert_eq!(
            after(&progress, idle + limits.parting.as_secs()),
            Verdict::Leave
        );

        progress.bytes_arrived();
        assert_eq!(
            after(&progress, header - 1),
            STAY,
            "it has begun a second header"
        );
        assert_eq!(after(&progress, header), Verdict::Leave);
    }

    #[test]
    fn frames_of_http2_between_requests_are_no_header() {
        let progress = Progress::new();
        progress.begin(false);
        progress.end();
        progress.bytes_arrived();
        assert_eq!(after(&progress, Limits::default().header.as_secs()), STAY);
    }

    #[test]
    fn a_stop_waits_for_work_and_not_for_silence() {
        let limits = Limits {
            stopping: Duration::ZERO,
            ..Limits::default()
        };
        let progress = Progress::new();
        progress.begin(true);
        progress.work();
        assert_eq!(progress.verdict(&limits, true), STAY);
        progress.rest();
        assert_eq!(progress.verdict(&limits, true), Verdict::Leave);
    }
}
