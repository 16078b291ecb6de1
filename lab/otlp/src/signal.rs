//! The requests of the other two signals, which are checked and counted, and told apart.

use crate::{
    check::check,
    error::DecodeError,
    schema::{LOGS, METRICS, Message},
    wire::Fields,
};

/// What was found in a request of logs or metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The number of log records, or of data points.
    pub items: usize,
    /// The number of texts that are not UTF-8.
    pub not_utf8: usize,
}

/// Checks an encoded `ExportLogsServiceRequest`, and counts its log records.
///
/// # Errors
///
/// When the bytes are not such a message, or an attribute has more levels than [`crate::MOST_LEVELS`].
pub fn count_log_records(request: &[u8]) -> Result<Counted, DecodeError> {
    // resourceLogs, scopeLogs, logRecords.
    count(request, &LOGS, &[&[1], &[2], &[2]])
}

/// Checks an encoded `ExportMetricsServiceRequest`, and counts its data points.
///
/// # Errors
///
/// As of [`count_log_records`].
pub fn count_data_points(request: &[u8]) -> Result<Counted, DecodeError> {
    // resourceMetrics, scopeMetrics, metrics; then any kind of metric, and the data points of each.
    let kinds = &[5, 7, 9, 10, 11];
    count(request, &METRICS, &[&[1], &[2], &[2], kinds, &[1]])
}

/// Of which other signal an encoded request is, if it can be of one.
pub fn other_signal(bytes: &[u8]) -> Option<&'static str> {
    if count_log_records(bytes).is_ok() {
        Some("logs")
    } else if count_data_points(bytes).is_ok() {
        Some("metrics")
    } else {
        None
    }
}

fn count(
    request: &[u8],
    message: &'static Message,
    way: &[&[u32]],
) -> Result<Counted, DecodeError> {
    let mut counted = Counted::default();
    check(request, message, &mut counted.not_utf8)?;
    counted.items = at_end(request, way);
    Ok(counted)
}

/// The number of messages at the end of a way of field numbers.
fn at_end(message: &[u8], way: &[&[u32]]) -> usize {
    let Some((numbers, rest)) = way.split_first() else {
        return 1;
    };
    Fields::of(message)
        .flatten()
        .filter(|field| numbers.contains(&field.number))
        .filter_map(|field| field.bytes())
        .map(|inner| at_end(inner, rest))
        .sum()
}
