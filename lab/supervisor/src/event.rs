//! [`Event`]: what happens in a lab, for the program that started it.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;

use crate::Component;

/// Something that happened. Its [`Display`](fmt::Display) form is a line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A child was started.
    Started {
        /// The child.
        component: Component,
        /// Its process id.
        pid: u32,
    },
    /// A child listens.
    Ready {
        /// The child.
        component: Component,
        /// The address at which it listens.
        address: SocketAddr,
    },
    /// A child wrote a line.
    Line {
        /// The child.
        component: Component,
        /// The line, without its line ending.
        text: String,
    },
    /// Children wrote lines faster than the receiver of the events read them.
    LinesLost {
        /// The number of lines that are missing before the next event of a line.
        count: usize,
    },
    /// A child ended without a request to stop.
    Died {
        /// The child.
        component: Component,
        /// Its exit status.
        status: String,
        /// The time that it had run.
        lived: Duration,
    },
    /// A child that died will be started again.
    Restarting {
        /// The child.
        component: Component,
        /// The time until its start.
        after: Duration,
    },
    /// A child could not be started again. There will be another attempt.
    NotRestarted {
        /// The child.
        component: Component,
        /// The reason.
        why: String,
    },
    /// A component that runs in this process failed. It is not started again.
    Failed {
        /// The component.
        component: Component,
        /// The reason.
        why: String,
    },
}

/// The events of a lab, in the order in which they happened.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::UnboundedReceiver<Event>,
    lines: Arc<AtomicUsize>,
}

/// The sending side of the events.
///
/// Only the number of waiting lines is limited. Other events are few, and none of them may be lost.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    sender: mpsc::UnboundedSender<Event>,
    /// The number of lines that wait to be read.
    lines: Arc<AtomicUsize>,
    /// The number of lines that were dropped since the last line that was sent.
    lost: Arc<AtomicUsize>,
}

/// The highest number of waiting lines. Further lines are counted and dropped.
const MAX_LINES: usize = 1_000;

/// Makes both ends of a channel of events.
pub(crate) fn channel() -> (Teller, Events) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let lines = Arc::new(AtomicUsize::new(0));
    let teller = Teller {
        sender,
        lines: Arc::clone(&lines),
        lost: Arc::default(),
    };
    (teller, Events { receiver, lines })
}

// === impl Events ===

impl Events {
    /// The next event; `None` when the lab has ended and all events were read.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.receiver.recv().await?;
        self.taken(&event);
        Some(event)
    }

    /// The next event, if one has already happened.
    pub fn try_next(&mut self) -> Option<Event> {
        let event = self.receiver.try_recv().ok()?;
        self.taken(&event);
        Some(event)
    }

    fn taken(&self, event: &Event) {
        if matches!(event, Event::Line { .. }) {
            self.lines.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

// === impl Teller ===

impl Teller {
    /// Sends an event that is not a line. It is no error if the receiver is gone.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// Sends a line that a child wrote.
    pub(crate) fn tell_line(&self, component: Component, text: String) {
        if self.lines.load(Ordering::Acquire) >= MAX_LINES {
            self.lost.fetch_add(1, Ordering::AcqRel);
            return;
        }
        let lost = self.lost.swap(0, Ordering::AcqRel);
        if lost > 0 {
            self.tell(Event::LinesLost { count: lost });
        }
        self.lines.fetch_add(1, Ordering::AcqRel);
        self.tell(Event::Line { component, text });
    }
}

// === impl Event ===

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started { component, pid } => write!(f, "{component} started as process {pid}"),
            Event::Ready { component, address } => write!(f, "{component} listens on {address}"),
            Event::Line { component, text } => write!(f, "{component}: {text}"),
            Event::LinesLost { count } => write!(f, "{count} lines of the services were lost"),
            Event::Died {
                component,
                status,
                lived,
            } => write!(
                f,
                "{component} died after {:.1} s: {status}",
                lived.as_secs_f64()
            ),
            Event::Restarting { component, after } => {
                write!(
                    f,
                    "{component} is started again in {} ms",
                    after.as_millis()
                )
            }
            Event::NotRestarted { component, why } => {
                write!(f, "{component} did not start again: {why}")
            }
            Event::Failed { component, why } => write!(f, "{component} failed: {why}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_the_lost_ones_counted() {
        let (teller, mut events) = channel();
        for n in 0..MAX_LINES + 5 {
            teller.tell_line(Component::Email, n.to_string());
        }
        let died = Event::Died {
            component: Component::Email,
            status: "killed".into(),
            lived: Duration::ZERO,
        };
        teller.tell(died.clone());
        for n in 0..MAX_LINES {
            let text = n.to_string();
            let component = Component::Email;
            assert_eq!(events.try_next().unwrap(), Event::Line { component, text });
        }
        assert_eq!(events.try_next().unwrap(), died, "never lost");
        teller.tell_line(Component::Email, "again".into());
        assert_eq!(events.try_next().unwrap(), Event::LinesLost { count: 5 });
        assert!(matches!(events.try_next().unwrap(), Event::Line { .. }));
        assert_eq!(events.try_next(), None);
    }
}
