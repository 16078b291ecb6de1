//! Several documents side by side.

use std::fmt::Write as _;

use super::markdown::{row, safe};
use crate::document::Document;

pub(super) fn markdown(documents: &[(String, Document)]) -> String {
    let mut out = String::new();
    // Text takes all that is written to it.
    let _ = write(documents, &mut out);
    out
}

fn write(documents: &[(String, Document)], out: &mut String) -> std::fmt::Result {
    for difference in differences(documents) {
        writeln!(out, "- {difference}")?;
    }
    writeln!(
        out,
        "\n| | load | spans/s | p50 | p99 | CPU a span | memory | fate of spans |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    )?;
    for (name, document) in documents {
        for run in &document.runs {
            writeln!(out, "| {} | {} |", safe(name), row(run))?;
        }
    }
    Ok(())
}

/// What makes documents hard to compare, a sentence each.
fn differences(documents: &[(String, Document)]) -> Vec<String> {
    let mut found = Vec::new();
    let invalid = documents.iter().filter(|(_, document)| !document.valid);
    for (name, document) in invalid {
        found.push(format!(
            "{} is INVALID: {}",
            safe(name),
            safe(&document.invalid_because.join("; "))
        ));
    }
    let mut differ = |what: &str, of: &dyn Fn(&Document) -> String| {
        let mut values: Vec<String> = documents.iter().map(|(_, document)| of(document)).collect();
        values.dedup();
        if values.len() > 1 {
            found.push(format!(
                "They differ in {what}: {}. What they measured cannot be compared by that alone.",
                safe(&values.join("; "))
            ));
        }
    };
    differ("the processor", &|of| of.environment.processor.clone());
    differ("the number of processors", &|of| {
        of.environment.cores.to_string()
    });
    differ(
        "the cores",
        &|of| match (of.environment.sut_core, of.environment.own_core) {
            (Some(sut), Some(own)) => format!("{sut},{own}"),
            _ => "not pinned".to_owned(),
        },
    );
    differ("the version of tracelab", &|of| {
        of.environment.tracelab.clone()
    });
    differ("the traces", &|of| of.workload.shapes.clone());
    differ("the spans a request", &|of| {
        format!("{:?}", of.workload.spans_per_request)
    });
    differ("the protocol", &|of| of.workload.protocol.clone());
    differ("the compression", &|of| of.workload.compression.clone());
    differ("the connections", &|of| {
        format!("{} x {}", of.workload.connections, of.workload.in_flight)
    });
    differ("the rate", &|of| match of.workload.rate {
        Some(rate) => format!("{rate:.0}/s"),
        None => "max".to_owned(),
    });
    found
}
