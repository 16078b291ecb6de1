//! The HTML for people until there is a page: a list of traces, and a waterfall. It has no script, loads
//! nothing from other servers, and escapes all text of spans.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::header,
    response::{Html, IntoResponse, Response},
};
use plain::Message;
use sink::{Query, Store, Summary};
use waterfall::{Style, duration_in_words};

use crate::{problem::Problem, traces};

/// The highest number of traces in the list.
const SHOWN: usize = 200;

/// The width of a waterfall, in characters.
const WIDTH: usize = 140;

pub(crate) async fn list(State(store): State<Store>) -> Response {
    let stats = store.stats();
    let found = store.search(&Query {
        limit: Some(SHOWN),
        ..Query::default()
    });
    let mut body = format!(
        "<h1>tracelab</h1>\n<p>{} traces, {} spans. Newest first{}. For machines: \
         <a href=\"/api/traces\">/api/traces</a>, <a href=\"/api/stats\">/api/stats</a>.</p>\n",
        stats.traces.stored,
        stats.spans.stored,
        if stats.traces.stored > found.len() as u64 {
            format!(", {SHOWN} of them")
        } else {
            String::new()
        },
    );
    if found.is_empty() {
        body.push_str("<p>No trace has come yet.</p>\n");
    } else {
        body.push_str("<table>\n<tr><th>service<th>name<th>duration<th>spans<th>errors<th>trace\n");
        body.extend(found.iter().map(row));
        body.push_str("</table>\n");
    }
    page("traces", &body)
}

pub(crate) async fn trace(
    State(store): State<Store>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let trace = traces::find(&store, id)?;
    let picture = waterfall::render(
        &trace,
        &Style {
            width: WIDTH,
            colour: false,
        },
    );
    let id = trace.id();
    let body = format!(
        "<p><a href=\"/\">all traces</a> · <a href=\"/api/traces/{id}\">as OTLP/JSON</a></p>\n<pre>{}</pre>\n",
        escape(&picture)
    );
    Ok(page(&id.to_string(), &body))
}

fn row(summary: &Summary) -> String {
    let Summary {
        trace_id,
        spans,
        errors,
        ..
    } = summary;
    let class = if *errors > 0 { " class=\"failed\"" } else { "" };
    let name = if summary.name.is_empty() {
        "(no name)"
    } else {
        &summary.name
    };
    format!(
        "<tr{class}><td>{}<td><a href=\"/traces/{trace_id}\">{}</a><td class=\"n\">{}<td class=\"n\">{spans}\
         <td class=\"n\">{errors}<td><code>{trace_id}</code>\n",
        escape(&summary.service),
        escape(name),
        duration_in_words(summary.duration),
    )
}

fn page(title: &str, body: &str) -> Response {
    const STYLE: &str = "\
        :root { color-scheme: light dark; font-family: system-ui, sans-serif; }\n\
        body { margin: 2rem; }\n\
        th, td { text-align: left; padding: .2rem 1rem .2rem 0; }\n\
        .n { text-align: right; font-variant-numeric: tabular-nums; }\n\
        .failed td:first-child { border-left: 3px solid crimson; padding-left: .5rem; }\n\
        pre { overflow-x: auto; line-height: 1.25; }\n";
    const POLICY: &str =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    let document = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title} · tracelab</title>\n<style>\n{STYLE}</style>\n{body}</html>\n"
    );
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(document)).into_response()
}

/// Escapes the five characters that have a meaning in HTML, and what is no visible text: a direction mark would turn the
/// rest of its line around.
fn escape(text: &str) -> String {
    let text = Message(text).to_string();
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
