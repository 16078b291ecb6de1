//! Renders the report as text: the failure tree.

use std::{fmt::Write as _, time::Duration};

use plain::{Plain, plain};
use trace::milliseconds;

use crate::report::{Line, Mark, Report, Verdict};

/// The highest number of children of one span that are printed; JSON has all of them.
const MOST_LINES: usize = 30;
/// The highest widths of aligned columns; longer text moves the rest of its line to the right.
const WIDEST_LABEL: usize = 72;
const WIDEST_VALUE: usize = 48;

// === impl Verdict ===

impl Verdict {
    /// The word for it in a report: `PASS`, `FAIL` or `UNSUPPORTED`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Unsupported => "UNSUPPORTED",
        }
    }

    /// The word for it, in the colour that it has on a terminal (ANSI) if `colour`.
    pub fn painted(self, colour: bool) -> String {
        let paint = Paint { colour };
        match self {
            Verdict::Pass => paint.green(self.word()),
            Verdict::Fail => paint.red(self.word()),
            Verdict::Unsupported => paint.yellow(self.word()),
        }
    }
}

// === impl Report ===

impl Report {
    /// Renders the report as text that ends in a line break.
    ///
    /// `title` names the subject of the check, such as the scenario; `note` adds information, such as the
    /// source of the trace, and may be empty. A trace that passes takes one line.
    pub fn text(&self, title: &str, note: &str, colour: bool) -> String {
        let paint = Paint { colour };
        let mut text = String::new();
        let verdict = self.verdict.painted(colour);
        let note = if note.is_empty() {
            String::new()
        } else {
            format!("  {}", Plain(note))
        };
        let title = plain(title);
        let _ = writeln!(text, "{verdict} {title}  trace {}{note}", self.trace_id);
        if self.verdict == Verdict::Pass {
            return text;
        }
        for line in self.counts.iter().filter(|line| !line.ok) {
            let got = paint.red(&format!("got {}", Plain(&line.got)));
            let _ = writeln!(
                text,
                "  {} {:<8} want {}  {got}",
                paint.red("~"),
                Plain(&line.what),
                Plain(&line.want)
            );
        }
        let mut rows = Vec::new();
        for line in &self.tree {
            rows.push(Row {
                indent: "  ".to_owned(),
                below: "  ".to_owned(),
                line,
                top: true,
            });
            if line.verdict() != Verdict::Pass {
                children(line, "  ", &mut rows);
            }
        }
        layout(&rows, &paint, &mut text);
        text
    }
}

/// A line with its place in the drawing.
struct Row<'l> {
    /// The drawing before the line.
    indent: String,
    /// The drawing before the lines that continue it.
    below: String,
    line: &'l Line,
    top: bool,
}

/// Adds the rows of a line's children. Children of passed lines are not shown.
fn children<'l>(line: &'l Line, indent: &str, rows: &mut Vec<Row<'l>>) {
    let mut shown: Vec<&Line> = line.children.iter().collect();
    if shown.len() > MOST_LINES {
        // Passed lines are removed first, so that failures stay visible.
        shown.retain(|child| child.verdict() != Verdict::Pass);
        shown.truncate(MOST_LINES);
    }
    for (index, child) in shown.iter().enumerate() {
        let last = index + 1 == shown.len();
        let (fork, rail) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let below = format!("{indent}{rail}");
        let opened = child.verdict() != Verdict::Pass && !child.children.is_empty();
        rows.push(Row {
            indent: format!("{indent}{fork}"),
            below: if opened {
                format!("{below}│ ")
            } else {
                format!("{below}  ")
            },
            line: child,
            top: false,
        });
        if opened {
            children(child, &below, rows);
        }
    }
}

/// The widths of the columns.
struct Columns {
    /// The width of the drawing and the label.
    label: usize,
    field: usize,
    want: usize,
}

fn layout(rows: &[Row<'_>], paint: &Paint, text: &mut String) {
    let columns = Columns::of(rows);
    for row in rows {
        let said = row.said(&columns, paint);
        let head = format!("{}{}", row.indent, row.painted(paint));
        let gap = columns.label.saturating_sub(row.width());
        let first = said.first().map_or("", String::as_str);
        let _ = writeln!(text, "{}", format!("{head}{:gap$}  {first}", "").trim_end());
        let gap = columns.label.max(row.width()) - width(&row.below);
        for more in said.iter().skip(1) {
            let _ = writeln!(text, "{}{:gap$}  {more}", row.below, "");
        }
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

// === impl Columns ===

impl Columns {
    fn of(rows: &[Row<'_>]) -> Self {
        let widest = |widths: &mut dyn Iterator<Item = usize>, bound: usize| {
            widths.filter(|width| *width <= bound).max().unwrap_or(0)
        };
        let differences = || rows.iter().flat_map(|row| &row.line.differences);
        let saying = rows.iter().filter(|row| row.says_something());
        Columns {
            label: widest(&mut saying.map(Row::width), WIDEST_LABEL),
            field: widest(
                &mut differences().map(|d| width(&plain(&d.field))),
                WIDEST_VALUE,
            ),
            want: widest(
                &mut differences().map(|d| width(&plain(&d.want))),
                WIDEST_VALUE,
            ),
        }
    }
}

// === impl Row ===

impl Row<'_> {
    /// The width of the drawing and the label.
    fn width(&self) -> usize {
        width(&self.indent) + width(&self.painted(&Paint { colour: false }))
    }

    fn says_something(&self) -> bool {
        let line = self.line;
        line.note.is_some() || !line.differences.is_empty() || line.verdict() == Verdict::Pass
    }

    /// The text beside the label of the line.
    fn said(&self, columns: &Columns, paint: &Paint) -> Vec<String> {
        if self.line.verdict() == Verdict::Pass {
            return vec![paint.green("ok")];
        }
        let note = self.line.note.iter().map(|note| self.note(note, paint));
        let differences = self.line.differences.iter().map(|difference| {
            let (field, want) = (plain(&difference.field), plain(&difference.want));
            let got = format!("got {}", plain(&difference.got));
            let got = match &difference.unknown {
                None => paint.red(&got),
                Some(why) => format!("{} ({why})", paint.yellow(&got)),
            };
            let Columns {
                field: field_width,
                want: want_width,
                ..
            } = *columns;
            format!("{field:<field_width$}  want {want:<want_width$}  {got}")
        });
        note.chain(differences).collect()
    }

    fn painted(&self, paint: &Paint) -> String {
        let line = self.line;
        let mark = match line.mark {
            Mark::Same if self.top => String::new(),
            Mark::Same => paint.green("=") + " ",
            Mark::Unsupported => paint.yellow("?") + " ",
            mark => paint.red(&mark.as_char().to_string()) + " ",
        };
        let mut label = format!("{mark}{} {}", plain(&line.service), plain(&line.name));
        if line.times > 1 {
            let _ = write!(label, "  ×{}", line.times);
        }
        if let (true, Some(nanoseconds)) = (self.top, line.nanoseconds) {
            let _ = write!(
                label,
                "  {:.0}ms",
                milliseconds(Duration::from_nanos(nanoseconds))
            );
        }
        label
    }

    fn note(&self, note: &str, paint: &Paint) -> String {
        let note = plain(note);
        match self.line.mark {
            Mark::Missing => format!("{}; {note}", paint.red("MISSING")),
            Mark::Unexpected => {
                // Of several that are alike, only the first has its id in the line.
                let which = match (self.line.span_id, self.line.times) {
                    (Some(id), 1) => format!("; span {id}"),
                    _ => String::new(),
                };
                format!("{} ({note}{which})", paint.red("UNEXPECTED"))
            }
            _ => paint.yellow(&note),
        }
    }
}

struct Paint {
    colour: bool,
}

// === impl Paint ===

impl Paint {
    fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    fn yellow(&self, text: &str) -> String {
        self.paint("33", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}
