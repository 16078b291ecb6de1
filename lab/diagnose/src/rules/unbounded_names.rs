//! Span names that hold ids: there are as many as there are requests.

use trace::{Kind, Span};

use crate::{
    call,
    finding::{Finding, Looks, Rule, Severity},
    hash::{HashMap, HashSet},
    run::Run,
    shape,
};

/// `unbounded-names`.
pub(crate) static RULE: Rule = Rule {
    name: "unbounded-names",
    severity: Severity::Warning,
    means: "span names hold ids or values: spans of one kind cannot be found or counted together",
    remedy: "name the span by its route or its operation (GET /orders/{id}); put the id into an attribute",
    source: "ours (a URL's query, a UUID or a long hexadecimal word in a name; a path that is not its route; ten names of one pattern in a run)",
    looks: Looks::AtTheRun(look),
};

fn look(run: &Run<'_>, found: &mut dyn FnMut(usize, Finding)) {
    let mut patterns: HashMap<String, HashSet<&str>> = HashMap::default();
    for view in run.views {
        for place in 0..view.len() {
            let span = view.span(place);
            if may_be_one(&span.name) {
                let shape = shape::name(&span.name);
                if shape != span.name {
                    let pattern = format!("{} {} {shape}", span.service(), span.kind);
                    patterns.entry(pattern).or_default().insert(&span.name);
                }
            }
        }
    }
    for (at, view) in run.views.iter().enumerate() {
        let mut worst: Option<(usize, usize)> = None;
        let mut places = Vec::new();
        for place in 0..view.len() {
            let span = view.span(place);
            if !may_be_one(&span.name) && !is_not_its_route(span) {
                continue;
            }
            let shape = shape::name(&span.name);
            let names = patterns
                .get(&format!("{} {} {shape}", span.service(), span.kind))
                .map_or(1, HashSet::len);
            let by_itself = shape::is_unique(&span.name) || is_not_its_route(span);
            if by_itself || (shape != span.name && names >= run.limits.distinct_names) {
                places.push(place);
                worst = worst.max(Some((names, place)));
            }
        }
        if let Some((names, place)) = worst {
            let evidence = format!(
                "The name of {} holds what differs from request to request; {} spans here have such names, and there are {names} of this pattern in the run.",
                view.place(place),
                places.len()
            );
            found(
                at,
                Finding::new(&RULE, view.ids(&places), evidence)
                    .fact("spans", places.len())
                    .fact("names", names)
                    .fact("pattern", shape::name(&view.span(place).name)),
            );
        }
    }
}

/// Whether a name could hold an id at all.
fn may_be_one(name: &str) -> bool {
    name.bytes()
        .any(|byte| byte.is_ascii_digit() || byte == b'?')
}

/// Whether the name of a request has its path where its route should be.
fn is_not_its_route(span: &Span) -> bool {
    if span.kind != Kind::Server {
        return false;
    }
    let (Some(route), Some(path)) = (call::text(span, &["http.route"]), call::path(span)) else {
        return false;
    };
    route != path && path.len() > 1 && !span.name.contains(route) && span.name.contains(path)
}
