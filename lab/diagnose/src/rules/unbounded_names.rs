//! Span names that contain ids: their number grows with the number of requests.

use std::borrow::Cow;

use trace::{Kind, Span, Trace};

use crate::{
    facts::{call, run::RunFacts, shape},
    finding::{Explains, Finding, Rule, Scope, Severity},
    hash::{HashMap, HashSet},
    thresholds::{OURS, Threshold},
};

/// The rule `unbounded-names`.
pub(crate) static RULE: Rule = Rule {
    name: "unbounded-names",
    severity: Severity::Warning,
    summary: "span names hold ids or values: spans of one kind cannot be found or counted together",
    remedy: "name the span by its route or its operation (GET /orders/{id}); put the id into an attribute",
    thresholds: &[Threshold::count(
        "names of one pattern in a run",
        |limits| limits.distinct_names,
        OURS,
    )],
    source: "ours (a URL's query, a UUID or a long hexadecimal word in a name; a path that is not its route; ten names of one pattern in a run)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::NOTHING,
    scope: Scope::Run(detect),
};

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    let views = run.views.iter();
    let suspects: Vec<Vec<Suspect<'_>>> = views.map(|view| suspects(&view.trace)).collect();
    let mut patterns: HashMap<Pattern<'_>, HashSet<&str>> = HashMap::default();
    for (view, suspects) in run.views.iter().zip(&suspects) {
        for suspect in suspects {
            let span = view.span(suspect.place);
            if suspect.shape != span.name {
                let names = patterns.entry(suspect.pattern(span)).or_default();
                names.insert(&span.name);
            }
        }
    }
    for (at, view) in run.views.iter().enumerate() {
        let mut worst: Option<(usize, &Suspect<'_>)> = None;
        let mut places = Vec::new();
        for suspect in &suspects[at] {
            let span = view.span(suspect.place);
            let pattern = suspect.pattern(span);
            let names = patterns.get(&pattern).map_or(1, HashSet::len);
            let names = names.max(run.known_names(pattern.0, pattern.1, pattern.2));
            let is_of_many = suspect.shape != span.name && names >= run.limits.distinct_names;
            if suspect.is_unbounded || is_of_many {
                places.push(suspect.place);
                if worst.is_none_or(|(most, _)| most <= names) {
                    worst = Some((names, suspect));
                }
            }
        }
        if let Some((names, worst)) = worst {
            let here = match places.len() {
                1 => "1 span here has such a name".to_owned(),
                many => format!("{many} spans here have such names"),
            };
            let verb = if names == 1 { "is" } else { "are" };
            let evidence = format!(
                "The name of {} holds what differs from request to request; {here}, and there {verb} {names} of this pattern in the run.",
                view.place(worst.place)
            );
            found(
                at,
                Finding::new(&RULE, view.ids(&places), evidence)
                    .fact("spans", places.len())
                    .fact("names", names)
                    .fact("pattern", &*worst.shape),
            );
        }
    }
}

/// A span whose name may contain an id.
struct Suspect<'v> {
    place: usize,
    shape: Cow<'v, str>,
    /// Whether the name alone proves it.
    is_unbounded: bool,
}

/// The common part of names that differ only in their ids: the service, the kind, the shape.
type Pattern<'s> = (&'s str, Kind, &'s str);

impl Suspect<'_> {
    fn pattern<'s>(&'s self, span: &'s Span) -> Pattern<'s> {
        (span.service(), span.kind, &self.shape)
    }
}

/// Calls back with each name of a trace that may be one of many of a pattern, with its service, its kind and what is
/// common to the names.
pub(crate) fn names_with_ids(trace: &Trace, each: &mut dyn FnMut(&str, Kind, &str, &str)) {
    for suspect in suspects(trace) {
        let span = trace.span(suspect.place);
        if suspect.shape != span.name {
            each(span.service(), span.kind, &suspect.shape, &span.name);
        }
    }
}

fn suspects(trace: &Trace) -> Vec<Suspect<'_>> {
    let suspect = |(place, span): (usize, &'_ Span)| {
        let is_not_its_route = span.kind == Kind::Server && is_not_its_route(span);
        (is_not_its_route || shape::may_hold_an_id(&span.name)).then_some((place, is_not_its_route))
    };
    let places = trace.spans().iter().enumerate().filter_map(suspect);
    let suspects = places.map(|(place, is_not_its_route)| {
        let name = &trace.span(place).name;
        Suspect {
            place,
            shape: shape::name(name),
            is_unbounded: is_not_its_route || shape::is_unique(name),
        }
    });
    suspects.collect()
}

/// Whether the name of a request contains its path instead of its route.
fn is_not_its_route(span: &Span) -> bool {
    let (Some(route), Some(path)) = (call::text(span, &["http.route"]), call::path(span)) else {
        return false;
    };
    route != path && path.len() > 1 && !span.name.contains(route) && span.name.contains(path)
}
