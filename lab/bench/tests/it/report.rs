//! What people read of a result: text, Markdown, a page, and several results side by side.

mod documents;
mod page;

use std::collections::BTreeSet;

use bench::{document::Document, report};
use expect_test::expect_file;

use self::page::Page;

fn all() -> [Document; 6] {
    [
        documents::rate(),
        documents::invalid(),
        documents::incomplete(),
        documents::capacity(),
        documents::ab(),
        documents::the_rest(),
    ]
}

#[test]
fn a_result_is_read_as_text() {
    let text: Vec<String> = all().iter().map(report::text).collect();
    expect_file!["report/all.txt"].assert_eq(&text.join("\n----\n\n"));
}

#[test]
fn a_result_is_read_as_markdown() {
    let text: Vec<String> = all().iter().map(report::markdown).collect();
    expect_file!["report/all.md"].assert_eq(&text.join("\n----\n\n"));
}

#[test]
fn a_result_is_read_as_a_page() {
    // Lines, so that a change can be seen.
    let html = report::html(&documents::rate()).replace("><", ">\n<");
    expect_file!["report/rate.html"].assert_eq(&html);
}

#[test]
fn what_is_invalid_and_incomplete_says_both() {
    let document = Document {
        complete: false,
        ..documents::invalid()
    };
    for (text, incomplete) in [
        (report::text(&document), "- it was stopped before its end"),
        (report::markdown(&document), "**INVALID, INCOMPLETE**"),
        (report::html(&document), "it was stopped before its end"),
    ] {
        assert!(text.contains("INVALID"), "{text}");
        assert!(text.contains(incomplete), "{text}");
    }
}

#[test]
fn results_side_by_side_begin_with_what_makes_them_hard_to_compare() {
    let mut other = documents::rate();
    other.environment.processor = "Another | one".to_owned();
    other.workload.rate = None;
    let documents = [
        ("before.json".to_owned(), documents::rate()),
        ("after_*.json".to_owned(), other),
        ("failed.json".to_owned(), documents::invalid()),
    ];
    expect_file!["report/compared.md"].assert_eq(&report::compare(&documents));
    // Without differences there is nothing to say before.
    let same = ["a", "b"].map(|name| (name.to_owned(), documents::rate()));
    assert!(report::compare(&same).starts_with("\n| |"));
}

#[test]
fn a_page_is_well_formed_and_what_others_have_written_is_text_in_it() {
    for document in all() {
        let page = Page::read(&report::html(&document));
        assert!(page.text.contains(&document.kind));
    }
    let page = Page::read(&report::html(&documents::invalid()));
    let shown = "agent --name &#39;&lt;/code&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;";
    assert!(page.text.contains(shown), "{}", page.text);
    assert!(page.text.contains("cannot read &lt;agent.yaml&gt;"));
}

#[test]
fn a_page_needs_nothing_else() {
    for document in all() {
        let page = Page::read(&report::html(&document));
        for loads in ["script", "link", "img", "iframe", "object", "use", "image"] {
            assert!(!page.elements.contains(loads), "{loads}");
        }
        for points in ["src", "href", "xlink:href", "action", "data", "style"] {
            assert_eq!(page.values(points).next(), None, "{points}");
        }
        for loads in ["url(", "@import", "//"] {
            assert!(!page.style.contains(loads), "{loads}");
        }
    }
}

#[test]
fn a_page_has_a_light_and_a_dark_scheme_of_the_same_colours() {
    let page = Page::read(&report::html(&documents::rate()));
    let style = &page.style;
    assert!(style.contains(":root{color-scheme:light dark;"));
    let (light, dark) = style
        .split_once("@media (prefers-color-scheme:dark)")
        .expect("a dark scheme");
    let dark = &dark[..dark.find("}}").unwrap()];
    assert_eq!(declared(light), declared(dark));
    for used in style.split("var(").skip(1) {
        let name = &used[..used.find(')').unwrap()];
        assert!(declared(light).contains(name), "{name}");
    }
    // The colours of lines and bars are those of the style sheet.
    for document in all() {
        let page = Page::read(&report::html(&document));
        for class in page.values("class").flat_map(|classes| classes.split(' ')) {
            assert!(style.contains(&format!(".{class}")), "{class}");
        }
    }
}

/// The names of the colours that a style sheet sets.
fn declared(style: &str) -> BTreeSet<&str> {
    let parts = style.split(['{', ';', '}', '\n']);
    parts
        .filter_map(|part| part.split_once(':'))
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("--"))
        .collect()
}

#[test]
fn what_is_written_is_read_again() {
    for document in all() {
        let json = serde_json::to_vec(&document).unwrap();
        assert_eq!(report::read(&json).unwrap(), document);
    }
}

#[test]
fn what_is_no_result_is_told_as_what_it_is() {
    let error = |json: &str| report::read(json.as_bytes()).unwrap_err().to_string();
    assert!(error("[]").contains("kind \"\""), "{}", error("[]"));
    assert!(error("{").starts_with("it is no result of tracelab bench: "));
    assert!(error(r#"{"schema":2}"#).starts_with("it has schema 2; "));
    let books = error(r#"{"schema":1,"kind":"bench-books"}"#);
    assert!(books.starts_with("it is a document of kind \"bench-books\""));
    let part = error(r#"{"schema":1,"kind":"bench-rate"}"#);
    assert!(part.contains("missing field"), "{part}");
}

#[test]
fn a_file_of_others_adds_no_line_and_no_escape_to_what_is_printed() {
    for document in all() {
        let mut json = serde_json::to_value(&document).unwrap();
        let lines = |text: String| text.lines().count();
        let name = "result.json";
        let before = [
            lines(report::text(&document)),
            lines(report::markdown(&document)),
            lines(report::compare(&[(name.to_owned(), document)])),
        ];
        spoil(&mut json);
        let spoilt = report::read(&serde_json::to_vec(&json).unwrap()).unwrap();
        let printed = [
            report::text(&spoilt),
            report::markdown(&spoilt),
            report::compare(&[(name.to_owned(), spoilt.clone())]),
        ];
        for (text, before) in printed.into_iter().zip(before) {
            assert!(!text.contains('\u{1b}'), "{text}");
            assert_eq!(lines(text.clone()), before, "{text}");
        }
        Page::read(&report::html(&spoilt));
    }
}

/// Adds to each text of a document what a terminal, a table and a page would take for their own.
fn spoil(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => text.push_str("\u{1b}[2J\n| </p>"),
        serde_json::Value::Array(values) => values.iter_mut().for_each(spoil),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(spoil),
        _ => {}
    }
}
