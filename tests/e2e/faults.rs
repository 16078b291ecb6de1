//! Faults: each acts on the request that asks for it, on no request beside it, and on none after it.

use faults::{CATALOGUE, Fault, Reach};
use serde_json::{Value, json};
use trace::{Trace, Value as Attribute};

use crate::support::{Reply, Up, eventually, reply, run, some_lines, uuid};

/// What some faults need beside them, to have something to act on.
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

/// Whether the whole of an order is there, up to its mail.
fn is_whole(trace: &Trace) -> bool {
    let mut spans = trace.spans().iter();
    let complete = trace.roots().count() == 1 && trace.orphans().count() == 0;
    complete && spans.any(|span| span.name == "send mail")
}

/// The faults that are written on the spans of a trace.
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
async fn each_fault_acts_on_its_request_and_not_on_the_one_beside_it() {
    let up = Up::start().await;
    for fault in CATALOGUE {
        if fault.reach == Reach::Everyone {
            // Their point is that others feel them: `tracelab run` proves them.
            continue;
        }
        let baggage = baggage(fault);
        let (faulty, healthy) = tokio::join!(order_with(&up, &baggage), up.order());
        let healthy = healthy.expect(201);
        eventually(&format!("{} leaves a trace", fault.name), async || {
            // Some break the trace in two: the other part is found by the order.
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
    // Who brings a fault gets only that.
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
