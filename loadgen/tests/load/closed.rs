//! Closed load: exactly so many journeys, each request with a line.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use loadgen::{Error, Line, OrderJourney, Recording, Step};
use schedule::Load;
use tokio_util::sync::CancellationToken;

use crate::shop::{Mood, Shop, closed, drive, kept, lines_of, plan};

#[tokio::test(flavor = "multi_thread")]
async fn every_request_has_a_line_that_leads_to_its_trace() {
    let shop = Shop::open(Mood::Friendly).await;
    let outcome = drive(plan(&shop, closed(4, 10))).await;

    let asked: BTreeMap<String, String> = shop
        .seen()
        .into_iter()
        .map(|seen| (seen.request_id, seen.trace_id))
        .collect();
    let written: BTreeMap<String, String> = outcome
        .lines
        .iter()
        .map(|line| {
            (
                line.request_id.to_string(),
                line.trace_id.unwrap().to_string(),
            )
        })
        .collect();
    assert_eq!(written, asked, "ids of requests and of their traces");
    assert_eq!(
        outcome.lines.len(),
        21,
        "a catalogue, ten carts, ten checkouts"
    );
    assert_eq!(asked.len(), 21, "no two requests have the same id");

    for line in &outcome.lines {
        assert!(line.succeeded(), "{line:?}");
        let (started, ended) = (line.started.unwrap(), line.ended.unwrap());
        assert!(line.planned <= started && started <= ended, "{line:?}");
    }
    let orders: BTreeSet<String> = lines_of(&outcome, Step::Checkout)
        .iter()
        .map(|line| line.order_id.clone().unwrap())
        .collect();
    let placed: BTreeSet<String> = shop
        .checkouts()
        .iter()
        .map(|checkout| format!("order-{}", checkout.cart_id))
        .collect();
    assert_eq!(orders, placed);
    assert!(
        lines_of(&outcome, Step::Checkout).iter().all(|line| line
            .message_id
            .as_ref()
            .unwrap()
            .starts_with("message-"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trace_is_started_by_the_load_generator() {
    let shop = Shop::open(Mood::Friendly).await;
    drive(plan(&shop, closed(2, 3))).await;
    let seen = shop.seen();
    assert_eq!(seen.len(), 7);
    assert!(seen.iter().all(|seen| !seen.traceparent), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_as_many_journeys_are_made_as_were_planned() {
    for (users, requests) in [(1, 1), (1, 5), (3, 10), (7, 20), (30, 4)] {
        let shop = Shop::open(Mood::Friendly).await;
        let outcome = drive(plan(&shop, closed(users, requests))).await;
        let case = format!("{requests} journeys by {users} users");
        let journeys: Vec<u64> = {
            let mut journeys: Vec<u64> = lines_of(&outcome, Step::Checkout)
                .iter()
                .map(|line| line.journey.unwrap())
                .collect();
            journeys.sort_unstable();
            journeys
        };
        assert_eq!(journeys, (0..requests).collect::<Vec<_>>(), "{case}");
        assert_eq!(shop.checkouts().len() as u64, requests, "{case}");
        assert_eq!(outcome.journeys, Some(requests), "{case}");
        assert_eq!(outcome.progress.orders, requests, "{case}");
        assert_eq!(outcome.progress.sent(), 2 * requests + 1, "{case}");
        assert_eq!(outcome.checkout.unwrap().count, requests, "{case}");
        assert!(!outcome.stopped, "{case}");
    }
}

#[tokio::test]
async fn one_thread_is_enough() {
    let shop = Shop::open(Mood::Friendly).await;
    let outcome = drive(plan(&shop, closed(5, 12))).await;
    assert_eq!(outcome.progress.orders, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_journeys_leave_only_the_catalogue() {
    let shop = Shop::open(Mood::Friendly).await;
    let outcome = drive(plan(&shop, closed(5, 0))).await;
    assert_eq!(outcome.lines.len(), 1);
    assert_eq!(outcome.checkout, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_journeys_are_under_way_as_there_are_users() {
    let shop = Shop::open(Mood::Friendly).await;
    // With fewer than five at once, no checkout would ever be answered.
    shop.wait_for_checkouts(5);
    let outcome = drive(plan(&shop, closed(5, 5))).await;
    assert_eq!(outcome.progress.orders, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_side_by_side_do_not_disturb_each_other() {
    let (one, two) = tokio::join!(Shop::open(Mood::Friendly), Shop::open(Mood::Friendly));
    let (of_one, of_two) = tokio::join!(
        drive(plan(&one, closed(3, 8))),
        drive(plan(&two, closed(2, 15)))
    );
    assert_eq!(of_one.progress.orders, 8);
    assert_eq!(of_two.progress.orders, 15);
    assert_eq!(one.checkouts().len(), 8);
    assert_eq!(two.checkouts().len(), 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journey_is_what_was_planned() {
    let shop = Shop::open(Mood::Friendly).await;
    let mut plan = plan(&shop, closed(2, 4));
    plan.journeys = vec![
        OrderJourney {
            cart_lines: NonZeroUsize::new(5).unwrap(),
            coupon: true,
            ..OrderJourney::default()
        }
        .into(),
    ];
    drive(plan).await;
    for cart in shop.carts() {
        let skus: BTreeSet<_> = cart.lines.iter().map(|line| &line.sku).collect();
        assert_eq!(skus.len(), 5, "five different products: {cart:?}");
    }
    for checkout in shop.checkouts() {
        assert_eq!(checkout.coupon.as_deref(), Some("WELCOME10"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_seeds_fill_equal_carts_whoever_comes_first() {
    let mut carts = Vec::new();
    for (seed, users) in [(7, 1), (7, 4), (8, 1)] {
        let shop = Shop::open(Mood::Friendly).await;
        let mut plan = plan(&shop, closed(users, 6));
        plan.seed = seed;
        drive(plan).await;
        let filled: BTreeSet<String> = shop
            .carts()
            .iter()
            .map(|cart| serde_json::to_string(cart).unwrap())
            .collect();
        carts.push(filled);
    }
    assert_eq!(carts[0], carts[1]);
    assert_ne!(carts[0], carts[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_has_the_lines_that_are_kept() {
    let shop = Shop::open(Mood::Friendly).await;
    let journal = Shared::default();
    let recording = Recording {
        keep: true,
        journal: Some(Box::new(journal.clone())),
        report: None,
    };
    loadgen::reserve_ctrl_c().unwrap();
    let plan = plan(&shop, closed(3, 5));
    let outcome = loadgen::drive(plan, recording, |_, _| (), CancellationToken::new())
        .await
        .unwrap();
    let written = journal.0.lock().unwrap().clone();
    let lines: Vec<Line> = serde_json::Deserializer::from_slice(&written)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(lines, outcome.lines);
    assert_eq!(lines.len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_the_journeys_under_way_finish() {
    let shop = Shop::open(Mood::Friendly).await;
    let stop = CancellationToken::new();
    loadgen::reserve_ctrl_c().unwrap();
    let outcome = loadgen::drive(
        plan(&shop, closed(3, 1_000_000)),
        kept(),
        {
            let stop = stop.clone();
            move |progress, _| {
                if progress.orders == 10 {
                    stop.cancel();
                }
            }
        },
        stop,
    )
    .await
    .unwrap();
    assert!(outcome.stopped);
    let carts = lines_of(&outcome, Step::Cart).len();
    let checkouts = lines_of(&outcome, Step::Checkout).len();
    assert_eq!(carts, checkouts, "no journey broke off between its steps");
    // Three users; the one that saw the tenth order starts no more, the others finish theirs.
    assert!((10..=12).contains(&checkouts), "{checkouts}");
    assert_eq!(
        outcome.progress.never_started, 0,
        "closed load plans as it goes"
    );
    assert_eq!(shop.seen().len(), outcome.lines.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_for_a_time_starts_no_journey_after_it() {
    let shop = Shop::open(Mood::Friendly).await;
    let duration = Duration::from_millis(200);
    let load = Load::ClosedFor {
        users: NonZeroUsize::new(2).unwrap(),
        duration,
        ramp: Duration::ZERO,
    };
    let outcome = drive(plan(&shop, load)).await;
    let planned = |step| {
        lines_of(&outcome, step)
            .into_iter()
            .map(|line| line.planned)
    };
    let (first, last) = (planned(Step::Cart).min(), planned(Step::Cart).max());
    let between = Duration::from_nanos(last.unwrap().0 - first.unwrap().0);
    assert!(between <= duration, "{between:?}");
    assert!(outcome.progress.orders > 0);
    assert_eq!(outcome.journeys, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_larger_than_the_catalogue_is_refused() {
    let shop = Shop::open(Mood::Friendly).await;
    let mut plan = plan(&shop, closed(1, 1));
    let order = OrderJourney {
        cart_lines: NonZeroUsize::new(21).unwrap(),
        ..OrderJourney::default()
    };
    plan.journeys = vec![order.into()];
    loadgen::reserve_ctrl_c().unwrap();
    let refused = loadgen::drive(plan, kept(), |_, _| (), CancellationToken::new()).await;
    assert!(
        matches!(
            refused,
            Err(Error::TooFewProducts {
                wanted: 21,
                available: 20
            })
        ),
        "{refused:?}"
    );
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_products_that_are_named_are_bought_and_no_others() {
    let shop = Shop::open(Mood::Friendly).await;
    let named = {
        let outcome = drive(plan(&shop, closed(1, 1))).await;
        assert_eq!(outcome.progress.orders, 1);
        shop.carts()[0].lines[0].sku.clone()
    };
    let order = |sku: &str| OrderJourney {
        skus: vec![sku.to_owned()],
        ..OrderJourney::default()
    };
    let mut plan = plan(&shop, closed(2, 4));
    plan.journeys = vec![order(&named).into()];
    drive(plan.clone()).await;
    for cart in &shop.carts()[1..] {
        let skus: Vec<_> = cart.lines.iter().map(|line| &line.sku).collect();
        assert_eq!(skus, [&named]);
    }
    plan.journeys = vec![order("NO-SUCH-THING").into()];
    let refused = loadgen::drive(plan, kept(), |_, _| (), CancellationToken::new()).await;
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("NO-SUCH-THING"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn journeys_are_chosen_by_weight_and_by_the_seed() {
    let shop = Shop::open(Mood::Friendly).await;
    let mut plan = plan(&shop, closed(4, 200));
    let order = |lines: usize| {
        loadgen::Journey::Order(OrderJourney {
            cart_lines: NonZeroUsize::new(lines).unwrap(),
            ..OrderJourney::default()
        })
    };
    plan.journeys = vec![
        loadgen::Weighted {
            weight: 3.try_into().unwrap(),
            journey: order(1),
        },
        loadgen::Weighted {
            weight: 1.try_into().unwrap(),
            journey: order(2),
        },
    ];
    let large = |shop: &Shop| {
        shop.carts()
            .iter()
            .filter(|cart| cart.lines.len() == 2)
            .count()
    };
    drive(plan.clone()).await;
    let first = large(&shop);
    // A quarter of 200 on average, decided by the seed for good.
    assert!((25..75).contains(&first), "{first}");
    drive(plan).await;
    assert_eq!(large(&shop), 2 * first);
}
