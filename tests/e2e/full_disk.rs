//! A full disk: the shop does not answer with success for an order that it cannot store, and works again as
//! soon as there is room. (The broker's own test is in [`crate::broker`].)

use std::fs;

use crate::support::{Reply, Up, eventually, reply, some_lines, uuid};

/// The most orders that fit into the space that the database files had allocated before the disk was full.
const AT_MOST: usize = 5_000;

/// Places an order, and returns the reply of the step that it reached.
async fn try_order(up: &Up) -> Reply {
    let cart_id = uuid();
    let put = up.put_cart(&cart_id, some_lines()).await;
    match put.status {
        200 => up.checkout(&cart_id).await,
        _ => put,
    }
}

#[tokio::test]
async fn no_order_is_answered_with_success_that_cannot_be_kept() {
    let up = Up::start_on_a_disk_of("24m").await;
    let mut placed = vec![up.order().await.expect(201)];
    let ballast = up.disk().join("ballast");
    let full = fs::write(&ballast, vec![0; 24 << 20]);
    assert!(full.is_err(), "the disk is larger than was said");
    let refused = loop {
        let answered = try_order(&up).await;
        match answered.status {
            201 => placed.push(answered),
            _ => break answered,
        }
        assert!(placed.len() < AT_MOST, "the disk is never full");
    };
    assert!(refused.status >= 500, "{refused:?}");
    assert!(refused.content_type.contains("problem+json"), "{refused:?}");
    eventually("the service to say why", async || {
        up.said().contains("disk is full").then_some(())
    })
    .await;

    fs::remove_file(&ballast).unwrap();
    placed.push(
        eventually("an order to be taken again", async || {
            let answered = try_order(&up).await;
            (answered.status == 201).then_some(answered)
        })
        .await,
    );
    for order in placed {
        let url = format!("{}/orders/{}", up.url("checkout"), order.text("order_id"));
        let kept = reply(up.client.get(url)).await.expect(200);
        assert_eq!(kept.text("status"), "completed");
        let mail = format!("mail/{}.eml", order.text("message_id"));
        let mail = up.disk().join(mail);
        eventually("its mail", async || fs::read_to_string(&mail).ok()).await;
    }
}
