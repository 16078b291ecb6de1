//! Bad input: each gets one clear answer, and nothing is lost.

use std::net::TcpListener;

use rand::Rng;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{SKUS, Up, checkout_body, reply, run, some_lines, uuid};

#[tokio::test]
async fn a_bad_cart_is_refused_with_what_would_be_right() {
    let up = Up::start().await;
    let cart_id = uuid();
    up.put_cart(&cart_id, json!([]))
        .await
        .expect_problem(422, "empty-cart");
    let zero = json!([{ "sku": SKUS[0], "quantity": 0 }]);
    up.put_cart(&cart_id, zero)
        .await
        .expect_problem(422, "bad-cart");
    let negative = json!([{ "sku": SKUS[0], "quantity": -1 }]);
    let refused = up
        .put_cart(&cart_id, negative)
        .await
        .expect_problem(422, "invalid-body");
    assert_eq!(refused.text("field"), "lines[0].quantity");
    let huge = json!([{ "sku": "x".repeat(10 << 20), "quantity": 1 }]);
    up.put_cart(&cart_id, huge)
        .await
        .expect_problem(413, "body-too-large");

    for sku in ["MUG-\nBLU", "MUG-BLU\u{1b}", "MUG\0", "A,B", " MUG-BLU", ""] {
        let lines = json!([{ "sku": SKUS[0], "quantity": 1 }, { "sku": sku, "quantity": 1 }]);
        let refused = up.put_cart(&cart_id, lines).await;
        let refused = refused.expect_problem(400, "bad-sku");
        assert_eq!(refused.text("field"), "lines[1].sku", "{sku:?}");
    }

    up.checkout(&cart_id)
        .await
        .expect_problem(422, "empty-cart");

    up.put_cart(&cart_id, json!([{ "sku": "NO-SUCH-THING", "quantity": 1 }]))
        .await
        .expect(200);
    let refused = up
        .checkout(&cart_id)
        .await
        .expect_problem(422, "unknown-sku");
    assert_eq!(refused.body["skus"], json!(["NO-SUCH-THING"]));

    // The shop still works after it.
    up.order().await.expect(201);
}

#[tokio::test]
async fn a_bad_checkout_is_refused_with_what_would_be_right() {
    let up = Up::start().await;
    let cart_id = uuid();
    up.put_cart(&cart_id, some_lines()).await.expect(200);
    let with = |field: &str, value: Value| {
        let mut body = checkout_body(&cart_id);
        body[field] = value;
        reply(up.post_checkout(&body))
    };
    with("coupon", json!("NOSUCHCODE"))
        .await
        .expect_problem(422, "unknown-coupon");
    with("coupon", json!("SUMMER2020"))
        .await
        .expect_problem(422, "expired-coupon");
    with("email", json!("ada@example.org\r\nBcc: eve@example.org"))
        .await
        .expect_problem(422, "bad-email");
    let card =
        |number: &str, expiry: &str| json!({ "number": number, "expiry": expiry, "cvc": "123" });
    with("card", card("4242 4242 4242 4241", "12/39"))
        .await
        .expect_problem(402, "card-invalid");
    with("card", card("4242 4242 4242 4242", "12/19"))
        .await
        .expect_problem(402, "card-invalid");
    with("card", card("4000 0000 0000 0002", "12/39"))
        .await
        .expect_problem(402, "card-declined");
    with("surprise", json!(1))
        .await
        .expect_problem(422, "invalid-body");

    let url = format!("{}/checkout", up.url("checkout"));
    let broken = up
        .client
        .post(&url)
        .header("content-type", "application/json")
        .body("{\"cart_id\":");
    reply(broken).await.expect_problem(400, "invalid-json");
    reply(up.client.get(&url))
        .await
        .expect_problem(405, "method-not-allowed");
    let nowhere = format!("{}/nowhere", up.url("checkout"));
    reply(up.client.get(nowhere))
        .await
        .expect_problem(404, "not-found");
    let unknown = format!("{}/orders/{}", up.url("checkout"), uuid());
    reply(up.client.get(unknown))
        .await
        .expect_problem(404, "unknown-order");
    let key = "k".repeat(300);
    let long = up.checkout_request(&cart_id).header("idempotency-key", key);
    reply(long).await.expect_problem(400, "bad-idempotency-key");
}

#[tokio::test]
async fn a_malformed_traceparent_starts_a_new_trace() {
    let up = Up::start().await;
    let url = format!("{}/products", up.url("checkout"));
    let id = "0af7651916cd43dd8448eb211c80319c";
    let with = |value: String| reply(up.client.get(&url).header("traceparent", value));
    let good = with(format!("00-{id}-b7ad6b7169203331-01"))
        .await
        .expect(200);
    assert_eq!(good.trace_id.to_string(), id);
    for bad in [
        format!("00-{id}-b7ad6b7169203331"),
        format!("00-{id}-0000000000000000-01"),
        format!("00-{}-b7ad6b7169203331-01", id.to_uppercase()),
        format!("ff-{id}-b7ad6b7169203331-01"),
        "garbage".to_owned(),
    ] {
        let reply = with(bad.clone()).await.expect(200);
        assert_ne!(reply.trace_id.to_string(), id, "{bad}");
    }
}

#[tokio::test]
async fn garbage_on_the_wire_harms_nobody() {
    let up = Up::start().await;
    let mut addresses: Vec<String> = ["otlp_grpc", "otlp_http", "page", "amqp"]
        .iter()
        .map(|name| address(up.ready[*name].as_str().unwrap()))
        .collect();
    addresses.push(address(up.url("checkout")));
    for address in addresses {
        for length in [1, 9, 100, 10_000] {
            let mut garbage = vec![0; length];
            rand::rng().fill_bytes(&mut garbage);
            let mut stream = TcpStream::connect(&address).await.unwrap();
            // The server may close the connection before it has read everything.
            let _ = stream.write_all(&garbage).await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    }
    let placed = up.order().await.expect(201);
    up.mail(placed.text("message_id")).await;
    let stats = up.get_json("/api/stats").await;
    let spans = |name: &str| stats["spans"][name].as_u64().unwrap();
    assert_eq!(
        spans("received"),
        spans("stored") + spans("evicted") + spans("refused")
    );
}

fn address(url: &str) -> String {
    let address = url.split("://").nth(1).unwrap();
    address
        .rsplit('@')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = taken.local_addr().unwrap().port().to_string();
    let (code, stdout, stderr) = run(&["up", "--port-base", &base, "--format", "json"]).await;
    assert_eq!(code, 3, "{stderr}");
    assert_eq!(stdout, "");
    assert!(
        stderr.contains(&format!("port {base} (page) is already in use")),
        "{stderr}"
    );
    assert!(stderr.contains("--free-ports"), "{stderr}");
}

#[tokio::test]
async fn bad_arguments_are_refused_before_anything_starts() {
    for (arguments, message) in [
        (&["run", "chekout"][..], "checkout"),
        (&["run", "./no-such-file.yaml"], "no-such-file.yaml"),
        (&["load", "--rate", "5"], "5/s"),
        (&["up", "--otlp", "localhost:4317"], "http://"),
        (&["up", "--amqp", "localhost"], "amqp://"),
        (
            &["service", "provider", "--database", "mysql://x/y"],
            "sqlite://",
        ),
        (&["up", "--port-base", "65535"], "65535"),
        (&["order", "--lines", "0"], "from 1"),
        (&["load", "--users", "0"], "from 1"),
        (&["load", "--stages", "0:3s,0/s:1s"], "every rate is 0"),
        (&["order", "--lab", "banana"], "http://HOST:PORT"),
        (&["load", "--lab", "ftp://127.0.0.1"], "http://HOST:PORT"),
    ] {
        let (code, stdout, stderr) = run(arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[tokio::test]
async fn a_lab_that_is_not_there_is_named() {
    for command in ["order", "load"] {
        let arguments = [command, "--lab", "http://127.0.0.1:1"];
        let (code, _, stderr) = run(&arguments).await;
        assert_eq!(code, 3, "{command}: {stderr}");
        assert!(
            stderr.contains("http://127.0.0.1:1") && stderr.contains("tracelab up"),
            "{stderr}"
        );
    }
}
