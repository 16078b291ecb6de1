//! Faults: each acts on the request that asks for it, on no concurrent request, and on no later one.

use faults::{CATALOGUE, Fault, Reach};
use serde_json::{Value, json};
use trace::{Trace, Value as Attribute};

use crate::seen;
use crate::support::{Reply, Up, eventually, reply, run, some_lines, uuid};

/// The faults that some faults need in order to have an effect.
fn baggage(fault: &Fault) -> String {
    let on = |name: &str| format!("lab.fault.{name}=on");
    match fault.name {
        "retry-storm" => format!("{},{}", on("retry-storm"), on("provider-error")),
        "provider-timeout" => format!(
            "{};deadline_ms=100,{};latency_ms=400",
            on("provider-timeout"),
            on("slow-provider")
        ),
        "late-spans" => format!("{};delay_ms=200", on("late-spans")),
        "abandoned-work" => format!(
            "{};after_ms=10,{};latency_ms=200",
            on("abandoned-work"),
            on("slow-provider")
        ),
        "span-flood" => format!("{};spans=500", on("span-flood")),
        "slow-query" => format!("{};rows=1000", on("slow-query")),
        name => on(name),
    }
}

async fn order_with(up: &Up, baggage: &str) -> Reply {
    let cart_id = uuid();
    up.put_cart(&cart_id, some_lines()).await.expect(200);
    reply(up.checkout_request(&cart_id).header("baggage", baggage)).await
}

/// Whether all spans of the order have arrived, including those of its mail.
fn is_whole(trace: &Trace) -> bool {
    let mut spans = trace.spans().iter();
    let complete = trace.roots().count() == 1 && trace.orphans().count() == 0;
    complete && spans.any(|span| span.name == "send mail")
}

/// The names of the faults that are recorded on the spans of a trace.
fn acted(trace: &Trace) -> Vec<String> {
    let events = trace.spans().iter().flat_map(|span| &span.events);
    events
        .filter(|event| event.name == "lab.fault")
        .filter_map(|event| {
            let name = event.attributes.get("lab.fault.name");
            name.and_then(Attribute::as_str).map(str::to_owned)
        })
        .collect()
}

#[tokio::test]
async fn the_largest_flood_of_one_order_arrives_whole() {
    const SPANS: u64 = 100_000;
    let up = Up::start().await;
    let placed = order_with(&up, &format!("lab.fault.span-flood=on;spans={SPANS}")).await;
    up.mail(placed.expect(201).text("message_id")).await;
    let flush = up.client.post(format!("{}/lab/flush", up.url("checkout")));
    let counts: Value = flush.send().await.unwrap().json().await.unwrap();
    assert!(counts["ended"].as_u64().unwrap() > SPANS, "{counts}");
    assert_eq!(counts["exported"], counts["ended"], "{counts}");
    let spans = up.get_json("/api/stats").await["spans"].take();
    assert!(
        spans["stored"].as_u64() >= counts["exported"].as_u64(),
        "{spans}"
    );
    assert_eq!(spans["stored"], spans["received"], "{spans}");
}

#[tokio::test]
async fn each_fault_acts_on_its_request_and_not_on_the_one_beside_it() {
    let up = Up::start().await;
    for fault in CATALOGUE {
        if fault.reach == Reach::Everyone {
            // These faults are meant to affect other requests: `tracelab run` tests them.
            continue;
        }
        let baggage = baggage(fault);
        let (faulty, healthy) = tokio::join!(order_with(&up, &baggage), up.order());
        let healthy = healthy.expect(201);
        eventually(&format!("{} leaves a trace", fault.name), async || {
            // Some faults break the trace in two: the order's id leads to the other part.
            let mut traces: Vec<Trace> = up.trace(faulty.trace_id).await.into_iter().collect();
            if let Some(order) = faulty.body["order_id"].as_str() {
                let found: Value = up
                    .get_json(&format!("/api/traces?attribute=order.id={order}"))
                    .await;
                for summary in found["traces"].as_array().unwrap() {
                    let id = summary["trace_id"].as_str().unwrap().parse().unwrap();
                    traces.extend(up.trace(id).await);
                }
            }
            let acted: Vec<String> = traces.iter().flat_map(acted).collect();
            acted.iter().any(|name| name == fault.name).then_some(())
        })
        .await;
        let trace = up.trace_when(healthy.trace_id, "is whole", is_whole).await;
        assert_eq!(acted(&trace), Vec::<String>::new(), "beside {}", fault.name);
        assert_eq!(
            (trace.roots().count(), trace.errors()),
            (1, 0),
            "beside {}",
            fault.name
        );
    }
    let after = up.order().await.expect(201);
    let trace = up.trace_when(after.trace_id, "is whole", is_whole).await;
    assert_eq!(acted(&trace), Vec::<String>::new(), "after all of them");
}

#[tokio::test]
async fn a_fault_that_does_not_exist_is_refused_with_the_nearest() {
    let up = Up::start().await;
    for (baggage, words) in [
        ("lab.fault.slow-provder=on", "slow-provider"),
        ("lab.fault.slow-provider=on;latency=5", "latency_ms"),
        (
            "lab.fault.slow-provider=on;latency_ms=-1",
            "a whole number from",
        ),
        ("lab.fault.slow-provider=off", "=on"),
    ] {
        let problem = order_with(&up, baggage)
            .await
            .expect_problem(400, "bad-fault");
        assert!(problem.text("detail").contains(words), "{:?}", problem.body);
    }
    let (code, _, stderr) = run(&["order", "--lab", up.page(), "--fault", "n-plus-on"]).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("n-plus-one"), "{stderr}");
    let (code, _, stderr) = run(&["order", "--lab", up.page(), "--orders", "101"]).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("from 1 to 100"), "{stderr}");
    let url = format!("{}/api/orders", up.page());
    let many = up.client.post(url).json(&json!({ "orders": 101 }));
    let refused = many.send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

/// The value of a fault's parameter, from the event of the fault in a trace.
fn parameter(trace: &Trace, fault: &str, parameter: &str) -> Option<i64> {
    let events = trace.spans().iter().flat_map(|span| &span.events);
    let mut of_fault = events.filter(|event| {
        let name = event.attributes.get("lab.fault.name");
        name.and_then(Attribute::as_str) == Some(fault)
    });
    let key = format!("lab.fault.{parameter}");
    of_fault.find_map(|event| event.attributes.get(&key)?.as_int())
}

#[tokio::test]
async fn a_fault_beyond_the_limits_of_baggage_is_refused_and_at_the_limit_it_acts() {
    let up = Up::start().await;
    let fault = "lab.fault.slow-provider=on;latency_ms=30";
    let members = |count: usize| {
        let members: Vec<String> = (0..count).map(|number| format!("k{number}=v")).collect();
        members.join(",")
    };
    let bytes = |count: usize| format!("a={}", "v".repeat(count - "a=".len()));
    let room = 8_192 - fault.len() - ",".len();
    for full in [members(63), bytes(room)] {
        // It acts in the provider, which is three services away.
        let order = order_with(&up, &format!("{full},{fault}"))
            .await
            .expect(201);
        up.trace_when(order.trace_id, "has the fault", |trace| {
            parameter(trace, "slow-provider", "latency_ms") == Some(30)
        })
        .await;
    }
    for (beyond, limit) in [
        (members(64), "at most 64 members"),
        (bytes(room + 1), "at most 8192 bytes"),
    ] {
        let problem = order_with(&up, &format!("{beyond},{fault}"))
            .await
            .expect_problem(400, "bad-fault");
        let detail = problem.text("detail");
        assert!(detail.contains(limit), "{detail}");
        assert!(detail.contains("lab.fault.slow-provider"), "{detail}");
    }
    let problem = order_with(&up, "user=ada,lab.fault.slow-provider")
        .await
        .expect_problem(400, "bad-fault");
    let detail = problem.text("detail");
    assert!(detail.contains("lab.fault.NAME=on"), "{detail}");
}

#[tokio::test]
async fn what_is_given_twice_is_refused_in_each_text() {
    let up = Up::start().await;
    let lab = ["--lab", up.page()];
    for (baggage, words) in [
        ("lab.fault.panic=on,a=1,lab.fault.panic=on", "twice"),
        (
            "lab.fault.slow-provider=on;latency_ms=1;latency_ms=2",
            "given twice, as \"1\" and as \"2\"",
        ),
        (
            "lab.fault.slow-provider=on%3Blatency_ms%3D1;latency_ms=2",
            "given twice, as \"1\" and as \"2\"",
        ),
    ] {
        let problem = order_with(&up, baggage)
            .await
            .expect_problem(400, "bad-fault");
        let detail = problem.text("detail");
        assert!(detail.contains(words), "{detail}");
    }
    for (arguments, words) in [
        (
            &["order", "--fault", "panic", "--fault", "panic"] as &[&str],
            "--fault: the fault panic is switched on twice",
        ),
        (
            &[
                "order",
                "--fault",
                "slow-provider;latency_ms=1;latency_ms=2",
            ],
            "given twice, as \"1\" and as \"2\"",
        ),
        (
            &["load", "--fault", "panic", "--fault", "panic"],
            "--fault: the fault panic is switched on twice",
        ),
        (
            &["fault", "set", "slow-query", "slow-query;ms=5"],
            "as \"slow-query;ms=400\" and as \"slow-query;ms=5\"",
        ),
    ] {
        let (code, stdout, stderr) = run(&[arguments, &lab].concat()).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
    let set = ["--set", "slow-provider.latency_ms=5"];
    let again = ["--set", "slow-provider.latency_ms=6"];
    let (code, _, stderr) = run(&[&["run", "slow-provider"][..], &set, &again].concat()).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("latency_ms is set twice, to \"5\" and to \"6\""),
        "{stderr}"
    );

    let send = async |method: reqwest::Method, path: &str, body: &str| {
        let url = format!("{}{path}", up.page());
        let request = up.client.request(method, url).body(body.to_owned());
        let request = request.header("content-type", "application/json");
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    };
    for faults in [
        r#"{"panic":{},"panic":{}}"#,
        r#"{"slow-provider":{"latency_ms":1,"latency_ms":2}}"#,
    ] {
        let (status, text) = send(reqwest::Method::PUT, "/api/faults", faults).await;
        assert_eq!(status, 400, "{text}");
        assert!(text.contains("twice"), "{text}");
        let order = format!(r#"{{"lines":1,"faults":{faults}}}"#);
        let (status, text) = send(reqwest::Method::POST, "/api/orders", &order).await;
        assert_eq!(status, 400, "{text}");
        assert!(text.contains("twice"), "{text}");
    }
    let twice = r#"{"faults":{"panic":{}},"faults":{}}"#;
    let (status, text) = send(reqwest::Method::POST, "/api/orders", twice).await;
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("duplicate field `faults`"), "{text}");
    let on: Value = up.get_json("/api/faults").await;
    assert_eq!(on, json!({}), "nothing of all this was switched on");

    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("twice.yaml");
    let (_, scenario, _) = run(&["scenario", "show", "slow-provider"]).await;
    let line = scenario
        .lines()
        .find(|line| line.starts_with("faults:"))
        .unwrap();
    for (faults, words) in [
        ("{ panic: {}, panic: {} }", "\"panic\" is already there"),
        (
            "{ slow-provider: { latency_ms: 1, latency_ms: 2 } }",
            "\"latency_ms\" is already there",
        ),
    ] {
        let text = scenario.replacen(line, &format!("faults: {faults}"), 1);
        std::fs::write(&path, text).unwrap();
        let (code, _, stderr) = run(&["scenario", "lint", path.to_str().unwrap()]).await;
        assert_eq!(code, 2, "{faults}: {stderr}");
        assert!(stderr.contains(words), "{faults}: {stderr}");
    }
}

#[tokio::test]
async fn a_fault_of_an_sdk_without_properties_acts_wherever_it_is_read() {
    let up = Up::start().await;
    // The provider parses the header itself, email reads the headers of the message, and the clock of
    // payment is changed where its spans start.
    let baggage = "lab.fault.slow-provider=on%3Blatency_ms%3D30,\
                   lab.fault.slow-consumer=on%3Bms%3D20,\
                   lab.fault.clock-skew=on%3Boffset_ms%3D-700";
    let order = order_with(&up, baggage).await.expect(201);
    up.trace_when(order.trace_id, "has all three", |trace| {
        parameter(trace, "slow-provider", "latency_ms") == Some(30)
            && parameter(trace, "slow-consumer", "ms") == Some(20)
            && parameter(trace, "clock-skew", "offset_ms") == Some(-700)
    })
    .await;
    // Percent-encoded properties, and a value that contains properties beside real ones.
    let baggage = "lab.fault.slow-provider=on;latency_ms=%33%30,\
                   lab.fault.provider-error=on%3Bstatus%3D500;share=1";
    let order = order_with(&up, baggage).await;
    up.trace_when(order.trace_id, "has both", |trace| {
        parameter(trace, "slow-provider", "latency_ms") == Some(30)
            && parameter(trace, "provider-error", "status") == Some(500)
    })
    .await;
}

#[tokio::test]
async fn a_fault_for_everyone_acts_on_a_request_whose_baggage_is_full() {
    let up = Up::start().await;
    let lab = ["--lab", up.page()];
    let set = ["fault", "set", "slow-provider;latency_ms=30"];
    let (code, _, stderr) = run(&[&set[..], &lab].concat()).await;
    assert_eq!(code, 0, "{stderr}");
    let members: Vec<String> = (0..64).map(|number| format!("k{number}=v")).collect();
    for full in [members.join(","), format!("a={}", "v".repeat(8_190))] {
        let order = order_with(&up, &full).await.expect(201);
        up.trace_when(order.trace_id, "has the fault", |trace| {
            parameter(trace, "slow-provider", "latency_ms") == Some(30)
        })
        .await;
    }
}

#[tokio::test]
async fn baggage_beyond_the_limits_is_dropped_and_the_order_is_served() {
    let up = Up::start().await;
    let members: Vec<String> = (0..200)
        .map(|number| format!("key{number}={}", "v".repeat(60)))
        .collect();
    let long = members.join(",");
    assert!(long.len() > 8_192);
    order_with(&up, &long).await.expect(201);
    order_with(&up, ",,;=;%%%,lab").await.expect(201);
}

#[tokio::test]
async fn a_fault_for_everyone_is_switched_on_and_off() {
    let up = Up::start().await;
    let lab = ["--lab", up.page()];
    let cli = async |arguments: &[&str]| run(&[arguments, &lab].concat()).await;

    let (code, stdout, _) =
        cli(&["fault", "set", "slow-provider;latency_ms=120", "n-plus-one"]).await;
    assert_eq!(
        (code, stdout.as_str()),
        (0, "on: slow-provider;latency_ms=120\non: n-plus-one\n")
    );
    let on: Value = up.get_json("/api/faults").await;
    assert_eq!(
        on,
        json!({ "slow-provider": { "latency_ms": 120 }, "n-plus-one": {} })
    );
    let (_, stdout, _) = cli(&["fault", "list"]).await;
    assert!(
        stdout.contains("(on: slow-provider;latency_ms=120)"),
        "{stdout}"
    );

    let order = up.order().await.expect(201);
    let trace = up
        .trace_when(order.trace_id, "has both", |trace| acted(trace).len() == 2)
        .await;
    assert!(acted(&trace).contains(&"slow-provider".to_owned()));
    // A request that asks for a fault gets only that one.
    let order = order_with(&up, "lab.fault.sequential-calls=on")
        .await
        .expect(201);
    let trace = up.trace_when(order.trace_id, "is whole", is_whole).await;
    assert_eq!(acted(&trace), ["sequential-calls"]);

    let (_, stdout, _) = cli(&["fault", "clear", "slow-provider"]).await;
    assert_eq!(stdout, "on: n-plus-one\n");
    let (_, stdout, _) = cli(&["fault", "clear"]).await;
    assert_eq!(stdout, "no fault is on\n");
    let order = up.order().await.expect(201);
    let trace = up.trace_when(order.trace_id, "is whole", is_whole).await;
    assert_eq!(acted(&trace), Vec::<String>::new());

    let url = format!("{}/api/faults", up.page());
    for wrong in [
        json!({ "slow-provder": {} }),
        json!([1]),
        json!({ "slow-provider": { "latency_ms": "x" } }),
    ] {
        let refused = up.client.put(&url).json(&wrong).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{wrong}");
    }
    let (code, _, stderr) = cli(&["fault", "clear", "slow-provder"]).await;
    assert_eq!(code, 2, "{stderr}");
}

#[tokio::test]
async fn a_fault_for_everyone_outlives_checkout() {
    let mut up = Up::start().await;
    let (code, ..) = run(&["fault", "set", "n-plus-one", "--lab", up.page()]).await;
    assert_eq!(code, 0);
    let before = up.pid("checkout");
    rustix::process::kill_process(before, rustix::process::Signal::KILL).unwrap();
    eventually("checkout is back with its fault", async || {
        let url = format!("{}/api/faults", up.page());
        let on = up
            .client
            .get(url)
            .send()
            .await
            .ok()?
            .json::<Value>()
            .await
            .ok()?;
        let pid = up.get_json("/api/lab").await["services"]["checkout"]["pid"].as_i64()?;
        let another = pid != i64::from(before.as_raw_nonzero().get());
        (another && on == json!({ "n-plus-one": {} })).then_some(())
    })
    .await;
    up.look_again().await;
    let order = up.order().await.expect(201);
    up.trace_when(order.trace_id, "has it", |trace| {
        acted(trace) == ["n-plus-one"]
    })
    .await;
}

#[tokio::test]
async fn an_order_with_a_fault_is_placed_from_the_command_line() {
    let up = Up::start().await;
    let arguments = [
        "order",
        "--lab",
        up.page(),
        "--fault",
        "card-declined",
        "--format",
        "json",
    ];
    let (code, stdout, stderr) = run(&arguments).await;
    assert_eq!(code, 0, "{stderr}");
    let placed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(placed["status"], 402);
    let id = placed["trace_id"].as_str().unwrap().parse().unwrap();
    let trace = up.trace(id).await.unwrap();
    assert_eq!(acted(&trace), ["card-declined"]);
}

/// Places an order with a fault, and with everything that the fault needs. An error lists the findings that
/// the order's traces lack.
async fn order_shows(
    up: &Up,
    fault: &'static Fault,
    must: impl Iterator<Item = &'static str>,
) -> Result<(), String> {
    let order = ["order", "--lab", up.page(), "--fault", fault.name];
    let watch = runner::StallWatch::start();
    let (code, stdout, stderr) = run(&[&order[..], &["--format", "json"]].concat()).await;
    let is_stalled = watch.stalled().is_some();
    assert_eq!(code, 0, "{}: {stderr}", fault.name);
    let placed: Value = serde_json::from_str(&stdout).unwrap();
    let id = |placed: &Value| placed["trace_id"].as_str().unwrap().parse().unwrap();
    let (shown, others) = (id(&placed), placed["others"].as_array().unwrap());

    let all = seen::all_traces(up).await;
    let index = seen::Index::of(&all);
    let own = index.of_order(shown);
    let others = others.iter().flat_map(|other| index.of_order(id(other)));
    let together: Vec<Trace> = own.iter().cloned().chain(others).collect();
    let together = seen::distinct(together.iter());
    let found: Vec<&str> = diagnose::diagnose(&together, &[], &diagnose::THRESHOLDS)
        .iter()
        .filter(|diagnosis| own.iter().any(|trace| trace.id() == diagnosis.trace.id()))
        .flat_map(|diagnosis| &diagnosis.findings)
        .map(|finding| finding.rule.name)
        .collect();
    // As `tracelab run` does: on a machine that stalled, a finding about load may be missing.
    let is_excused = |name: &str| {
        (name == "abandoned-work" && seen::is_given_up_late(&own))
            || (is_stalled && diagnose::rule(name).is_some_and(|rule| rule.of_the_load))
    };
    let missing: Vec<&str> = must
        .filter(|name| !found.contains(name) && !is_excused(name))
        .collect();
    match missing.is_empty() && seen::acted(&own, fault) {
        true => Ok(()),
        false => Err(format!(
            "{}: no {missing:?} among {found:?}: {stdout}",
            fault.name
        )),
    }
}

#[tokio::test]
async fn an_order_takes_what_its_fault_needs_to_be_seen() {
    let up = Up::start_with(&["--pace", "textbook"]).await;
    let mut wrong = Vec::new();
    for fault in CATALOGUE {
        if fault.needs.is_some() {
            // This lab lacks the part that the fault needs.
            continue;
        }
        let seen::Expected { always, mostly, .. } = seen::expected(fault);
        // A finding that only most traces have may be missing from one of three.
        let (times, may_fail) = if mostly.is_empty() { (1, 0) } else { (3, 1) };
        let mut failures = Vec::new();
        for _ in 0..times {
            failures.extend(
                order_shows(&up, fault, always.union(&mostly).copied())
                    .await
                    .err(),
            );
        }
        if failures.len() > may_fail {
            wrong.extend(failures);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let (code, stdout, _) = run(&["order", "--lab", up.page(), "--fault", "n-plus-one"]).await;
    assert_eq!(code, 0);
    assert!(
        stdout.starts_with("To be seen, this needs a cart of 200 lines.\n"),
        "{stdout}"
    );
    let few = [
        "order",
        "--lab",
        up.page(),
        "--fault",
        "n-plus-one",
        "--lines",
        "2",
    ];
    let (_, stdout, _) = run(&[&few[..], &["--format", "json"]].concat()).await;
    let placed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        placed.get("taken"),
        None,
        "what was asked for is not taken: {stdout}"
    );
}
