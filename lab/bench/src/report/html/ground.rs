//! Where and how it was measured, as a table.

use std::fmt::Write as _;

use super::escaped;
use crate::{
    document::Document,
    report::text::{count, mib},
};

pub(super) fn ground(document: &Document, out: &mut String) -> std::fmt::Result {
    let at = &document.environment;
    let of = &document.workload;
    let cores = match (at.sut_core, at.own_core) {
        (Some(sut), Some(own)) => format!("SUT on core {sut}, generator and sink on core {own}"),
        _ => "not pinned".to_owned(),
    };
    let rows = [
        ("command", document.command.clone()),
        ("began", document.began.clone()),
        (
            "tracelab",
            format!(
                "{}{}",
                at.tracelab,
                if at.optimized {
                    ""
                } else {
                    " (not a release build)"
                }
            ),
        ),
        ("system", at.system.clone()),
        (
            "processor",
            format!("{}, {} processors", at.processor, at.cores),
        ),
        ("cores", cores),
        ("memory", format!("{} MiB", mib(at.memory_bytes as f64))),
        ("load average", format!("{:.2}", at.load_average)),
        (
            "without a SUT",
            at.calibrated_spans_per_second
                .map_or("–".to_owned(), |rate| format!("{} spans/s", count(rate))),
        ),
        ("traces", of.shapes.clone()),
        ("spans a request", format!("{:?}", of.spans_per_request)),
        ("bytes a span", format!("{:.0}", of.bytes_per_span)),
        (
            "protocol",
            format!("{}, compression {}", of.protocol, of.compression),
        ),
        (
            "connections",
            format!(
                "{} with {} requests in flight each",
                of.connections, of.in_flight
            ),
        ),
        ("seed", of.seed.to_string()),
    ];
    write!(out, "<h2>How it was measured</h2><table>")?;
    for (name, value) in rows {
        write!(
            out,
            "<tr><td>{name}</td><td><code>{}</code></td></tr>",
            escaped(&value)
        )?;
    }
    write!(out, "</table>")
}
