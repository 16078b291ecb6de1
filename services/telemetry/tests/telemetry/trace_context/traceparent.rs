//! `traceparent`: which headers are accepted, and which start a new trace instead (section 3.2).

use super::{TRACE, VALID, assert_refused, assert_starts_a_trace, assert_taken, received};

#[test]
fn a_valid_traceparent_is_taken_whole() {
    let received = received(&[("traceparent", VALID)]);
    assert!(received.is_remote());
    assert!(received.is_sampled());
    assert_eq!(received.trace_id().to_string(), TRACE);
    assert_eq!(received.span_id().to_string(), "1234567890123456");
}

#[test]
fn no_traceparent_starts_a_trace() {
    assert_starts_a_trace(&[]);
}

#[test]
fn a_traceparent_under_another_name_is_not_seen() {
    assert_starts_a_trace(&[("trace-parent", VALID)]);
    assert_starts_a_trace(&[("trace.parent", VALID)]);
}

#[test]
fn the_name_of_the_header_may_be_in_any_case() {
    for name in ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        assert!(received(&[(name, VALID)]).is_valid(), "{name}");
    }
}

#[test]
fn two_traceparents_are_as_good_as_none() {
    let other = "00-12345678901234567890123456789011-1234567890123456-01";
    assert_starts_a_trace(&[("traceparent", VALID), ("traceparent", other)]);
    assert_starts_a_trace(&[("traceparent", VALID), ("traceparent", VALID)]);
}

#[test]
fn blanks_around_a_traceparent_are_no_part_of_it() {
    for (before, after) in [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")] {
        let padded = format!("{before}{VALID}{after}");
        assert!(
            received(&[("traceparent", &padded)]).is_valid(),
            "{padded:?}"
        );
    }
}

#[test]
fn nothing_may_follow_the_flags_in_version_00() {
    assert_refused(&format!("{VALID}."));
    assert_refused(&format!("{VALID}-"));
    assert_refused(&format!("{VALID}-what-the-future-will-be-like"));
}

#[test]
fn a_future_version_is_read_as_far_as_it_is_known() {
    let ids = "12345678901234567890123456789012-1234567890123456";
    assert_taken(&format!("cc-{ids}-01"));
    assert_taken(&format!("cc-{ids}-01-what-the-future-will-be-like"));
    assert_taken(&format!("cc-{ids}-01-"));
    assert_refused(&format!("cc-{ids}-01.what-the-future-will-be-like"));
    assert_refused(&format!("cc-{ids}-011"));
}

#[test]
fn version_ff_is_forbidden() {
    assert_refused("ff-12345678901234567890123456789012-1234567890123456-01");
}

#[test]
fn each_part_has_exactly_its_number_of_lower_case_hexadecimal_digits() {
    const PARTS: [&str; 4] = ["00", TRACE, "1234567890123456", "01"];
    for position in 0..PARTS.len() {
        let good = PARTS[position];
        let short = &good[1..];
        for bad in [
            String::new(),
            short.to_owned(),
            format!("0{good}"),
            format!("00{good}"),
            format!(".{short}"),
            format!("{short}."),
            format!("{short}A"),
            format!("{short}g"),
            format!("+{short}"),
            format!("{short} "),
            format!("{short}\u{e9}"),
        ] {
            let mut parts = PARTS;
            parts[position] = &bad;
            // At the end, the blank is white space around the header.
            if position == 3 && bad.ends_with(' ') {
                continue;
            }
            assert_refused(&parts.join("-"));
        }
    }
}

#[test]
fn a_part_that_is_missing_is_not_made_up() {
    for header in [
        "",
        "-",
        "00",
        "00-",
        "---",
        "00-12345678901234567890123456789012",
    ] {
        assert_refused(header);
    }
    assert_refused("00-12345678901234567890123456789012-1234567890123456");
    assert_refused(&VALID.replace('-', "_"));
}

#[test]
fn ids_of_zeros_only_are_invalid() {
    assert_refused("00-00000000000000000000000000000000-1234567890123456-01");
    assert_refused("00-12345678901234567890123456789012-0000000000000000-01");
}
