//! A document as one HTML file: plots, tables, where and how it was measured. It needs no script and nothing from outside.

mod ground;

use std::fmt::Write as _;

use plain::html as escaped;

use self::ground::ground;
use super::{
    plot::{Line, bar, lines},
    sentences::sentences,
    text::{all_fates, count, mib, ms_text, percent},
};
use crate::document::{Document, Run, Sample};

const STYLE: &str = include_str!("page.css");

pub(super) fn html(document: &Document) -> String {
    let mut out = String::new();
    // Text takes all that is written to it.
    let _ = write(document, &mut out);
    out
}

fn write(document: &Document, out: &mut String) -> std::fmt::Result {
    let kind = escaped(&document.kind);
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width\"/>\
         <title>{kind}</title><style>{STYLE}</style></head><body><h1>{kind}</h1>"
    )?;
    match (document.valid, document.complete) {
        (true, true) => write!(out, "<p class=\"state valid\">valid</p>")?,
        (true, false) => write!(
            out,
            "<p class=\"state invalid\">INCOMPLETE: it was stopped before its end</p>"
        )?,
        (false, _) => {
            write!(
                out,
                "<p class=\"state invalid\">INVALID: the figures say nothing about the SUT</p><ul>"
            )?;
            for reason in &document.invalid_because {
                write!(out, "<li>{}</li>", escaped(reason))?;
            }
            if !document.complete {
                write!(out, "<li>it was stopped before its end</li>")?;
            }
            write!(out, "</ul>")?;
        }
    }
    if let Some(capacity) = &document.capacity {
        let found = match capacity.spans_per_second {
            Some(rate) => format!("{} spans/s", count(rate)),
            None => "none was found".to_owned(),
        };
        write!(
            out,
            "<h2>Capacity: {found}</h2><p>{} · limits: {}</p>",
            escaped(&capacity.confidence),
            escaped(&capacity.limits.join(", "))
        )?;
        over_rate(document, out)?;
    }
    if let Some(ab) = &document.ab {
        write!(
            out,
            "<h2>{}</h2><p>A: <code>{}</code><br/>B: <code>{}</code></p><table><tr><th>B / A</th><th class=\"n\">ratio</th>\
             <th class=\"n\">{:.0} % interval</th></tr>",
            escaped(&ab.verdict),
            escaped(&ab.a),
            escaped(&ab.b),
            ab.confidence * 100.0
        )?;
        let mut row = |name: &str, ratio: f64, low: f64, high: f64| {
            write!(
                out,
                "<tr><td>{}</td><td class=\"n\">{ratio:.3}</td><td class=\"n\">{low:.3} to {high:.3}</td></tr>",
                escaped(name)
            )
        };
        row(&ab.metric, ab.ratio, ab.low, ab.high)?;
        for other in &ab.others {
            row(&other.metric, other.ratio, other.low, other.high)?;
        }
        write!(out, "</table>")?;
        let of = |value: fn(&(f64, f64)) -> f64| {
            let pairs = (1..).map(f64::from).zip(&ab.pairs);
            pairs.map(|(block, pair)| (block, value(pair))).collect()
        };
        let plot = lines(
            &escaped(&ab.metric),
            "blocks",
            "",
            &[
                Line {
                    name: "A",
                    class: "s1",
                    points: of(|pair| pair.0),
                },
                Line {
                    name: "B",
                    class: "s2",
                    points: of(|pair| pair.1),
                },
            ],
        );
        write!(
            out,
            "<div class=\"plots\">{}</div>",
            plot.unwrap_or_default()
        )?;
    }
    if let Some(sampling) = &document.sampling {
        write!(
            out,
            "<h2>Kept of {}</h2><table><tr><th>traces</th><th class=\"n\">sent</th><th class=\"n\">kept</th>\
             <th class=\"n\">wanted</th><th></th></tr>",
            escaped(&sampling.policy)
        )?;
        for group in &sampling.groups {
            write!(
                out,
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{:.1} %</td><td>{}</td></tr>",
                escaped(&group.group),
                count(group.traces as f64),
                count(group.kept as f64),
                group.wanted_share * 100.0,
                if group.holds { "ok" } else { "WRONG" }
            )?;
        }
        write!(out, "</table>")?;
    }
    for sentence in sentences(document) {
        write!(out, "<p>{}</p>", escaped(&sentence))?;
    }
    if !document.requirements.is_empty() {
        write!(out, "<h2>Requirements</h2><table>")?;
        for requirement in &document.requirements {
            write!(
                out,
                "<tr><td><code>{}</code></td><td class=\"{}\">{}</td><td>{}</td></tr>",
                escaped(&requirement.text),
                if requirement.holds {
                    "valid"
                } else {
                    "invalid"
                },
                if requirement.holds { "pass" } else { "FAIL" },
                escaped(&requirement.measured)
            )?;
        }
        write!(out, "</table>")?;
    }
    table(&document.runs, out)?;
    // Of many short loads the table says enough.
    if document.runs.len() <= 3 {
        for run in &document.runs {
            run_plots(run, out)?;
        }
    }
    ground(document, out)?;
    write!(out, "</body></html>")?;
    out.push('\n');
    Ok(())
}

fn table(runs: &[Run], out: &mut String) -> std::fmt::Result {
    write!(
        out,
        "<h2>Loads</h2><div class=\"wide\"><table><tr><th>load</th><th class=\"n\">spans/s</th><th class=\"n\">p50</th>\
         <th class=\"n\">p99</th><th class=\"n\">CPU a span</th><th class=\"n\">memory</th><th>fate of spans</th></tr>"
    )?;
    for run in runs {
        let latency = |of: fn(&crate::document::Latency) -> f64| {
            run.latency_ms
                .as_ref()
                .map_or("–".to_owned(), |latency| ms_text(of(latency)))
        };
        let used = run.sut_used.as_ref();
        let planned = run.accounts.planned.max(1) as f64;
        let there = all_fates(&run.accounts)
            .into_iter()
            .filter(|(_, spans)| *spans > 0);
        let fates: Vec<String> = there
            .map(|(name, spans)| format!("{name} {}", percent(100.0 * spans as f64 / planned)))
            .collect();
        write!(
            out,
            "<tr><td>{}{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td>{}{}</td></tr>",
            escaped(&run.label),
            if run.valid {
                ""
            } else {
                " <span class=\"invalid\">INVALID</span>"
            },
            count(run.spans_per_second),
            latency(|of| of.p50),
            latency(|of| of.p99),
            used.map_or("–".to_owned(), |used| format!(
                "{} ns",
                count(used.cpu_ns_per_span)
            )),
            used.map_or("–".to_owned(), |used| format!(
                "{} MiB",
                mib(used.peak_bytes as f64)
            )),
            fate_bar(run),
            fates.join(", ")
        )?;
    }
    write!(out, "</table></div>")
}

fn fate_bar(run: &Run) -> String {
    let classes = ["f3", "f6", "f7", "f1", "f5", "f7", "f2", "f4", "f5"];
    let fates = all_fates(&run.accounts);
    let parts: Vec<(&str, &str, u64)> = fates
        .iter()
        .zip(classes)
        .map(|((name, spans), class)| (*name, class, *spans))
        .collect();
    bar(&parts)
}

fn over_rate(document: &Document, out: &mut String) -> std::fmt::Result {
    let mut runs: Vec<&Run> = document
        .runs
        .iter()
        .filter(|run| run.rate.is_some())
        .collect();
    runs.sort_by(|a, b| a.rate.unwrap_or(0.0).total_cmp(&b.rate.unwrap_or(0.0)));
    let of = |value: fn(&Run) -> Option<f64>| -> Vec<(f64, f64)> {
        let points = runs.iter().filter_map(|run| Some((run.rate?, value(run)?)));
        points.collect()
    };
    let latency = lines(
        "Latency",
        "spans/s",
        "ms",
        &[
            Line {
                name: "p50",
                class: "s1",
                points: of(|run| Some(run.latency_ms?.p50)),
            },
            Line {
                name: "p90",
                class: "s3",
                points: of(|run| Some(run.latency_ms?.p90)),
            },
            Line {
                name: "p99",
                class: "s2",
                points: of(|run| Some(run.latency_ms?.p99)),
            },
        ],
    );
    let cpu = lines(
        "CPU of the SUT",
        "spans/s",
        "% of a core",
        &[Line {
            name: "SUT",
            class: "s1",
            points: of(|run| Some(run.sut_used?.cpu_share * 100.0)),
        }],
    );
    let plots = [latency, cpu].into_iter().flatten().collect::<String>();
    write!(out, "<div class=\"plots\">{plots}</div>")
}

fn run_plots(run: &Run, out: &mut String) -> std::fmt::Result {
    let of = |value: fn(&Sample) -> Option<f64>| -> Vec<(f64, f64)> {
        let samples = run.series.iter();
        samples
            .filter_map(|sample| Some((sample.at_ms / 1e3, value(sample)?)))
            .collect()
    };
    let plots = [
        lines(
            "Spans",
            "seconds",
            "a second",
            &[
                Line {
                    name: "sent",
                    class: "s1",
                    points: of(|sample| Some(sample.sent)),
                },
                Line {
                    name: "arrived",
                    class: "s3",
                    points: of(|sample| Some(sample.arrived)),
                },
                Line {
                    name: "refused",
                    class: "s2",
                    points: of(|sample| Some(sample.refused)),
                },
            ],
        ),
        lines(
            "Latency, 99 %",
            "seconds",
            "ms",
            &[Line {
                name: "p99",
                class: "s1",
                points: of(|sample| sample.p99_ms),
            }],
        ),
        lines(
            "CPU",
            "seconds",
            "% of a core",
            &[
                Line {
                    name: "SUT",
                    class: "s1",
                    points: of(|sample| Some(sample.sut_cpu * 100.0)),
                },
                Line {
                    name: "generator",
                    class: "s2",
                    points: of(|sample| Some(sample.generator_cpu * 100.0)),
                },
                Line {
                    name: "sink",
                    class: "s3",
                    points: of(|sample| Some(sample.sink_cpu * 100.0)),
                },
            ],
        ),
        lines(
            "Memory of the SUT",
            "seconds",
            "MiB",
            &[Line {
                name: "memory",
                class: "s1",
                points: of(|sample| Some(sample.sut_bytes as f64 / 1_048_576.0)),
            }],
        ),
    ];
    write!(
        out,
        "<h2>{}: <code>{}</code></h2><div class=\"plots\">{}</div>",
        escaped(&run.label),
        escaped(&run.sut),
        plots.into_iter().flatten().collect::<String>()
    )?;
    for note in &run.notes {
        write!(out, "<p>{}</p>", escaped(note))?;
    }
    if !run.sut_said.is_empty() {
        write!(
            out,
            "<p>The SUT said last:</p><pre>{}</pre>",
            escaped(&run.sut_said.join("\n"))
        )?;
    }
    Ok(())
}
