//! A trace that passes, changed in one way, no longer passes.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod shop;

use std::sync::Arc;

use expect::{Mark, Report, Verdict, check};
use scenario::Expectation;
use shop::{Shop, exception, trace_id};
use testing::{spans::link_to, traces::SpanExt};
use trace::{Kind, Resource, Span, SpanId, Value};

fn checkout() -> Expectation {
    shop::expectation()
}

fn report(shop: &Shop) -> Report {
    check(&checkout(), &shop.trace(), &[])
}

/// Applies a mutation to a healthy trace, and requires that it is caught with these words.
fn caught(words: &[&str], mutate: impl FnOnce(&mut Shop)) {
    let mut shop = Shop::healthy();
    mutate(&mut shop);
    let report = report(&shop);
    let text = report.text("checkout", "", false);
    assert_eq!(report.verdict, Verdict::Fail, "not caught: {text}");
    for words in words {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
}

#[test]
fn the_healthy_trace_passes() {
    let report = report(&Shop::healthy());
    assert_eq!(
        report.verdict,
        Verdict::Pass,
        "{}",
        report.text("checkout", "", false)
    );
}

#[test]
fn a_dropped_leaf_is_missing() {
    caught(
        &[
            "- checkout fraud check",
            "MISSING; nothing in the trace is like it",
        ],
        |shop| {
            shop.spans.retain(|span| span.name != "fraud check");
        },
    );
}

#[test]
fn a_dropped_span_with_children_is_missing_and_its_children_are_orphans() {
    caught(
        &[
            "- payment POST /charges",
            "(parent 0000000000000014 absent): the span itself did not arrive",
            "orphans",
        ],
        |shop| {
            let id = shop.id("POST /charges", Kind::Server);
            assert_eq!(id, SpanId::from_bytes(0x14u64.to_be_bytes()).unwrap());
            shop.spans.retain(|span| span.span_id != id);
        },
    );
}

#[test]
fn a_reparented_span_is_found_under_another() {
    caught(
        &[
            "- checkout fraud check",
            "found under checkout process_order instead",
        ],
        |shop| {
            let order = shop.id("process_order", Kind::Internal);
            shop.span("fraud check", Kind::Internal).parent_span_id = Some(order);
        },
    );
}

#[test]
fn a_span_whose_parent_is_absent_shows_broken_propagation() {
    caught(
        &[
            "- email process shop:order.placed:email",
            "nearest: orphan",
            "(parent 0000000000000077 absent): propagation is broken",
        ],
        |shop| {
            let absent = SpanId::from_bytes(0x77u64.to_be_bytes()).unwrap();
            let consumer = shop.span("process shop:order.placed:email", Kind::Consumer);
            consumer.parent_span_id = Some(absent);
        },
    );
}

#[test]
fn a_span_without_a_parent_is_a_second_root() {
    caught(
        &[
            "roots",
            "- payment POST /charges",
            "a root of this trace: propagation is broken",
        ],
        |shop| {
            shop.span("POST /charges", Kind::Server).parent_span_id = None;
        },
    );
}

#[test]
fn another_kind_is_caught() {
    caught(
        &[
            "~ payment POST /charges",
            "kind",
            "want server",
            "got internal",
        ],
        |shop| {
            shop.span("POST /charges", Kind::Server).kind = Kind::Internal;
        },
    );
}

#[test]
fn another_service_is_caught() {
    caught(
        &["~ checkout render", "service", "want email", "got checkout"],
        |shop| {
            let checkout = shop.span("fraud check", Kind::Internal).resource.clone();
            shop.span("render", Kind::Internal).resource = checkout;
        },
    );
}

#[test]
fn a_service_without_a_name_is_not_called_by_the_name_that_sdks_give_it() {
    caught(
        &["~ (no service) render", "want email", "got absent"],
        |shop| {
            shop.span("render", Kind::Internal).resource = Arc::default();
        },
    );
}

#[test]
fn a_renamed_span_is_caught() {
    caught(
        &[
            "~ checkout fetch items",
            "name",
            "want fetch_items",
            "got fetch items",
        ],
        |shop| {
            shop.span("fetch_items", Kind::Internal).name = "fetch items".into();
        },
    );
}

#[test]
fn a_duplicated_span_is_caught() {
    caught(
        &["+ checkout fetch_items", "UNEXPECTED (times: 1; span "],
        |shop| {
            let copy = shop.span("fetch_items", Kind::Internal).clone();
            shop.spans.push(copy);
        },
    );
}

#[test]
fn a_span_beneath_a_closed_one_is_caught() {
    caught(
        &["+ payment retry", "UNEXPECTED (closed: true; span "],
        |shop| {
            let charge = shop.id("charge payment", Kind::Internal);
            shop.add(Some(charge), "payment", "retry", Kind::Internal);
        },
    );
}

#[test]
fn an_integer_sent_as_a_string_is_caught() {
    caught(
        &["order.item_count", "want int 3..", "got string \"3\""],
        |shop| {
            set(shop, "process_order", "order.item_count", Some("3".into()));
        },
    );
}

#[test]
fn an_integer_sent_as_a_double_is_caught() {
    caught(&["order.item_count", "got double 3.0"], |shop| {
        set(shop, "process_order", "order.item_count", Some(3.0.into()));
    });
}

#[test]
fn a_boolean_sent_as_a_string_is_caught() {
    caught(
        &[
            "order.discount_applied",
            "want bool true",
            "got string \"true\"",
        ],
        |shop| {
            set(
                shop,
                "process_order",
                "order.discount_applied",
                Some("true".into()),
            );
        },
    );
}

#[test]
fn a_missing_attribute_is_absent_and_an_empty_one_is_empty() {
    caught(&["order.id", "got absent"], |shop| {
        set(shop, "process_order", "order.id", None)
    });
    caught(&["order.id", "got string \"\""], |shop| {
        set(shop, "process_order", "order.id", Some("".into()));
    });
    caught(&["order.id", "got empty (empty)"], |shop| {
        set(shop, "process_order", "order.id", Some(Value::Empty));
    });
}

#[test]
fn an_attribute_sent_twice_with_two_values_is_caught() {
    caught(
        &[
            "order.discount_applied",
            "got 2 values: bool true, bool false",
        ],
        |shop| {
            let order = shop.span("process_order", Kind::Internal);
            order
                .attributes
                .0
                .push(("order.discount_applied".into(), false.into()));
        },
    );
}

#[test]
fn an_attribute_moved_to_the_resource_is_absent() {
    caught(&["order.id", "got absent"], |shop| {
        let order = shop.span("process_order", Kind::Internal);
        let at = order
            .attributes
            .0
            .iter()
            .position(|(key, _)| key == "order.id")
            .unwrap();
        let moved = order.attributes.0.remove(at);
        Arc::make_mut(&mut order.resource).attributes.0.push(moved);
    });
}

#[test]
fn another_status_is_caught() {
    caught(
        &[
            "~ payment POST /charges",
            "status",
            "want unset",
            "got error",
            "errors",
        ],
        |shop| {
            shop.span("POST /charges", Kind::Server).fails("failed");
        },
    );
}

#[test]
fn a_link_to_another_span_or_trace_and_no_link_are_caught() {
    let consumer = "process shop:order.placed:email";
    caught(&["link $producer", "got no link"], |shop| {
        shop.span(consumer, Kind::Consumer).links.clear();
    });
    caught(&["link $producer", "got trace 07"], |shop| {
        let other = shop.id("fetch_items", Kind::Internal);
        shop.span(consumer, Kind::Consumer).links = vec![link_to(trace_id(), other)];
    });
    caught(&["link $producer", "got trace 08"], |shop| {
        let producer = shop.id("send shop:order.placed", Kind::Producer);
        let other = trace::TraceId::from_bytes([8; 16]).unwrap();
        shop.span(consumer, Kind::Consumer).links = vec![link_to(other, producer)];
    });
}

#[test]
fn spans_whose_parents_go_in_a_circle_are_caught() {
    caught(&["orphans", "- checkout fetch_items"], |shop| {
        let select = shop.id("SELECT cart_lines", Kind::Client);
        shop.span("fetch_items", Kind::Internal).parent_span_id = Some(select);
    });
}

#[test]
fn no_trace_is_caught() {
    caught(&["roots", "spans", "- checkout POST /checkout"], |shop| {
        shop.spans.clear()
    });
}

/// Spans that the expectation does not name, or of which it is content with any number.
const OPEN: [&str; 7] = [
    "SELECT idempotency_keys",
    "SELECT reservations",
    "UPDATE stock",
    "INSERT reservations",
    "UPDATE orders",
    "INSERT outbox",
    "INSERT processed_messages",
];

#[test]
fn every_mutation_of_every_span_that_is_named_is_caught() {
    type Mutate = fn(&mut Vec<Span>, usize);
    let mutations: [(&str, Mutate); 8] = [
        ("drop", |spans, index| drop(spans.remove(index))),
        ("duplicate", |spans, index| spans.push(spans[index].clone())),
        ("rename", |spans, index| spans[index].name.push('x')),
        ("another kind", |spans, index| {
            spans[index].kind = Kind::Unspecified
        }),
        ("another service", |spans, index| {
            let other = spans[index].service() == "checkout";
            let named = if other { "payment" } else { "checkout" };
            spans[index].resource = Arc::new(Resource {
                attributes: [("service.name", named)].into_iter().collect(),
                ..Resource::default()
            });
        }),
        ("no parent that is here", |spans, index| {
            spans[index].parent_span_id = SpanId::from_bytes([0xee; 8]).ok();
        }),
        ("no service", |spans, index| {
            spans[index].resource = Arc::default()
        }),
        ("child of itself", |spans, index| {
            spans[index].parent_span_id = Some(spans[index].span_id);
        }),
    ];
    let healthy = Shop::healthy();
    let want = shop::expectation();
    for index in
        (0..healthy.spans.len()).filter(|&i| !OPEN.contains(&healthy.spans[i].name.as_str()))
    {
        for (what, mutate) in mutations {
            let mut shop = Shop {
                spans: healthy.spans.clone(),
            };
            mutate(&mut shop.spans, index);
            let verdict = check(&want, &shop.trace(), &[]).verdict;
            assert_eq!(
                verdict,
                Verdict::Fail,
                "{what}: {}",
                healthy.spans[index].name
            );
        }
    }
}

#[test]
fn the_order_in_which_spans_arrive_or_start_does_not_matter() {
    let mut shop = Shop::healthy();
    shop.spans.reverse();
    for (index, span) in shop.spans.iter_mut().enumerate() {
        (span.start_ns, span.end_ns) = (index as u64, index as u64);
    }
    assert_eq!(report(&shop).verdict, Verdict::Pass);
}

/// A healthy trace passes one expectation of its own; changed, it fails it.
fn speaks_of(node: &str, prepare: impl Fn(&mut Shop), mutate: impl Fn(&mut Shop)) {
    let text = format!(
        "name: x\ntitle: X\nload: {{ requests: 1, users: 1 }}\nexpect:\n  tree:\n    - {{ any-depth: true, {node} }}\n"
    );
    let expectation = scenario::parse("x.yaml", &text)
        .unwrap_or_else(|e| panic!("{e}"))
        .expect;
    let mut shop = Shop::healthy();
    prepare(&mut shop);
    let report = check(&expectation, &shop.trace(), &[]);
    assert_eq!(
        report.verdict,
        Verdict::Pass,
        "{}",
        report.text("x", "", false)
    );
    mutate(&mut shop);
    let report = check(&expectation, &shop.trace(), &[]);
    assert_eq!(report.verdict, Verdict::Fail, "not caught: {node}");
    assert!(report.tree.iter().any(|line| line.mark != Mark::Same));
}

#[test]
fn a_cleared_error_and_its_event_are_caught() {
    let node = "span: { name: fraud check }, status: error, \
        events: [{ name: exception, attributes: { exception.type: Timeout } }]";
    let broken = |shop: &mut Shop| {
        let span = shop.span("fraud check", Kind::Internal);
        span.fails("failed");
        span.events.push(exception("Timeout"));
    };
    speaks_of(node, broken, |shop| {
        shop.span("fraud check", Kind::Internal).status = Default::default()
    });
    speaks_of(node, broken, |shop| {
        shop.span("fraud check", Kind::Internal).events.clear()
    });
    speaks_of(node, broken, |shop| {
        shop.span("fraud check", Kind::Internal).events = vec![exception("Refused")];
    });
    speaks_of(node, broken, |shop| {
        shop.span("fraud check", Kind::Internal)
            .events
            .push(exception("Timeout"));
    });
}

#[test]
fn a_double_a_duration_a_resource_and_a_scope_are_caught() {
    let nothing = |_: &mut Shop| {};
    let total = "span: { name: process_order }, attributes: { order.total: { double: 19.99 } }";
    speaks_of(total, nothing, |shop| {
        set(shop, "process_order", "order.total", Some("19.99".into()))
    });
    speaks_of(total, nothing, |shop| {
        set(shop, "process_order", "order.total", Some(20.into()))
    });

    let short = "span: { name: fraud check }, duration: \"<= 20ms\"";
    speaks_of(short, nothing, |shop| {
        shop.span("fraud check", Kind::Internal).end_ns += 1
    });
    speaks_of(short, nothing, |shop| {
        let span = shop.span("fraud check", Kind::Internal);
        span.end_ns = span.start_ns - 1;
    });

    let version = "span: { name: render }, resource: { service.version: \"0.1.0\" }";
    speaks_of(version, nothing, |shop| {
        let span = shop.span("render", Kind::Internal);
        Arc::make_mut(&mut span.resource)
            .attributes
            .0
            .retain(|(key, _)| key == "service.name");
        span.attributes
            .0
            .push(("service.version".into(), "0.1.0".into()));
    });

    let scope = "span: { name: render }, scope: { scope.flavour: absent }";
    speaks_of(scope, nothing, |shop| {
        let span = shop.span("render", Kind::Internal);
        Arc::make_mut(&mut span.scope)
            .attributes
            .0
            .push(("scope.flavour".into(), Value::Empty));
    });
}

#[test]
fn a_span_that_must_not_be_there_is_caught_wherever_it_stands() {
    let nothing = |_: &mut Shop| {};
    speaks_of(
        "span: { name: \"~DELETE .*\" }, times: 0",
        nothing,
        |shop| {
            let parent = shop.id("POST /reservations", Kind::Server);
            shop.add(Some(parent), "inventory", "DELETE stock", Kind::Client);
        },
    );
}

/// Sets or removes an attribute of the only INTERNAL span with a name.
fn set(shop: &mut Shop, name: &str, key: &str, value: Option<Value>) {
    let attributes = &mut shop.span(name, Kind::Internal).attributes.0;
    attributes.retain(|(known, _)| known != key);
    attributes.extend(value.map(|value| (key.into(), value)));
}
