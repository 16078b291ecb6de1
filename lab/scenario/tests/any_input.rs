//! No input makes the parser panic, and every error says where it is.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;
use scenario::{Error, parse};

const CHECKOUT: &str = include_str!("../../../scenarios/checkout.yaml");

/// Parses, and checks that an error can be printed and points into the text.
fn parse_and_check_the_error(text: &str) {
    let Err(error) = parse("any.yaml", text) else {
        return;
    };
    let printed = error.to_string();
    assert!(printed.starts_with("any.yaml:"), "{printed}");
    assert!(!error.message.is_empty(), "{printed}");
    if let Error {
        position: Some(position),
        ..
    } = error
    {
        assert!(position.line >= 1 && position.column >= 1, "{printed}");
        // YAML 1.2.2, section 5.4: a carriage return by itself ends a line, too.
        let lines = text.replace("\r\n", "\n").split(['\n', '\r']).count();
        assert!(position.line <= lines + 1, "{printed}");
    }
}

/// Text that is made of what YAML and the language are made of.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n"),
        Just("\n  "),
        Just("\n    - "),
        Just(": "),
        Just("- "),
        Just("{ "),
        Just(" }"),
        Just("["),
        Just("]"),
        Just(", "),
        Just("\""),
        Just("'"),
        Just("| "),
        Just("&a "),
        Just("*a"),
        Just("!t "),
        Just("# "),
        Just("---\n"),
        Just("? "),
        Just("\t"),
        Just("\u{feff}"),
        Just("é"),
        Just("~("),
        Just("$x"),
        Just("1..3"),
        Just("-9223372036854775809"),
        Just("<= 18446744073709551615s"),
        Just("name"),
        Just("load"),
        Just("expect"),
        Just("tree"),
        Just("span"),
        Just("times"),
        Just("attributes"),
        Just("int"),
        Just("double"),
        Just("links"),
        Just("to"),
        Just("duration"),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A valid file with a few edits.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (
        any::<prop::sample::Index>(),
        0..6usize,
        any::<prop::sample::Index>(),
        any::<char>(),
    );
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut lines: Vec<String> = CHECKOUT.lines().map(str::to_owned).collect();
        for (at, what, other, character) in edits {
            let (line, other) = (at.index(lines.len()), other.index(lines.len()));
            let column = other % (lines[line].chars().count() + 1);
            let byte = lines[line]
                .char_indices()
                .nth(column)
                .map_or(lines[line].len(), |(b, _)| b);
            match what {
                0 if lines.len() > 1 => drop(lines.remove(line)),
                1 => lines.swap(line, other),
                2 => lines[line].insert(byte, character),
                3 => lines[line].truncate(byte),
                4 => lines[line].insert_str(0, "  "),
                _ => lines[line] = lines[other].clone(),
            }
        }
        lines.join("\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        parse_and_check_the_error(&text);
    }

    #[test]
    fn any_text_like_yaml_is_answered(text in yaml_like()) {
        parse_and_check_the_error(&text);
    }

    #[test]
    fn an_expectation_of_anything_is_answered(text in yaml_like()) {
        let text = text.replace('\n', "\n  ");
        parse_and_check_the_error(&format!(
            "name: a\ntitle: A\nload: {{ requests: 1, users: 1 }}\nexpect:\n  {text}"
        ));
    }

    #[test]
    fn an_edited_file_is_answered(text in mutated()) {
        parse_and_check_the_error(&text);
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_run_out_of_stack() {
    for deep in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
    ] {
        parse("deep.yaml", &deep).unwrap_err();
    }
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_refused() {
    let error = parse("long.yaml", &"#".repeat(scenario::MAX_BYTES + 1)).unwrap_err();
    assert!(error.message.contains("1048577 bytes"), "{error}");
}

#[test]
fn a_map_of_many_keys_is_answered_soon() {
    let keys: String = (0..100_000).map(|key| format!("{key}: 1\n")).collect();
    let error = parse("wide.yaml", &keys).unwrap_err();
    assert_eq!(error.message, "unknown field \"0\"");
}
