//! What became of the events and the links of a span.

use trace::{Event, Link, Span};

use super::{
    Difference, clipped,
    span::{number, text, time},
    values::Attributes,
};
use crate::loss::{Field, How, Loss};

pub(super) fn events(sent: &Span, got: &Span, found: &mut Vec<Difference>) {
    let mut left: Vec<&Event> = got.events.iter().collect();
    let mut unlike = Vec::new();
    for event in &sent.events {
        match left.iter().position(|got| *got == event) {
            Some(at) => drop(left.remove(at)),
            None => unlike.push(event),
        }
    }
    for event in unlike {
        let place = clipped(&event.name);
        let like = |got: &Event| {
            let name = u64::from(!got.name.eq_ignore_ascii_case(&event.name));
            (name, got.time_ns.abs_diff(event.time_ns))
        };
        let Some((at, _)) = left.iter().enumerate().min_by_key(|(_, got)| like(got)) else {
            found.push(Difference {
                place,
                ..Difference::of(
                    Loss::new(Field::Event, How::Missing),
                    format!("event {:?}", event.name),
                    String::new(),
                )
            });
            continue;
        };
        let got = left.remove(at);
        let first = found.len();
        text(Field::EventName, &event.name, &got.name, found);
        time(Field::EventTime, event.time_ns, got.time_ns, found);
        number(
            Field::EventDropped,
            event.dropped_attributes,
            got.dropped_attributes,
            found,
        );
        Attributes::of(&event.attributes, &got.attributes).tell(Field::EventAttribute, found);
        within(&mut found[first..], &format!("event {place}"));
    }
    for event in left {
        let is_copy = sent.events.contains(event);
        let how = if is_copy { How::Duplicated } else { How::Added };
        found.push(Difference::of(
            Loss::new(Field::Event, how),
            String::new(),
            format!("event {:?}", event.name),
        ));
    }
}

pub(super) fn links(sent: &Span, got: &Span, found: &mut Vec<Difference>) {
    let mut left: Vec<&Link> = got.links.iter().collect();
    for link in &sent.links {
        let is_it = |got: &&Link| (got.trace_id, got.span_id) == (link.trace_id, link.span_id);
        let same = left.iter().position(|got| *got == link);
        let Some(at) = same.or_else(|| left.iter().position(is_it)) else {
            found.push(Difference::of(
                Loss::new(Field::Link, How::Missing),
                format!("a link to {} {}", link.trace_id, link.span_id),
                String::new(),
            ));
            continue;
        };
        let got = left.remove(at);
        let first = found.len();
        text(
            Field::LinkTraceState,
            &link.trace_state,
            &got.trace_state,
            found,
        );
        number(Field::LinkFlags, link.flags, got.flags, found);
        number(
            Field::LinkDropped,
            link.dropped_attributes,
            got.dropped_attributes,
            found,
        );
        Attributes::of(&link.attributes, &got.attributes).tell(Field::LinkAttribute, found);
        within(&mut found[first..], &format!("link to {}", link.span_id));
    }
    for link in left {
        found.push(Difference::of(
            Loss::new(Field::Link, How::Added),
            String::new(),
            format!("a link to {} {}", link.trace_id, link.span_id),
        ));
    }
}

/// Says in which event or link it was.
fn within(found: &mut [Difference], of: &str) {
    for difference in found {
        difference.place = match difference.place.as_str() {
            "" => of.to_owned(),
            place => format!("{of}, {place}"),
        };
    }
}
