//! Orders of the shop that went through a back end: Jaeger 2.13 (its API v1), and Zipkin's JSON as the Collector's
//! exporter writes it. Both were recorded; the orders are those of `tests/labelled/checkout`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use expect::Verdict;

/// The verdict on the one trace of a file, and its report.
fn checked(file: &str) -> (Verdict, String) {
    // Tests run in the folder of their package.
    let bytes = std::fs::read(format!("tests/backends/{file}.json.zst")).unwrap();
    let read = formats::read(&bytes).unwrap();
    assert_eq!(read.notes, [], "{file}");
    let checkout = scenario::embedded("checkout").unwrap();
    let (reports, checked) = runner::check_spans(&read.spans, &checkout).unwrap();
    assert_eq!(reports.len(), 1, "{file}: {}", checked.text());
    let text = reports[0].text(&checkout.name, "", false);
    (checked.verdict(), text)
}

#[test]
fn an_order_that_jaeger_returns_passes() {
    for file in ["jaeger-0", "jaeger-1", "jaeger-2"] {
        let (verdict, text) = checked(file);
        assert_eq!(verdict, Verdict::Pass, "{file}: {text}");
    }
}

/// Names in lower case, and every value as text: what has the right text cannot be judged, and nothing fails.
#[test]
fn an_order_in_zipkins_format_fails_nothing() {
    for file in ["zipkin-0", "zipkin-1", "zipkin-2"] {
        let (verdict, text) = checked(file);
        assert_eq!(verdict, Verdict::Unsupported, "{file}: {text}");
        let why = "got string \"201\" (cannot be known: the format of the trace holds every value as text)";
        assert!(text.contains(why), "{file}: {text}");
    }
}
