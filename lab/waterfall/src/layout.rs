//! [`Layout`]: the widths of the parts of a line.

use crate::{
    rows::{self, Row},
    words::width,
};
use plain::plain;
use trace::Trace;

/// The widths of the parts of a line, in columns. Two columns separate two parts. A width of zero means that
/// the part and its separator are left out.
pub(super) struct Layout {
    pub(super) name: usize,
    pub(super) service: usize,
    pub(super) kind: usize,
    pub(super) bar: usize,
    pub(super) duration: usize,
}

const GAP: usize = 2;
const KIND: usize = "consumer".len();
const DURATION: usize = "1.25 min".len();
const LONGEST_SERVICE: usize = 16;
/// Below this width the kind is left out, and below the next one the service: name, bar and time stay.
const WIDTH_FOR_KIND: usize = 72;
const WIDTH_FOR_SERVICE: usize = 54;

impl Layout {
    pub(super) fn new(trace: &Trace, rows: &[Row], total: usize) -> Layout {
        let services = trace.services().into_iter();
        let longest_service = services.map(|it| width(&plain(it))).max().unwrap_or(0);
        let service = if total < WIDTH_FOR_SERVICE {
            0
        } else {
            longest_service.clamp("service".len(), LONGEST_SERVICE)
        };
        let kind = if total < WIDTH_FOR_KIND { 0 } else { KIND };
        let mark = if trace.errors() > 0 { 2 } else { 0 };
        let columns = [service, kind]
            .into_iter()
            .filter(|&column| column > 0)
            .map(|column| column + GAP);
        let rest = total - columns.sum::<usize>() - (GAP + GAP + DURATION + mark);
        // The bars keep three tenths of the width that they share with the names.
        let longest_name = rows
            .iter()
            .filter_map(|row| name_width(trace, row))
            .max()
            .unwrap_or(0);
        let name = longest_name.max("span".len()).min(rest - rest * 3 / 10);
        Layout {
            name,
            service,
            kind,
            bar: rest - name,
            duration: DURATION,
        }
    }
}

/// The highest number of tree levels with guides, so that names keep some room.
pub(super) fn deepest_guides(total: usize) -> usize {
    (total / 9).max(2)
}

fn name_width(trace: &Trace, row: &Row) -> Option<usize> {
    match row {
        Row::Span { guide, index } => {
            Some(guide.width() + width(&rows::name(&trace.span(*index).name)))
        }
        Row::Note { .. } => None,
    }
}
