//! Each mistake gets one clear error: what, where, and what would be right.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use scenario::parse;

const HEAD: &str = "name: x\ntitle: X\nload: { requests: 1, users: 1 }\n";

/// The first line of the error that a file gets.
fn error(text: &str) -> String {
    match parse("x.yaml", text) {
        Ok(_) => panic!("this should have been refused:\n{text}"),
        Err(error) => error.to_string().lines().next().unwrap().to_owned(),
    }
}

/// The error that a node of the tree gets; it stands in line 6.
fn node_error(node: &str) -> String {
    error(&format!("{HEAD}expect:\n  tree:\n    - {node}\n"))
}

#[test]
fn an_error_prints_its_line_with_a_caret() {
    let text =
        format!("{HEAD}expect:\n  tree:\n    - span: {{ kind: server }}\n      chldren: []\n");
    let error = parse("scenarios/x.yaml", &text).unwrap_err();
    let printed = [
        "scenarios/x.yaml:7:7: unknown field \"chldren\"; did you mean \"children\"?",
        "  7 |       chldren: []",
        "    |       ^",
    ];
    assert_eq!(error.to_string(), printed.join("\n"));
}

#[test]
fn words_that_are_not_known_get_the_nearest_that_is() {
    let cases = [
        (
            error("nam: x"),
            "x.yaml:1:1: unknown field \"nam\"; did you mean \"name\"?",
        ),
        (
            node_error("{ span: { kind: cliennt } }"),
            "x.yaml:6:23: unknown kind \"cliennt\"; did you mean \"client\"?",
        ),
        (
            node_error("{ span: { kind: client }, status: eror }"),
            "x.yaml:6:41: unknown status \"eror\"; did you mean \"error\"?",
        ),
        (
            node_error("{ span: { service: paymnt } }"),
            "x.yaml:6:26: the shop has no service \"paymnt\" with spans; did you mean \"payment\"?",
        ),
        (
            node_error("{ span: { kind: client }, attributes: { a: { integer: 3 } } }"),
            "x.yaml:6:52: unknown field \"integer\"; known: int, double, string, bool, matches, \
             bytes, array",
        ),
        (
            node_error("{ span: { service: checkout, name: fraud chek } }"),
            "x.yaml:6:42: checkout emits no span \"fraud chek\"; did you mean \"fraud check\"?",
        ),
    ];
    for (got, want) in cases {
        assert_eq!(got, want);
    }
}

#[test]
fn findings_are_known_ones() {
    let with = |findings: &str| {
        error(&format!(
            "{HEAD}findings: {findings}\nexpect: {{ trace: {{ roots: 1 }} }}"
        ))
    };
    assert_eq!(
        with("[n-plus-on]"),
        "x.yaml:4:12: there is no finding \"n-plus-on\"; did you mean \"n-plus-one\"?"
    );
    assert_eq!(
        with("[chatty, chatty]"),
        "x.yaml:4:20: \"chatty\" is asked for twice"
    );
    assert_eq!(
        with("[{ name: lock-wait, share: \">= 120%\" }]"),
        "x.yaml:4:38: no more than all traces can have it: 100%"
    );
}

#[test]
fn needs_are_known_ones_wherever_they_stand() {
    let expect = "expect: { trace: { roots: 1 } }";
    let with = |rest: &str| error(&format!("{HEAD}{rest}\n{expect}"));
    let cases = [
        (
            with("needs: textbok"),
            "x.yaml:4:8: unknown need \"textbok\"; did you mean \"textbook\"?",
        ),
        (
            with("needs: [postgresql, postgres]"),
            "x.yaml:4:21: unknown need \"postgres\"; did you mean \"postgresql\"?",
        ),
        (
            with("needs: mysql"),
            "x.yaml:4:8: unknown need \"mysql\"; known: postgresql, textbook",
        ),
        (
            with("twin: { faults: { panic: {} }, needs: textbok }"),
            "x.yaml:4:39: unknown need \"textbok\"; did you mean \"textbook\"?",
        ),
        (
            with("findings: [{ name: chatty, needs: textbok }]"),
            "x.yaml:4:35: unknown need \"textbok\"; did you mean \"textbook\"?",
        ),
        (
            with("latency: { p50: \">= 1ms\", needs: textbok }"),
            "x.yaml:4:34: unknown need \"textbok\"; did you mean \"textbook\"?",
        ),
        (
            with("needs: [textbook, textbook]"),
            "x.yaml:4:19: \"textbook\" is needed twice",
        ),
        (
            with("needs: { pace: textbook }"),
            "x.yaml:4:8: a need such as textbook, or a list of needs should be here, and this is a map",
        ),
        (
            with("findings: [{ name: chatty, need: textbook }]"),
            "x.yaml:4:28: unknown field \"need\"; did you mean \"needs\"?",
        ),
    ];
    for (got, want) in cases {
        assert_eq!(got, want);
    }
}

#[test]
fn needs_that_mean_nothing_are_refused() {
    let with = |rest: &str| {
        let text = format!("{HEAD}{rest}\nexpect: {{ trace: {{ roots: 1 }} }}");
        scenario::lint("x.yaml", &text)
    };
    let found = with("latency: { own: true, p50: \">= 3x twin\", needs: textbook }");
    assert_eq!(
        found[0].message,
        "what is measured without pace (own: true) does not need the textbook pace"
    );
    assert_eq!(found[0].position.unwrap().to_string(), "4:10");
    // On PostgreSQL it may be another scenario; with the very same needs it is the same.
    assert!(with("near-miss: { needs: postgresql }").is_empty());
    for same in [
        "near-miss: { needs: [] }",
        "needs: textbook\nnear-miss: { needs: textbook }",
    ] {
        let found = with(same);
        assert!(
            found[0]
                .message
                .contains("this near-miss is the scenario itself"),
            "{found:?}"
        );
    }
}

#[test]
fn faults_and_their_parameters_are_checked_where_they_stand() {
    let with = |faults: &str| {
        error(&format!(
            "{HEAD}faults: {faults}\nexpect: {{ trace: {{ roots: 1 }} }}"
        ))
    };
    assert_eq!(
        with("{ slow-provder: {} }"),
        "x.yaml:4:11: there is no fault \"slow-provder\"; did you mean \"slow-provider\"?"
    );
    assert_eq!(
        with("{ slow-provider: { latency: 5 } }"),
        "x.yaml:4:28: the fault slow-provider has no parameter \"latency\"; did you mean \"latency_ms\"?"
    );
    assert_eq!(
        with("{ slow-provider: { latency_ms: 0 } }"),
        "x.yaml:4:40: latency_ms of the fault slow-provider is \"0\"; it must be a whole number from 1 to 60000"
    );
}

#[test]
fn what_refers_to_nothing_is_refused() {
    let cases = [
        (
            "{ span: { kind: client }, attributes: { a: $root.order.id } }",
            "6:50: $root is no span of this tree; name it with as:",
        ),
        (
            "{ span: { kind: client, as: a }, when: \"$b.hit == true\" }",
            "6:46: $b is no span of this tree",
        ),
        (
            "{ span: { kind: client, as: a }, order: [a, b] }",
            "6:47: $a is not below this span",
        ),
        (
            "{ span: { kind: client, as: a }, when: \"$a.hit\" }",
            "6:46: a comparison such as \"$cache.hit == true\" should be here",
        ),
        (
            "{ span: { kind: client }, parallel: true }",
            "6:43: one span alone is not parallel",
        ),
        (
            "{ span: { kind: client }, order: true }",
            "6:40: a list of names such as [reserve, charge] should be here",
        ),
        (
            "{ span: { kind: client }, attributes: { lab.fault: present } }",
            "6:47: \"lab.fault\" is the lab's own mark, and no expectation may read it",
        ),
        (
            "{ span: { kind: client }, duration: \">= 120x parent\" }",
            "a range of durations such as",
        ),
        (
            "{ span: { kind: client }, children: [{ span: { kind: client }, elsewhere: true }] }",
            "6:44: only a node at the top of the tree may be elsewhere",
        ),
    ];
    for (node, want) in cases {
        let got = node_error(node);
        assert!(got.contains(want), "{node}\n  want {want}\n  got  {got}");
    }
}

#[test]
fn what_can_never_be_is_refused() {
    let whole = |rest: &str| error(&format!("{HEAD}{rest}"));
    let cases = [
        (
            "expect: { trace: { spans: 2 }, tree: [{ span: { kind: client }, times: 3 }] }",
            "4:39: the tree has at least 3 spans, and the trace at most 2",
        ),
        (
            "expect: { critical-path: { through: payment, share: \">= 130%\" } }",
            "no share of a path is more than 100%",
        ),
        (
            "expect: { forbid: [{ from: emial, to: payment }] }",
            "4:28: the shop has no service \"emial\" with spans; did you mean \"email\"?",
        ),
        (
            "faults: { panic: {} }\nexpect: { trace: { roots: 1 } }\ntwin: {}",
            "6:7: this twin is the scenario itself",
        ),
        (
            "target: http://127.0.0.1:1\nexpect: { trace: { roots: 1 } }",
            "a target of one's own needs requests",
        ),
        (
            "target: 127.0.0.1\nexpect: { trace: { roots: 1 } }",
            "4:9: the address of a service such as",
        ),
        (
            "journey: { requests: [{ path: / }] }\nexpect: { trace: { roots: 1 } }",
            "requests need a target",
        ),
        (
            "journey: { skus: [A], cart-lines: 2 }\nexpect: { trace: { roots: 1 } }",
            "the number of lines is that of the skus",
        ),
        (
            "latency: { p50: fast }\nexpect: { trace: { roots: 1 } }",
            "4:17: a range of durations such as",
        ),
        (
            "latency: { p50: \">= 3 twin\" }\nexpect: { trace: { roots: 1 } }",
            "a multiple such as",
        ),
    ];
    for (rest, want) in cases {
        let got = whole(rest);
        assert!(got.contains(want), "{rest}\n  want {want}\n  got  {got}");
    }
}

#[test]
fn lint_finds_more_than_one_mistake_at_once() {
    let text = format!(
        "{HEAD}expect:\n  tree:\n    - span: {{ service: paymnt }}\n    - span: {{ name: rendr }}\n"
    );
    let places: Vec<String> = scenario::lint("x.yaml", &text)
        .iter()
        .map(|error| error.position.unwrap().to_string())
        .collect();
    assert_eq!(places, ["6:24", "7:21"]);
}

#[test]
fn impossible_and_unclear_values_are_refused() {
    let cases = [
        ("times: 3..1", "6:40: nothing is in this range"),
        (
            "times: -1",
            "6:40: a count such as 3, 1..3, 1.. or ..3 should be here, and this is the integer -1",
        ),
        ("times: \"3\"", "should be here, and this is the text \"3\""),
        ("times: 1.5", "should be here, and this is the double 1.5"),
        ("times: ..", "should be here, and this is the text \"..\""),
        ("duration: 5", "a range of durations such as"),
        ("duration: 5ms", "a range of durations such as"),
        ("duration: 5ms..1ms", "nothing is in this range"),
        ("duration: \"< 0ms\"", "nothing is shorter than 0"),
        (
            "closed: yes",
            "true or false should be here, and this is the text \"yes\"",
        ),
        (
            "times: 0, closed: true",
            "\"closed\" has no meaning for a span that must not be there",
        ),
        (
            "times: 0, children: []",
            "\"children\" has no meaning for a span that must not be there",
        ),
        (
            "attributes: { a: 1..3 }",
            "it is not clear of which type this range is; write { int: 1..3 }",
        ),
        (
            "attributes: { a: \"~x\" }",
            "it is not clear whether this is a pattern; write { matches: \"x\" }",
        ),
        (
            "attributes: { a: }",
            "no value is here; write present, absent, empty or \"\"",
        ),
        ("attributes: { a: [] }", "any of an empty list is nothing"),
        (
            "attributes: { a: { int: 3.0 } }",
            "a value of type int should be here, and this is the double 3.0",
        ),
        (
            "attributes: { a: { int: \"3\" } }",
            "a value of type int should be here, and this is the text \"3\"",
        ),
        (
            "attributes: { a: { string: 3 } }",
            "a string, in quotes if need be, should be here",
        ),
        (
            "attributes: { a: { int: 3, string: x } }",
            "a typed value has one type",
        ),
        ("attributes: { a: {} }", "a typed value has one type"),
        (
            "attributes: { a: { int: 5..2 } }",
            "nothing is in this range",
        ),
        (
            "attributes: { a: { double: nan..1 } }",
            "nothing is in this range",
        ),
        (
            "attributes: { a: { matches: \"(\" } }",
            "\"(\" is no regular expression: unclosed group",
        ),
        (
            "attributes: { a: { matches: \"a)|(b\" } }",
            "is no regular expression",
        ),
        (
            "attributes: { a: 9223372036854775808 }",
            "does not fit in a signed 64-bit integer",
        ),
        (
            "attributes: { a: 1, a: 2 }",
            "\"a\" is already there, at 6:47",
        ),
        (
            "links: [{ to: producer }]",
            "with as: and refer to it with a $",
        ),
        (
            "links: [{ to: $producer }]",
            "$producer is no span of this tree; name it with as:",
        ),
        ("events: [{ attributes: {} }]", "an event has no \"name\""),
        (
            "status: &a error",
            "anchors (&name) and tags (!name) are not used in scenario files",
        ),
        (
            "status: !!str error",
            "anchors (&name) and tags (!name) are not used in scenario files",
        ),
    ];
    for (field, want) in cases {
        let got = node_error(&format!("{{ span: {{ kind: client }}, {field} }}"));
        assert!(got.contains(want), "{field}\n  want {want}\n  got  {got}");
        assert!(got.starts_with("x.yaml:6:"), "{got}");
    }
    let got = node_error("{ span: {} }");
    assert!(
        got.contains("this does not say which span is meant"),
        "{got}"
    );
    let got = node_error("{ span: { as: a } }");
    assert!(
        got.contains("this does not say which span is meant"),
        "{got}"
    );
    let got = node_error("{ span: { service: \"~[\" } }");
    assert!(
        got.contains("is no regular expression: unclosed character class"),
        "{got}"
    );
}

#[test]
fn names_stand_for_one_span() {
    let twice = "[{ span: { kind: server, as: a } }, { span: { kind: client, as: a } }]";
    let got = error(&format!("{HEAD}expect: {{ tree: {twice} }}"));
    assert!(got.contains("$a is already the span at 4:18"), "{got}");

    let repeated = "[{ span: { kind: server, as: a }, times: 2 },
        { span: { kind: client }, links: [{ to: $a }] }]";
    let got = error(&format!("{HEAD}expect: {{ tree: {repeated} }}"));
    assert!(got.contains("5:49: $a may be more than one span"), "{got}");

    let absent = "[{ span: { kind: server, as: a }, times: 0 }]";
    let got = error(&format!("{HEAD}expect: {{ tree: {absent} }}"));
    assert!(
        got.contains("$a would be a span that must not be there"),
        "{got}"
    );

    let misspelt = "[{ span: { kind: server, as: producer } },
        { span: { kind: client }, links: [{ to: $producr }] }]";
    let got = error(&format!("{HEAD}expect: {{ tree: {misspelt} }}"));
    assert!(
        got.contains("$producr is no span of this tree; did you mean \"producer\"?"),
        "{got}"
    );
}

#[test]
fn the_file_as_a_whole_is_checked() {
    let expect = "expect: { trace: { roots: 1 } }\n";
    let cases = [
        (String::new(), "x.yaml: the file is empty"),
        (
            "- a\n".to_owned(),
            "x.yaml:1:1: a scenario is a map, and this is a list",
        ),
        ("a: [\n".to_owned(), "this is not YAML"),
        (format!("{HEAD}{expect}---\n{HEAD}"), "a second document"),
        (HEAD.to_owned(), "a scenario has no \"expect\""),
        (
            format!("{HEAD}expect: {{}}\n"),
            "nothing is expected; write trace: or tree:",
        ),
        (
            format!("{HEAD}expect: {{ tree: [] }}\n"),
            "nothing is expected",
        ),
        (
            format!("{HEAD}expect: {{ trace: {{ roots: 3, spans: 2 }} }}\n"),
            "3 roots cannot be among 2 spans",
        ),
        (
            HEAD.replace("name: x", "name: Über") + expect,
            "\"Über\" is no name of a scenario; use lower-case",
        ),
        (
            HEAD.replace("name: x", "name: 12") + expect,
            "a text should be here, and this is the integer 12",
        ),
        (
            format!("{HEAD}{expect}journey: {{ cart-lines: 0 }}"),
            "an integer from 1 to 200 should be here, and this is the integer 0",
        ),
        (
            format!("{HEAD}{expect}journey: {{ cart-lines: 201 }}"),
            "an integer from 1 to 200",
        ),
        (
            format!("{HEAD}{expect}journey: {{ coupon: WELCOME10 }}"),
            "true or false",
        ),
        (
            HEAD.replace("users: 1", "duration: 5s") + expect,
            "these fields make no load; write { requests, users } or",
        ),
        (
            HEAD.replace("requests: 1, users: 1", "users: 1, duration: 5") + expect,
            "a duration such as 800ms",
        ),
        (
            HEAD.replace("requests: 1, users: 1", "users: 1, duration: 0s") + expect,
            "does nothing",
        ),
        (
            HEAD.replace("requests: 1, users: 1", "rate: 10, duration: 5s") + expect,
            "a rate such as 10/s",
        ),
        (
            HEAD.replace("requests: 1, users: 1", "rate: 0/s, duration: 5s") + expect,
            "a rate such as 10/s",
        ),
        (
            HEAD.replace("requests: 1", "requests: 0") + expect,
            "an integer from 1 to",
        ),
    ];
    for (text, want) in cases {
        let got = error(&text);
        assert!(got.contains(want), "want {want}\n got {got}\n{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = scenario::find("no/such/file.yaml").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("no/such/file.yaml: cannot be read: "),
        "{error}"
    );
}

#[test]
fn an_embedded_scenario_that_is_not_there_gets_the_nearest_name() {
    let error = scenario::find("chekout").unwrap_err();
    assert_eq!(
        error.to_string(),
        "chekout: no embedded scenario has this name; did you mean \"checkout\"?"
    );
}
