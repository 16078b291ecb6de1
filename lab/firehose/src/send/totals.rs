//! [`Totals`]: what was sent, and how it was answered.

use std::time::Duration;

use crate::Answer;

/// What was sent in a run, and how it was answered. Each request has exactly one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All that was sent.
    pub sent: Count,
    /// What was taken completely.
    pub accepted: Count,
    /// Requests of which all but some spans were taken. Its spans are those that were taken.
    pub partial: Count,
    /// The spans of those requests that were not taken.
    pub rejected: u64,
    /// What the receiver refused because it has too much to do.
    pub refused: Count,
    /// The requests among the refused ones for which the receiver said when to send them again.
    pub refused_with_delay: u64,
    /// What failed, or was not answered.
    pub failed: Count,
    /// How many connections were open at a time.
    pub connections: u64,
    /// How many connections took the place of one that broke.
    pub reconnected: u64,
    /// The time from the first request to the last answer.
    pub elapsed: Duration,
    /// The CPU time of this process meanwhile.
    pub cpu: Duration,
    /// The sequence number after the last one that was used.
    pub next: u64,
    /// The first failure, in words.
    pub problem: Option<String>,
}

/// A number of requests, with the spans and bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests.
    pub requests: u64,
    /// Spans.
    pub spans: u64,
    /// Bytes of bodies, with the prefix of gRPC.
    pub bytes: u64,
}

// === impl Totals ===

impl Totals {
    /// Whether each request and each span that was sent has exactly one fate.
    pub fn add_up(&self) -> bool {
        let parts = [self.accepted, self.partial, self.refused, self.failed];
        let sum = |of: fn(&Count) -> u64| parts.iter().map(of).sum::<u64>();
        sum(|count| count.requests) == self.sent.requests
            && sum(|count| count.spans) + self.rejected == self.sent.spans
            && sum(|count| count.bytes) == self.sent.bytes
    }

    /// The spans that the receiver took.
    pub fn taken(&self) -> u64 {
        self.accepted.spans + self.partial.spans
    }

    /// The taken spans a second.
    pub fn rate(&self) -> f64 {
        self.taken() as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn answered(&mut self, answer: Answer, spans: u64, bytes: u64) {
        match answer {
            Answer::Accepted => self.accepted.add(1, spans, bytes),
            Answer::Partial { rejected } if rejected <= spans => {
                self.partial.add(1, spans - rejected, bytes);
                self.rejected += rejected;
            }
            Answer::Partial { rejected } => {
                self.failed.add(1, spans, bytes);
                self.note(format!("{rejected} spans of {spans} were rejected"));
            }
            Answer::Refused { retry_after } => {
                self.refused.add(1, spans, bytes);
                self.refused_with_delay += u64::from(retry_after.is_some());
            }
            Answer::Failed(why) => {
                self.failed.add(1, spans, bytes);
                self.note(why);
            }
        }
    }

    /// Keeps a failure in words, if it is the first.
    pub(crate) fn note(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }
}

// === impl Count ===

impl Count {
    pub(crate) fn add(&mut self, requests: u64, spans: u64, bytes: u64) {
        self.requests += requests;
        self.spans += spans;
        self.bytes += bytes;
    }

    /// Takes back what was counted, and was not sent in the end.
    pub(crate) fn take_back(&mut self, requests: u64, spans: u64, bytes: u64) {
        self.requests -= requests;
        self.spans -= spans;
        self.bytes -= bytes;
    }
}
