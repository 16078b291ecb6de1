//! Starts, ends and durations.

use super::{
    Case, Group, Made,
    maker::{MS, Maker},
};

const fn case(name: &'static str, why: &'static str, make: fn(&mut Maker) -> Made) -> Case {
    Case {
        name,
        group: Group::Times,
        why,
        make,
    }
}

/// A root whose child has these times, in nanoseconds since the Unix epoch.
fn times(maker: &mut Maker, from: impl Fn(u64) -> u64, to: impl Fn(u64) -> u64) -> Made {
    let root = maker.root();
    let mut child = maker.child(&root, "work", 5);
    (child.start_ns, child.end_ns) = (from(root.start_ns), to(root.start_ns));
    Made::one(vec![root, child])
}

pub(super) const CASES: &[Case] = &[
    case(
        "nanoseconds",
        "Every SDK measures nanoseconds; short spans are in order by them alone.",
        |maker| times(maker, |start| start + 1_234_567, |start| start + 9_876_543),
    ),
    case(
        "microseconds",
        "What older formats can hold, too.",
        |maker| times(maker, |start| start + 1_234_000, |start| start + 9_876_000),
    ),
    case(
        "half-a-microsecond-long",
        "A cache hit takes less than a microsecond.",
        |maker| times(maker, |start| start + MS, |start| start + MS + 500),
    ),
    case(
        "almost-two-microseconds-long",
        "Cut or rounded: 1,999 ns show which.",
        |maker| times(maker, |start| start + MS, |start| start + MS + 1_999),
    ),
    case(
        "zero-long",
        "A moment: start and end are the same.",
        |maker| times(maker, |start| start + MS, |start| start + MS),
    ),
    case(
        "ends-before-it-starts",
        "A clock was set back while the span was open.",
        |maker| times(maker, |start| start + 20 * MS, |start| start + 10 * MS),
    ),
    case(
        "never-ended",
        "A span that was exported without an end, from a crash handler.",
        |maker| times(maker, |start| start + MS, |_| 0),
    ),
    case("no-times", "A span without start and end.", |maker| {
        times(maker, |_| 0, |_| 0)
    }),
    case(
        "time-of-one-nanosecond",
        "A clock that was never set starts at 1970.",
        |maker| times(maker, |_| 1, |_| 2),
    ),
    case(
        "greatest-times",
        "The largest fixed64: a reader with signed numbers makes it negative.",
        |maker| times(maker, |_| u64::MAX - 1, |_| u64::MAX),
    ),
    case(
        "child-outlives-parent",
        "Work that goes on after the reply was sent.",
        |maker| times(maker, |start| start + 40 * MS, |start| start + 400 * MS),
    ),
    case(
        "clock-skew",
        "A child on a machine whose clock is an hour behind; a backend that corrects it changes what was measured.",
        |maker| {
            let root = maker.root();
            let mut child = maker.child(&root, "work", 5);
            child.start_ns -= 3_600_000 * MS;
            child.end_ns -= 3_600_000 * MS;
            child.resource = super::maker::resource("fidelity-other");
            Made::one(vec![root, child])
        },
    ),
    case(
        "two-days-long",
        "A batch job, or a span that was forgotten.",
        |maker| times(maker, |start| start - 172_800_000 * MS, |start| start),
    ),
];
