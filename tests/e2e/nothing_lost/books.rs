//! The orders in the databases of the services, and the mails that were sent.

use std::collections::BTreeSet;

use super::{ground::Ground, load::Answer};
use crate::support::eventually;

/// Waits until no work is left, and checks that every table has the same orders, each once.
pub(super) async fn all_accounts_agree(ground: &Ground, answers: &[Answer]) -> BTreeSet<String> {
    let column = |service, query| ground.column(service, query);
    eventually("no order to be pending, no message unsent", async || {
        let pending = "SELECT order_id FROM orders WHERE status = 'pending'";
        let unsent = "SELECT message_id FROM outbox";
        let left = [
            column("checkout", pending).await.len(),
            column("checkout", unsent).await.len(),
        ];
        (left == [0, 0]).then_some(())
    })
    .await;
    let completed = "SELECT order_id FROM orders WHERE status = 'completed'";
    let orders = once("orders", column("checkout", completed).await);
    let messages = "SELECT message_id FROM orders WHERE status = 'completed'";
    let messages = once("messages", column("checkout", messages).await);
    eventually("a mail for each order", async || {
        (ground.up.mails().len() >= messages.len()).then_some(())
    })
    .await;
    let mails = ground.up.mails().into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let line = text
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with("message-id:"));
        let id = line.unwrap_or_else(|| panic!("no Message-ID in {}", path.display()));
        let id = id.split(['<', '@', '>']).nth(1).unwrap();
        id.to_owned()
    });
    assert_eq!(once("mails", mails.collect()), messages);

    let reserved = "SELECT order_id FROM reservations WHERE status = 'reserved'";
    eventually("only orders to have a reservation", async || {
        (once("reservations", column("inventory", reserved).await) == orders).then_some(())
    })
    .await;
    let charged = "SELECT order_id FROM charges WHERE status = 'charged'";
    eventually("only orders to have a charge", async || {
        (once("charges", column("payment", charged).await) == orders).then_some(())
    })
    .await;
    let ids = "SELECT charge_id FROM charges WHERE status = 'charged'";
    let ids = once("charges", column("payment", ids).await);
    let taken = "SELECT charge_id FROM charges WHERE status = 'succeeded'";
    eventually("the provider to have charged for no other", async || {
        (once("the provider's charges", column("provider", taken).await) == ids).then_some(())
    })
    .await;
    for answer in answers {
        assert!(orders.contains(&answer.order_id), "lost: {answer:?}");
        assert!(messages.contains(&answer.message_id), "no mail: {answer:?}");
    }
    orders
}

fn once(what: &str, values: Vec<String>) -> BTreeSet<String> {
    let count = values.len();
    let set: BTreeSet<_> = values.into_iter().collect();
    assert_eq!(set.len(), count, "some of the {what} are there twice");
    set
}
