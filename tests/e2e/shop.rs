//! The shop, as its customers and the readers of its traces see it.

use serde_json::json;
use trace::{Kind, Span, StatusCode, Trace};

use crate::support::{Up, checkout_body, eventually, reply, some_lines, uuid};

fn named<'t>(trace: &'t Trace, service: &str, name: &str) -> &'t Span {
    let mut spans = trace.spans().iter();
    spans
        .find(|span| span.service() == service && span.name == name)
        .unwrap_or_else(|| panic!("no {service} {name} in {:#?}", names(trace)))
}

fn names(trace: &Trace) -> Vec<String> {
    trace
        .spans()
        .iter()
        .map(|span| format!("{} {}", span.service(), span.name))
        .collect()
}

fn has(trace: &Trace, service: &str, name: &str) -> bool {
    trace
        .spans()
        .iter()
        .any(|span| span.service() == service && span.name == name)
}

#[tokio::test]
async fn an_order_is_kept_and_its_mail_is_sent_once() {
    let up = Up::start().await;
    let placed = up.order().await.expect(201);
    assert_eq!(placed.text("status"), "completed");
    assert_eq!(placed.body["item_count"], 4);

    let url = format!("{}/orders/{}", up.url("checkout"), placed.text("order_id"));
    let kept = reply(up.client.get(url)).await.expect(200);
    assert_eq!(kept.body, placed.body);

    let message_id = placed.text("message_id");
    let mail = up.mail(message_id).await;
    assert!(
        mail.contains(&format!("Message-ID: <{message_id}@")),
        "{mail}"
    );
    assert!(mail.contains("To: ada@example.org"), "{mail}");
    assert!(mail.contains(placed.text("order_id")), "{mail}");
}

#[tokio::test]
async fn one_trace_goes_from_the_request_to_the_mail() {
    let up = Up::start().await;
    let placed = up.order().await.expect(201);
    let whole = |trace: &Trace| has(trace, "email", "send mail") && trace.orphans().count() == 0;
    let trace = up
        .trace_when(placed.trace_id, "the mail's spans", whole)
        .await;

    assert_eq!(trace.roots().count(), 1);
    let root = trace.span(trace.roots().next().unwrap());
    assert_eq!(
        (root.service(), root.name.as_str(), root.kind),
        ("checkout", "POST /checkout", Kind::Server)
    );
    let order = named(&trace, "checkout", "process_order");
    assert_eq!(
        order.attributes.get("order.id").unwrap().as_str(),
        Some(placed.text("order_id"))
    );
    assert_eq!(
        order.attributes.get("order.item_count").unwrap().as_int(),
        Some(4)
    );
    let producer = named(&trace, "checkout", "send shop:order.placed");
    let consumer = named(&trace, "email", "process shop:order.placed:email");
    assert_eq!(consumer.parent_span_id, Some(producer.span_id));
    assert_eq!(consumer.links[0].span_id, producer.span_id);
    assert!(
        trace
            .spans()
            .iter()
            .all(|span| span.service() != "provider"),
        "the provider has no spans"
    );
    for span in trace.spans() {
        assert!(span.status.code != StatusCode::Error, "{span:?}");
    }
}

#[tokio::test]
async fn a_consumer_may_start_a_trace_that_links_to_the_producer() {
    let up = Up::start_with(&["--messaging-relation", "link"]).await;
    let placed = up.order().await.expect(201);
    up.mail(placed.text("message_id")).await;
    let sent = |trace: &Trace| has(trace, "checkout", "send shop:order.placed");
    let trace = up
        .trace_when(placed.trace_id, "the producer's span", sent)
        .await;
    let producer = named(&trace, "checkout", "send shop:order.placed").clone();
    let query = format!(
        "/api/traces?service=email&attribute=messaging.message.id={}",
        placed.text("message_id")
    );
    let consumer_trace = eventually("the consumer's trace", async || {
        let found = up.get_json(&query).await;
        let id = found["traces"][0]["trace_id"].as_str()?.parse().unwrap();
        up.trace(id).await
    })
    .await;
    assert_ne!(consumer_trace.id(), trace.id());
    let consumer = named(&consumer_trace, "email", "process shop:order.placed:email");
    assert_eq!(consumer.parent_span_id, None);
    assert_eq!(
        (consumer.links[0].trace_id, consumer.links[0].span_id),
        (trace.id(), producer.span_id)
    );
}

#[tokio::test]
async fn asking_again_under_an_idempotency_key_orders_nothing_twice() {
    let up = Up::start().await;
    let cart_id = uuid();
    up.put_cart(&cart_id, some_lines()).await.expect(200);
    let key = uuid();
    let ask = || {
        reply(
            up.checkout_request(&cart_id)
                .header("idempotency-key", &key),
        )
    };
    let first = ask().await.expect(201);
    let second = ask().await.expect(201);
    assert_eq!(first.body, second.body);
    assert_ne!(
        first.trace_id, second.trace_id,
        "each request has its own trace"
    );

    let other = json!({ "cart_id": cart_id, "email": "bob@example.org",
        "card": checkout_body("")["card"] });
    let refused = reply(up.post_checkout(&other).header("idempotency-key", &key)).await;
    refused.expect_problem(422, "idempotency-key-reused");

    // Concurrent requests with one key: one of them places the order, and no second one is placed.
    let key = uuid();
    let ask = || {
        reply(
            up.checkout_request(&cart_id)
                .header("idempotency-key", &key),
        )
    };
    let replies = futures::future::join_all((0..8).map(|_| ask())).await;
    let mut orders: Vec<String> = Vec::new();
    for reply in replies {
        match reply.status {
            201 => orders.push(reply.text("order_id").to_owned()),
            _ => drop(reply.expect_problem(409, "order-in-progress")),
        }
    }
    orders.dedup();
    assert_eq!(orders.len(), 1);
}

#[tokio::test]
async fn a_declined_card_is_an_error_of_the_caller_in_every_span_that_should_say_so() {
    let up = Up::start().await;
    let cart_id = uuid();
    up.put_cart(&cart_id, some_lines()).await.expect(200);
    let mut body = checkout_body(&cart_id);
    body["card"]["number"] = json!("4000 0000 0000 0002");
    let declined = reply(up.post_checkout(&body))
        .await
        .expect_problem(402, "card-declined");
    let whole = |trace: &Trace| {
        let both =
            has(trace, "checkout", "POST /checkout") && has(trace, "payment", "POST /charges");
        both && trace.orphans().count() == 0
    };
    let trace = up
        .trace_when(declined.trace_id, "both services' spans", whole)
        .await;

    let status = |service, name| named(&trace, service, name).status.code;
    assert_eq!(status("checkout", "POST /checkout"), StatusCode::Unset);
    assert_eq!(status("payment", "POST /charges"), StatusCode::Unset);
    assert_eq!(status("checkout", "charge payment"), StatusCode::Error);
    assert_eq!(status("payment", "process charge"), StatusCode::Error);
    assert_eq!(status("checkout", "POST"), StatusCode::Error);
    assert_eq!(status("checkout", "process_order"), StatusCode::Error);
    for (service, name) in [
        ("checkout", "charge payment"),
        ("payment", "process charge"),
    ] {
        let events = &named(&trace, service, name).events;
        assert!(
            events.iter().any(|event| event.name == "exception"),
            "{service} {name}: {events:?}"
        );
    }
}

#[tokio::test]
async fn health_and_flush_are_not_traced() {
    let up = Up::start().await;
    let placed = up.order().await.expect(201);
    let mailed = |trace: &Trace| {
        let both = has(trace, "email", "send mail") && has(trace, "checkout", "POST /checkout");
        both && trace.orphans().count() == 0
    };
    up.trace_when(placed.trace_id, "all of it", mailed).await;
    let before = up.get_json("/api/stats").await["spans"]["received"].clone();
    for service in ["checkout", "payment", "provider", "inventory", "email"] {
        let health = up
            .client
            .get(format!("{}/healthz", up.url(service)))
            .send()
            .await
            .unwrap();
        assert_eq!(health.status(), 200, "{service}");
        let flush = up
            .client
            .post(format!("{}/lab/flush", up.url(service)))
            .send()
            .await
            .unwrap();
        assert_eq!(flush.status(), 200, "{service}");
    }
    assert_eq!(up.get_json("/api/stats").await["spans"]["received"], before);
}
