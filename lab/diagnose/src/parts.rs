//! Diagnoses more traces than fit into memory: in parts, in the order of their time, each together with the traces around
//! it. What a rule must know of all traces is learned before, as facts and not as traces.

use std::{
    collections::{BTreeSet, hash_map::Entry},
    hash::BuildHasher,
    ops::Range,
};

use foldhash::quality::RandomState;
use trace::{Trace, TraceId};

use crate::{
    Diagnosis, Thresholds, diagnose_with,
    facts::{ids, known::Known},
    hash::HashMap,
    rules::names_with_ids,
};

/// Traces that can be read one after the other, and again.
pub trait Source {
    /// Why a trace could not be read.
    type Error;

    /// The traces, the earliest first.
    fn traces(&self) -> &[Summary];

    /// Reads the trace at this place among them.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn read(&self, at: usize) -> Result<Trace, Self::Error>;
}

/// What is known of a trace before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: TraceId,
    /// The start of its first span, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// The end of its last span.
    pub end_ns: u64,
    /// The bytes of memory that it takes once it is read.
    pub memory: usize,
}

/// How long before and after a part the traces lie that are read with it.
const NEAR_NS: u64 = 2_000_000_000;

/// The highest number of traces that one id connects: an id of more is none of a request.
const MOST_OF_AN_ID: usize = 32;

/// Diagnoses all traces of a source, and calls back with each diagnosis, in the order of the traces. Traces that fit into
/// `room` bytes are diagnosed together, as by [`crate::diagnose`]; of more, as many as fit. Returns the number of parts.
///
/// # Errors
///
/// When a trace cannot be read, and when `each` returns an error.
pub fn diagnose_in_parts<S: Source>(
    source: &S,
    room: usize,
    thresholds: &Thresholds,
    each: &mut dyn FnMut(&Diagnosis<'_>) -> Result<(), S::Error>,
) -> Result<usize, S::Error> {
    let summaries = source.traces();
    let all: usize = summaries.iter().map(|summary| summary.memory).sum();
    if all <= room {
        let traces = read(source, 0..summaries.len())?;
        for diagnosis in &diagnose_with(&traces, &[], None, thresholds) {
            each(diagnosis)?;
        }
        return Ok(1);
    }
    let (known, related) = learn(source)?;
    let (mut next, mut parts) = (0, 0);
    while next < summaries.len() {
        let part = next..end_of_part(summaries, next, room / 2);
        let places = with_those_around(summaries, &related, &part, room / 2);
        let traces = read(source, places.iter().copied())?;
        let diagnoses = diagnose_with(&traces, &[], Some(&known), thresholds);
        for (diagnosis, place) in diagnoses.iter().zip(&places) {
            if part.contains(place) {
                each(diagnosis)?;
            }
        }
        next = part.end;
        parts += 1;
    }
    Ok(parts)
}

fn read<S: Source>(
    source: &S,
    places: impl Iterator<Item = usize>,
) -> Result<Vec<Trace>, S::Error> {
    places.map(|place| source.read(place)).collect()
}

/// The traces that name the same order or message, or link to one another, by place.
type Related = HashMap<usize, BTreeSet<usize>>;

/// Reads all traces once.
fn learn<S: Source>(source: &S) -> Result<(Known, Related), S::Error> {
    let (mut known, hasher) = (Known::default(), RandomState::default());
    let summaries = source.traces();
    let places: HashMap<TraceId, usize> = summaries
        .iter()
        .enumerate()
        .map(|(place, summary)| (summary.id, place))
        .collect();
    let mut related = Related::default();
    let mut naming: HashMap<u64, Vec<usize>> = HashMap::default();
    for place in 0..summaries.len() {
        let trace = source.read(place)?;
        known.learn(&trace);
        names_with_ids(&trace, &mut |service, kind, shape, name| {
            known.learn_name(service, kind, shape, name);
        });
        let mut relate = |other: usize| {
            if other != place {
                related.entry(place).or_default().insert(other);
                related.entry(other).or_default().insert(place);
            }
        };
        for span in trace.spans() {
            for link in &span.links {
                if let Some(other) = places.get(&link.trace_id) {
                    relate(*other);
                }
            }
            for id in ids::of(span) {
                match naming.entry(hasher.hash_one(&*id)) {
                    Entry::Vacant(first) => drop(first.insert(vec![place])),
                    Entry::Occupied(mut others) => {
                        let others = others.get_mut();
                        if others.last() != Some(&place) && others.len() < MOST_OF_AN_ID {
                            others.iter().for_each(|other| relate(*other));
                            others.push(place);
                        }
                    }
                }
            }
        }
    }
    Ok((known, related))
}

/// The end of a part that begins here and fits into `room`, of one trace at least.
fn end_of_part(summaries: &[Summary], start: usize, room: usize) -> usize {
    let mut taken = 0;
    let fit = summaries[start..].iter().take_while(|summary| {
        taken += summary.memory;
        taken <= room
    });
    start + fit.count().max(1)
}

/// The places of the traces of a part and of those around it that fit into `room` besides: first those that belong to
/// the same requests, then those of the same time.
fn with_those_around(
    summaries: &[Summary],
    related: &Related,
    part: &Range<usize>,
    room: usize,
) -> Vec<usize> {
    let mut places: BTreeSet<usize> = part.clone().collect();
    let mut left = room;
    let mut add = |place: usize| {
        if places.contains(&place) {
            return true;
        }
        match left.checked_sub(summaries[place].memory) {
            Some(less) => {
                left = less;
                places.insert(place)
            }
            None => false,
        }
    };
    for place in part.clone() {
        for other in related.get(&place).into_iter().flatten() {
            add(*other);
        }
    }
    let within = &summaries[part.clone()];
    let start = within.first().map_or(0, |summary| summary.start_ns);
    let end = within.iter().map(|summary| summary.end_ns).max();
    let end = end.unwrap_or(0).saturating_add(NEAR_NS);
    // In turns, so that both sides get their share of the room.
    let mut before = (0..part.start).rev();
    let mut after = part.end..summaries.len();
    let (mut goes_back, mut goes_on) = (true, true);
    while goes_back || goes_on {
        goes_back = goes_back
            && before.next().is_some_and(|place| {
                summaries[place].end_ns.saturating_add(NEAR_NS) >= start && add(place)
            });
        goes_on = goes_on
            && after
                .next()
                .is_some_and(|place| summaries[place].start_ns <= end && add(place));
    }
    places.into_iter().collect()
}
