//! Open load: the schedule does not wait for the shop.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use loadgen::{Step, UnixNanos};
use schedule::{Load, Rate};
use tokio_util::sync::CancellationToken;

use crate::shop::{Mood, Shop, drive, kept, lines_of, plan};

fn open(rate: f64, duration: Duration) -> Load {
    Load::steady(Rate::of(rate).unwrap(), duration)
}

#[tokio::test(flavor = "multi_thread")]
async fn journeys_are_planned_at_a_constant_rate() {
    let shop = Shop::open(Mood::Friendly).await;
    let outcome = drive(plan(&shop, open(50.0, Duration::from_millis(500)))).await;
    let mut carts = lines_of(&outcome, Step::Cart);
    carts.sort_by_key(|line| line.journey);
    assert_eq!(carts.len(), 25);
    for (n, line) in carts.iter().enumerate() {
        let planned = Duration::from_nanos(line.planned.0 - carts[0].planned.0);
        assert_eq!(planned, Duration::from_millis(20) * n as u32, "journey {n}");
        assert!(line.started.unwrap() >= line.planned, "{line:?}");
    }
    assert_eq!(outcome.progress.orders, 25);
    assert_eq!(outcome.progress.never_started, 0);
}

/// A server that closes idle connections does so after some time that the client does not know. A request that is
/// sent at that moment gets no answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_idle_is_not_used_again() {
    let shop = Shop::open(Mood::Friendly).await;
    let outcome = drive(plan(&shop, open(10.0, Duration::from_secs(1)))).await;
    assert_eq!(outcome.progress.orders, 10);
    let mut lines: Vec<_> = outcome.lines.iter().collect();
    lines.sort_by_key(|line| line.started);
    let mut free_since: HashMap<SocketAddr, UnixNanos> = HashMap::new();
    let mut used_again = 0;
    for line in lines {
        let seen = shop.seen().into_iter();
        let mut seen = seen.filter(|seen| seen.request_id == line.request_id.to_string());
        let connection = seen.next().expect("every request has arrived").connection;
        let (started, ended) = (line.started.unwrap(), line.ended.unwrap());
        if let Some(since) = free_since.insert(connection, ended) {
            let idle = Duration::from_nanos(started.0.saturating_sub(since.0));
            // Far more than the client allows, and less than the time between two journeys.
            assert!(idle < Duration::from_millis(90), "{idle:?}: {line:?}");
            used_again += 1;
        }
    }
    assert!(used_again > 0, "the checkout of a journey follows its cart");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_does_not_wait_for_replies() {
    let shop = Shop::open(Mood::Friendly).await;
    // The first checkout is answered only after the last one has arrived.
    shop.wait_for_checkouts(10);
    let outcome = drive(plan(&shop, open(100.0, Duration::from_millis(100)))).await;
    assert_eq!(outcome.progress.orders, 10);
    assert_eq!(outcome.checkout.unwrap().count, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn journeys_that_were_due_and_never_started_have_lines() {
    let shop = Shop::open(Mood::Friendly).await;
    let load = open(10_000.0, Duration::from_secs(60));
    let users = load.users().get();
    // No checkout is answered until the load was stopped, so every user is held up by its first.
    shop.wait_for_checkouts(usize::MAX);
    let stop = CancellationToken::new();
    loadgen::reserve_ctrl_c().unwrap();
    let driving = tokio::spawn(loadgen::drive(
        plan(&shop, load),
        kept(),
        |_, _| (),
        stop.clone(),
    ));
    shop.checkouts_arrived(users).await;
    stop.cancel();
    shop.wait_for_checkouts(0);
    let outcome = driving.await.unwrap().unwrap();

    assert!(outcome.stopped);
    assert_eq!(outcome.progress.orders, users as u64);
    let unstarted: Vec<_> = outcome
        .lines
        .iter()
        .filter(|line| line.started.is_none())
        .collect();
    assert!(!unstarted.is_empty());
    assert_eq!(outcome.progress.never_started, unstarted.len() as u64);
    for line in unstarted {
        assert_eq!(line.trace_id, None);
        assert_eq!(
            line.reply.as_deref(),
            Some("never started: the load was stopped")
        );
        assert!(line.journey.unwrap() >= users as u64);
    }
    let mut checkouts: Vec<u64> = lines_of(&outcome, Step::Checkout)
        .iter()
        .map(|line| line.journey.unwrap())
        .collect();
    checkouts.sort_unstable();
    let all: Vec<u64> = (0..checkouts.len() as u64).collect();
    assert_eq!(checkouts, all, "no journey that was due is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journey_is_given_up_when_nobody_came_for_too_long() {
    let shop = Shop::open(Mood::Friendly).await;
    // No checkout is ever answered: each user waits for as long as it has patience, and by the
    // second time it is too late for all that were due at the beginning.
    shop.wait_for_checkouts(usize::MAX);
    let load = open(1e6, Duration::from_millis(3));
    assert_eq!(load.users().get(), 512);
    let mut plan = plan(&shop, load);
    plan.patience = Duration::from_secs(1);
    let outcome = drive(plan).await;

    assert_eq!(lines_of(&outcome, Step::Checkout).len(), 3_000);
    assert_eq!(lines_of(&outcome, Step::Cart).len(), 3_000);
    let given_up = outcome.lines.iter().filter(|line| {
        let why = line.reply.as_deref().unwrap_or_default();
        why.starts_with("never started: no user was free")
    });
    assert!(given_up.count() > 0);
    assert_eq!(outcome.progress.orders, 0);
    assert!(!outcome.stopped);
}
