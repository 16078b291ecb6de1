//! Prints the events of a lab on standard error.

use indicatif::ProgressBar;
use plain::Plain;
use supervisor::{Event, Events};

/// Prints the events of a lab to standard error: lines of the services, and processes that ended.
pub(crate) async fn print(mut events: Events) {
    while let Some(event) = events.next().await {
        if is_printed(&event) {
            stderr::say(Plain(&event));
        }
    }
}

/// Prints events above a progress bar. Lines of the services are printed if `lines_too`: under faults the
/// services write many errors.
pub(crate) fn print_above(
    bar: ProgressBar,
    lines_too: bool,
) -> impl Fn(Event) + Clone + Send + Sync + 'static {
    move |event| {
        let is_line = matches!(event, Event::Line { .. } | Event::LinesLost { .. });
        if is_printed(&event) && (lines_too || !is_line) {
            bar.suspend(|| stderr::say(Plain(&event)));
        }
    }
}

/// Whether an event is printed. A successful start is not.
fn is_printed(event: &Event) -> bool {
    !matches!(event, Event::Started { .. } | Event::Ready { .. })
}
