//! Handles a plain request of either protocol.

use std::sync::atomic::AtomicU64;

use crate::{
    Store,
    room::Share,
    store::{Counters, NotCut},
    taken::{Lost, Taken},
};

/// The signal of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// Handles an encoded request: stores its spans, or counts its records or points. `share` is the room that the
/// request has.
pub(crate) fn take(
    store: &Store,
    signal: Signal,
    request: &[u8],
    lost: Lost,
    share: &mut Share,
) -> Result<Taken, NotCut> {
    let counters = store.counters();
    Counters::add(&counters.replaced, lost.replaced as u64);
    let taken = match signal {
        Signal::Traces => store.take_within(request, lost, share)?,
        Signal::Logs => count(
            store,
            &counters.log_records,
            otlp::count_log_records(request)?,
        ),
        Signal::Metrics => count(
            store,
            &counters.data_points,
            otlp::count_data_points(request)?,
        ),
    };
    let answered = if taken.refused == 0 {
        &counters.accepted
    } else {
        &counters.partial
    };
    Counters::add(answered, 1);
    Ok(taken)
}

fn count(store: &Store, counter: &AtomicU64, counted: otlp::Counted) -> Taken {
    Counters::add(counter, counted.items as u64);
    Counters::add(&store.counters().replaced, counted.not_utf8 as u64);
    Taken::default()
}
