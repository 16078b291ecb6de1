//! Plots as SVG within an HTML page. Colours are CSS classes, so that they follow the reader's light or dark.

use std::fmt::Write as _;

use super::text::count;

/// A line of a plot.
pub(super) struct Line {
    pub(super) name: &'static str,
    /// The class of its colour: `s1` to `s4`.
    pub(super) class: &'static str,
    /// Points, in the order of x.
    pub(super) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 74.0;
const BOTTOM: f64 = 30.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 12.0;

/// Lines over an axis. `None` where no line has two points.
pub(super) fn lines(title: &str, x_name: &str, unit: &str, lines: &[Line]) -> Option<String> {
    let lines: Vec<&Line> = lines.iter().filter(|line| line.points.len() > 1).collect();
    let all = || lines.iter().flat_map(|line| &line.points);
    let x_most = all().map(|(x, _)| *x).fold(0.0, f64::max);
    let x_least = all().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let y_most = nice(all().map(|(_, y)| *y).fold(0.0, f64::max));
    if lines.is_empty() || x_most <= x_least {
        return None;
    }
    let x = |value: f64| LEFT + (value - x_least) / (x_most - x_least) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / y_most * (HEIGHT - BOTTOM - TOP);
    let mut out = String::new();
    // Text takes all that is written to it.
    let _ = write_lines(
        &mut out,
        title,
        x_name,
        unit,
        &lines,
        (x_least, x_most),
        y_most,
        x,
        y,
    );
    Some(out)
}

#[allow(clippy::too_many_arguments, reason = "the parts of one drawing")]
fn write_lines(
    out: &mut String,
    title: &str,
    x_name: &str,
    unit: &str,
    lines: &[&Line],
    (x_least, x_most): (f64, f64),
    y_most: f64,
    x: impl Fn(f64) -> f64,
    y: impl Fn(f64) -> f64,
) -> std::fmt::Result {
    write!(
        out,
        "<figure><figcaption>{title}<span class=\"unit\">{unit}</span></figcaption>\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
    )?;
    for step in 0..=4 {
        let value = y_most * f64::from(step) / 4.0;
        let at = y(value);
        write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            short(value)
        )?;
    }
    for step in 0..=4 {
        let value = x_least + (x_most - x_least) * f64::from(step) / 4.0;
        write!(
            out,
            "<text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x(value),
            HEIGHT - 10.0,
            short(value)
        )?;
    }
    for line in lines {
        let points: Vec<String> = line
            .points
            .iter()
            .map(|(px, py)| format!("{:.1},{:.1}", x(*px), y(*py)))
            .collect();
        write!(
            out,
            "<polyline class=\"{}\" points=\"{}\"/>",
            line.class,
            points.join(" ")
        )?;
    }
    write!(out, "</svg><p class=\"legend\">")?;
    for line in lines {
        write!(
            out,
            "<span class=\"key {}\"></span>{} ",
            line.class, line.name
        )?;
    }
    write!(
        out,
        "<span class=\"unit\">over {x_name}</span></p></figure>"
    )
}

/// Parts of a whole as one bar: name, class and amount of each.
pub(super) fn bar(parts: &[(&str, &str, u64)]) -> String {
    let all: u64 = parts.iter().map(|(.., amount)| amount).sum();
    let mut out = String::from(
        "<svg class=\"bar\" viewBox=\"0 0 640 18\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"fate of spans\">",
    );
    let mut at = 0.0;
    for (name, class, amount) in parts.iter().filter(|(.., amount)| *amount > 0) {
        // What is there is seen, however little.
        let width = (*amount as f64 / all.max(1) as f64 * 640.0).max(3.0);
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{:.1}\" width=\"{width:.1}\" height=\"18\"><title>{name}: {}</title></rect>",
            f64::min(at, 637.0),
            count(*amount as f64)
        );
        at += width;
    }
    out.push_str("</svg>");
    out
}

/// The next number of 1, 2 and 5 with zeros.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let size = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter();
    steps
        .map(|step| step * size)
        .find(|step| *step >= value)
        .unwrap_or(value)
}

fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{}M", trimmed(value / 1e6)),
        1e4..1e6 => format!("{}k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let digits = if value >= 100.0 { 0 } else { 2 };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
