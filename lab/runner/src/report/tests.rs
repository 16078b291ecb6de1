//! What people and machines read of a run, as a whole. The phases are judged as in a run; only their traces are made
//! by hand.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod phases;

use expect_test::expect;
use protocol::{Database, Pace};
use waterfall::Style;

use super::{Report, junit, markdown, summary, text};
use crate::{
    case::Unexplained, conditions::Conditions, judge, phase::Phase, phase_traces::PhaseTraces,
};
use phases::{drive, finish, order, other_order};

const SLOW_QUERY: &str = r#"
name: slow-orders
title: The query for an order is slow
story: |
  An order is looked up by a query that no index helps.

  **What do you see?** One long bar.
faults: { slow-query: {} }
load: { requests: 2, users: 1 }
expect:
  trace: { roots: 1, errors: 0 }
  tree:
    - span: { service: checkout, name: POST /checkout, kind: server }
      closed: true
      children:
        - span: { service: checkout, name: SELECT orders, kind: client }
          duration: ">= 400ms"
findings: [slow-query]
latency: { p50: ">= 2x twin" }
twin: { faults: {} }
"#;

const PLAIN: &str = r#"
name: plain
title: One order
load: { requests: 2, users: 1 }
expect:
  trace: { roots: 1 }
  tree:
    - span: { service: checkout, name: POST /checkout, kind: server }
findings: []
"#;

const SHOP: Conditions = Conditions::Shop {
    database: Database::Sqlite,
    pace: Some(Pace::Textbook),
};

const WITHOUT_PACE: Conditions = Conditions::Shop {
    database: Database::Sqlite,
    pace: Some(Pace::None),
};

const PLAIN_TEXT: Style = Style {
    width: 80,
    colour: false,
};

#[test]
fn a_scenario_that_passed_shows_its_story_its_median_traces_and_its_times() {
    let finished = finish(
        SLOW_QUERY,
        SHOP,
        vec![
            drive(Phase::Faulty, [order(1, 600.0), order(2, 650.0)]),
            drive(Phase::Twin, [order(3, 6.0), order(4, 5.0)]),
        ],
    );
    expect![[r#"
        The query for an order is slow

          An order is looked up by a query that no index helps.

          **What do you see?** One long bar.

        The median trace with the fault:

        trace 07070707070707070000000000000002
        654 ms · 2 spans · 1 service · no errors

        span              service   kind      0        200 ms    400 ms             time
        POST /checkout    checkout  server    ████████████████████████████████    654 ms
        └─ SELECT orders  checkout  client    ███████████████████████████████▉    650 ms

        The median trace without it:

        trace 07070707070707070000000000000003
        10.0 ms · 2 spans · 1 service · no errors

        span              service   kind      0               5 ms                  time
        POST /checkout    checkout  server    ████████████████████████████████   10.0 ms
        └─ SELECT orders  checkout  client          ▐██████████████████▌         6.00 ms

        PASS slow-orders: The query for an order is slow
          faulty     PASS  2 of 2 traces match; 0 unexplained, 0 dropped
                     findings: slow-query on 2 of 2
                     request p50: 604.0 ms, 67.1x twin (wanted >= 2x twin)
          twin       PASS  2 of 2 traces silent; 0 unexplained, 0 dropped

          latency        p50      p90      p99
            faulty       604 ms   654 ms   654 ms
            twin           9 ms    10 ms    10 ms
            ratio         67.1x    65.4x    65.4x
    "#]]
    .assert_eq(&text(&finished, true, &PLAIN_TEXT));
    let report = Report::new(std::slice::from_ref(&finished));
    expect![[r#"
        1 scenario, 2 phases: 2 as they should be, 0 not
    "#]]
    .assert_eq(&summary(&report, 1));
    expect![[r#"
        # tracelab: PASS

        1 scenario, 2 phases: 2 as they should be, 0 not

        | scenario | phase | verdict | traces | p50 | p90 | p99 |
        | --- | --- | --- | --- | --- | --- | --- |
        | slow-orders | faulty | PASS | 2 of 2 | 604 ms | 654 ms | 654 ms |
        | slow-orders | twin | PASS | 2 of 2 | 9 ms | 10 ms | 10 ms |
    "#]]
    .assert_eq(&markdown(&[finished]));
}

#[test]
fn a_scenario_without_faults_has_one_phase_and_no_name_for_it() {
    let driven = drive(Phase::Faulty, [order(1, 6.0), order(2, 7.0)]);
    let finished = finish(PLAIN, SHOP, vec![driven]);
    expect![[r#"
        PASS plain: One order
          traces   2 of 2 match, 0 unsupported
          spans    0 unexplained, 0 dropped
          latency  p50 10 ms, p90 11 ms, p99 11 ms
    "#]]
    .assert_eq(&text(&finished, false, &PLAIN_TEXT));
}

#[test]
fn a_want_that_failed_is_shown_with_its_cause() {
    let mut faulty = drive(
        Phase::Faulty,
        [order(1, 80.0), other_order(2, 600.0), order(3, 600.0)],
    );
    faulty.found[2].trace = None;
    faulty.why_missing = Some("the Collector dropped 12 spans".to_owned());
    faulty.lost_spans = 1;
    let twin = drive(Phase::Twin, [order(4, 6.0), order(5, 450.0), order(6, 5.0)]);
    let mut finished = finish(SLOW_QUERY, SHOP, vec![faulty, twin]);
    let stray = order(7, 5.0);
    finished.phases[1].unexplained = vec![Unexplained::of(&stray)];
    finished
        .phases
        .iter_mut()
        .for_each(judge::judge_unexplained);
    expect![[r#"
        FAIL slow-orders  trace 07070707070707070000000000000001  POST /checkout → 201
          checkout POST /checkout  84ms
          └─ ~ checkout SELECT orders  duration  want >= 400ms  got 80ms

        FAIL slow-orders  trace 07070707070707070000000000000002  POST /checkout → 201
          checkout POST /checkout  604ms
          └─ ~ checkout SELECT coupons  name  want SELECT orders  got SELECT coupons

        FAIL slow-orders  its trace never came: the Collector dropped 12 spans  POST /checkout → 201

        UNEXPLAINED slow-orders twin  trace 07070707070707070000000000000007: 2 spans that belong to no request, the first checkout POST /checkout

        FAIL slow-orders: The query for an order is slow
          faulty     FAIL  0 of 3 traces match; 0 unexplained, 1 dropped
                     findings: slow-query on 1 of 3
                     request p50: 604.0 ms, 60.4x twin (wanted >= 2x twin)
          twin       FAIL  3 of 3 traces silent; 2 unexplained, 0 dropped
                     findings: slow-query on 1 of 3
    "#]].assert_eq(&text(&finished, false, &PLAIN_TEXT));
    let finished = [finished];
    expect![[r#"
        1 scenario, 2 phases: 0 as they should be, 2 not
    "#]]
    .assert_eq(&summary(&Report::new(&finished), 1));
    expect![[r#"
        # tracelab: FAIL

        1 scenario, 2 phases: 0 as they should be, 2 not

        | scenario | phase | verdict | traces | p50 | p90 | p99 |
        | --- | --- | --- | --- | --- | --- | --- |
        | slow-orders | faulty | FAIL | 0 of 3 | 604 ms | 604 ms | 604 ms |
        | slow-orders | twin | FAIL | 3 of 3 | 10 ms | 454 ms | 454 ms |

        ## slow-orders faulty: FAIL

        ```text
        FAIL slow-orders  trace 07070707070707070000000000000001  POST /checkout → 201
          checkout POST /checkout  84ms
          └─ ~ checkout SELECT orders  duration  want >= 400ms  got 80ms
        FAIL slow-orders  trace 07070707070707070000000000000002  POST /checkout → 201
          checkout POST /checkout  604ms
          └─ ~ checkout SELECT coupons  name  want SELECT orders  got SELECT coupons
        FAIL slow-orders  its trace never came: the Collector dropped 12 spans  POST /checkout → 201
        1 span was dropped
        ```

        ## slow-orders twin: FAIL

        ```text
        trace 07070707070707070000000000000007: 2 spans that belong to no request, the first checkout POST /checkout
        ```
    "#]].assert_eq(&markdown(&finished));
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="2" skipped="0" failures="2" errors="0">
            <testsuite name="slow-orders" tests="2" skipped="0" errors="0" failures="2">
                <testcase name="faulty" classname="slow-orders" time="0.604">
                    <failure message="3 of 3 traces are not as they should be">FAIL slow-orders  trace 07070707070707070000000000000001  POST /checkout → 201
          checkout POST /checkout  84ms
          └─ ~ checkout SELECT orders  duration  want &gt;= 400ms  got 80ms
        FAIL slow-orders  trace 07070707070707070000000000000002  POST /checkout → 201
          checkout POST /checkout  604ms
          └─ ~ checkout SELECT coupons  name  want SELECT orders  got SELECT coupons
        FAIL slow-orders  its trace never came: the Collector dropped 12 spans  POST /checkout → 201
        1 span was dropped
        </failure>
                </testcase>
                <testcase name="twin" classname="slow-orders" time="0.454">
                    <failure message="the phase as a whole is not as it should be">trace 07070707070707070000000000000007: 2 spans that belong to no request, the first checkout POST /checkout
        </failure>
                </testcase>
            </testsuite>
        </testsuites>
    "#]].assert_eq(&junit(&finished));
}

#[test]
fn what_is_not_judged_says_why() {
    let needs_pace = SLOW_QUERY
        .replace("[slow-query]", "[{ name: slow-query, needs: textbook }]")
        .replace("2x twin\"", "2x twin\", needs: textbook")
        .replace("{ faults: {} }", "{ faults: {}, needs: textbook }");
    let faulty = drive(Phase::Faulty, [order(1, 600.0), order(2, 650.0)]);
    let finished = finish(&needs_pace, WITHOUT_PACE, vec![faulty]);
    expect![[r#"
        UNSUPPORTED slow-orders: The query for an order is slow
          faulty     UNSUPPORTED: the finding slow-query and the p50 of the request need the textbook pace; this lab runs with --pace none: no step takes a simulated time
                     2 of 2 traces match; 0 unexplained, 0 dropped
                     findings: slow-query on 2 of 2
                     finding slow-query, which is UNSUPPORTED: it needs the textbook pace
                     request p50: 604.0 ms (wanted >= 2x twin), which is UNSUPPORTED: it needs the textbook pace
          twin       UNSUPPORTED: it needs the textbook pace; this lab runs with --pace none: no step takes a simulated time
    "#]].assert_eq(&text(&finished, false, &PLAIN_TEXT));
    let finished = [finished];
    expect![[r#"
        1 scenario, 2 phases: 0 as they should be, 0 not, 2 unsupported (slow-orders faulty, slow-orders twin)
    "#]].assert_eq(&summary(&Report::new(&finished), 1));
    expect![[r#"
        # tracelab: UNSUPPORTED

        1 scenario, 2 phases: 0 as they should be, 0 not, 2 unsupported (slow-orders faulty, slow-orders twin)

        | scenario | phase | verdict | traces | p50 | p90 | p99 |
        | --- | --- | --- | --- | --- | --- | --- |
        | slow-orders | faulty | UNSUPPORTED | 2 of 2 | 604 ms | 654 ms | 654 ms |
        | slow-orders | twin | UNSUPPORTED | 0 of 0 |  |  |  |

        ## slow-orders faulty: UNSUPPORTED

        ```text
        the finding slow-query and the p50 of the request need the textbook pace; this lab runs with --pace none: no step takes a simulated time
        ```

        ## slow-orders twin: UNSUPPORTED

        ```text
        it needs the textbook pace; this lab runs with --pace none: no step takes a simulated time
        ```
    "#]].assert_eq(&markdown(&finished));
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="2" skipped="2" failures="0" errors="0">
            <testsuite name="slow-orders" tests="2" skipped="2" errors="0" failures="0">
                <testcase name="faulty" classname="slow-orders" time="0.654">
                    <skipped message="the finding slow-query and the p50 of the request need the textbook pace; this lab runs with --pace none: no step takes a simulated time"/>
                </testcase>
                <testcase name="twin" classname="slow-orders" time="0.000">
                    <skipped message="it needs the textbook pace; this lab runs with --pace none: no step takes a simulated time"/>
                </testcase>
            </testsuite>
        </testsuites>
    "#]].assert_eq(&junit(&finished));
}

#[test]
fn a_machine_that_stood_still_is_named_where_it_excuses_a_finding() {
    let faulty = drive(Phase::Faulty, [order(1, 600.0), order(2, 650.0)]);
    // The twin has the finding of the fault: on a machine at rest it would fail.
    let mut twin = drive(Phase::Twin, [order(3, 150.0), order(4, 160.0)]);
    twin.stalled = Some(0.25);
    let finished = finish(SLOW_QUERY, SHOP, vec![faulty, twin]);
    expect![[r#"
        PASS slow-orders: The query for an order is slow
          faulty     PASS  2 of 2 traces match; 0 unexplained, 0 dropped
                     findings: slow-query on 2 of 2
                     request p50: 604.0 ms, 3.9x twin (wanted >= 2x twin)
          twin       PASS  2 of 2 traces silent; 0 unexplained, 0 dropped; the machine stood still for 25 % of the time
                     findings: slow-query on 2 of 2
    "#]].assert_eq(&text(&finished, false, &PLAIN_TEXT));
}

/// What a program reads of a run, without the examples of failures.
fn numbers(finished: &crate::outcome::Finished) -> serde_json::Value {
    let mut report = serde_json::to_value(Report::new(std::slice::from_ref(finished))).unwrap();
    for phase in report["scenarios"].as_array_mut().unwrap() {
        phase.as_object_mut().unwrap().remove("failures");
    }
    report
}

/// Some orders that are as they should be, others that are not, in both phases; and some whose trace never came.
fn many(phase: Phase) -> PhaseTraces {
    let from = if phase == Phase::Faulty { 0 } else { 1_000 };
    let orders: [trace::Trace; 400] = std::array::from_fn(|number| {
        let query_ms = match (phase, number % 5) {
            (Phase::Faulty, 0) => 80.0,
            (Phase::Faulty, _) => 600.0,
            (_, 1) => 450.0,
            _ => 6.0,
        };
        order(from + number as u64 + 1, query_ms + number as f64 / 100.0)
    });
    let mut driven = drive(phase, orders);
    for found in driven.found.iter_mut().step_by(7) {
        found.trace = None;
    }
    driven
}

#[test]
fn a_load_that_was_judged_while_it_ran_has_the_same_numbers() {
    let finish = |judged_before: usize| {
        let mut driven = [Phase::Faulty, Phase::Twin].map(many);
        for phase in &mut driven {
            phases::judge_first(SLOW_QUERY, SHOP, phase, judged_before);
        }
        finish(SLOW_QUERY, SHOP, driven.into())
    };
    let whole = finish(0);
    let mut long = finish(350);
    for phase in &long.phases {
        let (kept, forgotten) = (phase.cases.len(), phase.forgotten);
        assert_eq!(kept + forgotten, 400, "{}", phase.report.phase);
        assert!(forgotten > 50, "{forgotten}");
    }
    assert_eq!(numbers(&long), numbers(&whole));
    // The text counts the failures that are not shown.
    let shown = text(&long, false, &PLAIN_TEXT);
    let failed = long.phases[0].failed;
    assert_eq!(failed, whole.phases[0].failed);
    assert!(
        shown.contains(&format!("… and {} more failed", failed - 3)),
        "{shown}"
    );
    // A wait is told.
    long.phases[0].report.waited_ms = Some(2_340.0);
    let shown = text(&long, false, &PLAIN_TEXT);
    let said = "0 dropped; the load waited 2.3 s for room in the sink";
    assert!(shown.contains(said), "{shown}");
}

#[test]
fn a_trace_that_was_evicted_is_called_evicted() {
    let mut driven = drive(Phase::Faulty, [order(1, 6.0), order(2, 7.0)]);
    driven.found[1].trace = None;
    driven.found[1].is_evicted = true;
    let finished = finish(PLAIN, SHOP, vec![driven]);
    let shown = text(&finished, false, &PLAIN_TEXT);
    assert!(
        shown.contains("its trace was evicted before it was read"),
        "{shown}"
    );
    assert!(!shown.contains("never came"), "{shown}");
}
