//! The flags of `traceparent` (section 3.2.2.5), also through intermediate spans.

use opentelemetry_sdk::trace::Sampler;
use telemetry::SavedContext;

use super::{TRACE, flags, passed_on, sent_by_a_child_of};
use crate::recorder::Recorder;

#[test]
fn sampled_and_random_are_passed_on_and_unknown_flags_are_not() {
    for (came, goes) in [
        ("00", "00"),
        ("01", "01"),
        ("02", "02"),
        ("03", "03"),
        ("04", "00"),
        ("ff", "03"),
    ] {
        let header = format!("00-{TRACE}-1234567890123456-{came}");
        let sent = passed_on(&[("traceparent", &header)]);
        let expected = format!("00-{TRACE}-1234567890123456-{goes}");
        assert_eq!(sent.get("traceparent"), Some(expected.as_str()), "{came}");
    }
}

#[test]
fn the_random_flag_goes_through_spans_as_it_came_whether_sampled_or_not() {
    for sampler in [
        Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
        Sampler::AlwaysOff,
    ] {
        for (came, random) in [("00", false), ("01", false), ("02", true), ("03", true)] {
            let _recorder = Recorder::with_sampler(sampler.clone());
            let header = format!("00-{TRACE}-1234567890123456-{came}");
            let caller = serde_json::json!({ "traceparent": header }).to_string();
            let sent = sent_by_a_child_of(&SavedContext::from_json(&caller));
            assert_eq!(flags(&sent) & 0x02 != 0, random, "{came}, {sampler:?}");
        }
    }
}

#[test]
fn a_trace_that_starts_here_says_that_its_id_is_random() {
    for (sampler, goes) in [(Sampler::AlwaysOn, 0x03), (Sampler::AlwaysOff, 0x02)] {
        let _recorder = Recorder::with_sampler(sampler);
        assert_eq!(flags(&sent_by_a_child_of(&SavedContext::default())), goes);
    }
}
