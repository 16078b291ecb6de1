//! The waterfall: a trace as a text picture, for terminals, pages and files.
//!
//! One line for each span, in the order of the tree, on one common time axis. Notes below a span say what the
//! picture cannot show: why it failed, what it links to, that its parent is missing. No hostile content of a
//! trace (control characters, endless names, a chain of 100,000 spans, ends before starts) can break the
//! picture or reach the terminal.
//!
//! This crate must not know where a trace comes from, or what a terminal is: the caller gives the width of
//! the picture and says whether it has colours.
//!
//! ```
//! let trace = trace::Trace::new(testing::spans::trace_id(), testing::spans::healthy());
//! let picture = waterfall::render(&trace, &waterfall::Style::default());
//! let line = picture.lines().find(|line| line.contains("process_order"));
//! assert!(line.is_some_and(|line| line.contains("checkout") && line.ends_with("153 ms")), "{picture}");
//! ```

#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod axis;
mod json;
mod layout;
mod paint;
mod rows;
mod words;

pub use json::to_json;
pub use words::{duration as duration_in_words, width_on_screen as width};

use self::{
    axis::Axis,
    layout::Layout,
    paint::{Ink, Painter},
    rows::{Guide, Row},
    words::{fit, pad_end, pad_start},
};
use trace::Trace;

/// The width of a picture that is not shown on a terminal, in columns.
pub const DEFAULT_WIDTH: usize = 100;

/// The style of a waterfall.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The width in columns; at least 40.
    pub width: usize,
    /// Whether services have colours (ANSI escape sequences, 256 colours).
    pub colour: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            width: DEFAULT_WIDTH,
            colour: false,
        }
    }
}

/// Draws the picture of a trace. Each line ends with a line feed.
pub fn render(trace: &Trace, style: &Style) -> String {
    let width = style.width.max(40);
    let painter = Painter::new(trace, style.colour);
    let mut out = String::new();
    for line in headlines(trace, width) {
        push_line(&mut out, &painter.paint(Ink::Strong, &line));
    }
    if trace.spans().is_empty() {
        return out;
    }
    let deepest = layout::deepest_guides(width);
    let rows = rows::of(trace, deepest);
    let layout = Layout::new(trace, &rows, width);
    let axis = Axis::new(trace, layout.bar);
    out.push('\n');
    push_line(
        &mut out,
        &painter.paint(Ink::Faint, &titles(&layout, &axis)),
    );
    for row in &rows {
        let line = match row {
            Row::Span { guide, index } => span_line(trace, *index, guide, &layout, &axis, &painter),
            Row::Note { guide, text, ink } => {
                let room = width.saturating_sub(guide.width());
                format!(
                    "{}{}",
                    painter.paint(Ink::Faint, &guide.0),
                    painter.paint(*ink, &fit(text, room))
                )
            }
        };
        push_line(&mut out, &line);
    }
    out
}

/// The summary above the picture: one line, or two in a narrow picture.
fn headlines(trace: &Trace, width: usize) -> Vec<String> {
    let count = |number: usize, one: &str, many: &str| {
        format!("{number} {}", if number == 1 { one } else { many })
    };
    let mut parts = vec![
        words::duration(trace.duration()),
        count(trace.spans().len(), "span", "spans"),
        count(trace.services().len(), "service", "services"),
        match trace.errors() {
            0 => "no errors".to_owned(),
            errors => count(errors, "error", "errors"),
        },
    ];
    let roots = trace.roots().count();
    if roots != 1 {
        parts.push(if roots == 0 {
            "no root".to_owned()
        } else {
            count(roots, "root", "roots")
        });
    }
    let orphans = trace.orphans().count();
    if orphans > 0 {
        parts.push(count(orphans, "orphan", "orphans"));
    }
    let (id, facts) = (format!("trace {}", trace.id()), parts.join(" · "));
    let one = format!("{id}   {facts}");
    if words::width(&one) <= width {
        vec![one]
    } else {
        vec![id, fit(&facts, width).into_owned()]
    }
}

fn titles(layout: &Layout, axis: &Axis) -> String {
    let mut line = pad_end("span", layout.name);
    for (title, width) in [("service", layout.service), ("kind", layout.kind)] {
        if width > 0 {
            line.push_str("  ");
            line.push_str(&pad_end(&fit(title, width), width));
        }
    }
    line.push_str("  ");
    line.push_str(&pad_end(&axis.labels(), layout.bar));
    line.push_str("  ");
    line.push_str(&pad_start("time", layout.duration));
    line
}

fn span_line(
    trace: &Trace,
    index: usize,
    guide: &Guide,
    layout: &Layout,
    axis: &Axis,
    painter: &Painter<'_>,
) -> String {
    let span = trace.span(index);
    let ink = painter.service(span.service());
    let room = layout.name.saturating_sub(guide.width());
    let name_ink = if span.is_error() {
        Ink::Error
    } else {
        Ink::Plain
    };
    let name = pad_end(&fit(&rows::name(&span.name), room), room);

    let mut line = painter.paint(Ink::Faint, &guide.0);
    line.push_str(&painter.paint(name_ink, &name));
    if layout.service > 0 {
        line.push_str("  ");
        line.push_str(&painter.paint(
            ink,
            &pad_end(&fit(span.service(), layout.service), layout.service),
        ));
    }
    if layout.kind > 0 {
        line.push_str("  ");
        line.push_str(&painter.paint(Ink::Faint, &pad_end(rows::kind(span.kind), layout.kind)));
    }
    line.push_str("  ");
    line.push_str(&painter.paint(ink, &axis.bar(span)));
    line.push_str("  ");
    line.push_str(&pad_start(
        &words::duration(span.duration()),
        layout.duration,
    ));
    if span.is_error() {
        line.push_str(&painter.paint(Ink::Error, " ✗"));
    }
    line
}

fn push_line(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}
