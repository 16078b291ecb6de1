//! Pairs of faults in one request: both are found and nothing else, or the catalogue says which one hides
//! the other, and why.
//!
//! All pairs run in one lab on PostgreSQL, which has locks on rows. Pairs that affect only their own request
//! run concurrently; a pair that affects other requests runs in a group of orders that all have it, and with
//! no other orders.

use std::collections::{BTreeMap, BTreeSet};

use diagnose::{THRESHOLDS, catalogue, diagnose};
use faults::{CATALOGUE, Fault, Faults, Setting};
use futures::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use trace::Trace;

use crate::{
    real::Postgres,
    seen::{
        Expected, Index, acted, all_traces, distinct, expected, is_given_up_late, is_out_of_time,
    },
    support::{Reply, Up, eventually, reply, uuid},
};

/// The number of orders of a pair that contend with each other, and the number of pairs that share a fault
/// which affects all of them.
const RIVALS: usize = 3;
const PARTNERS: usize = 8;

/// An order that was placed with two faults.
struct Placed {
    pair: [&'static Fault; 2],
    /// The group of the order, which is judged together: a fault in one order affects the others.
    group: usize,
    reply: Reply,
}

/// A pair, with the errors that were found for it.
struct Judged {
    pair: [&'static Fault; 2],
    wrong: Vec<String>,
    /// Errors that another attempt may clear: a contention that no order felt this time, or a finding that
    /// most traces have and this one lacks.
    unfelt: Vec<String>,
}

#[tokio::test]
async fn each_of_two_faults_is_found_and_nothing_else() {
    let server = Postgres::start_with("-c deadlock_timeout=200ms");
    let up = Up::start_with(&["--pace", "textbook", "--database", &server.url()]).await;
    let shelf = Shelf::of(&up).await;
    let mut placed = alone(&up, &shelf).await;
    placed.extend(rivals(&up, &shelf).await);
    placed.extend(partners(&up, &shelf).await);
    let healthy =
        join_all((0..3).map(async |_| order(&up, shelf.products(3), &Faults::NONE).await)).await;

    let mut wrong = BTreeMap::new();
    mailed(&up, &placed).await;
    no_more_spans(&up, 75).await;
    let traces = all_traces(&up).await;
    let index = Index::of(&traces);
    let beside: Vec<Trace> = healthy
        .iter()
        .flat_map(|reply| index.of_order(reply.trace_id))
        .collect();
    let mut groups: BTreeMap<usize, Vec<(&Placed, Vec<Trace>)>> = BTreeMap::new();
    for placed in &placed {
        let found = index.of_order(placed.reply.trace_id);
        groups
            .entry(placed.group)
            .or_default()
            .push((placed, found));
    }
    let mut unfelt = BTreeMap::new();
    let mut pairs = 0;
    for judged in groups.values().flat_map(|group| judge(group, &beside)) {
        pairs += 1;
        let pair = judged.pair.map(|fault| fault.name).join(" + ");
        for (known, new) in [(&mut wrong, judged.wrong), (&mut unfelt, judged.unfelt)] {
            if !new.is_empty() {
                known
                    .entry(pair.clone())
                    .or_insert_with(Vec::new)
                    .extend(new);
            }
        }
    }
    let told = |found: BTreeMap<String, Vec<String>>| -> Vec<String> {
        let found = found.into_iter();
        found
            .map(|(pair, why)| format!("{pair}: {}", why.join("; ")))
            .collect()
    };
    let (wrong, unfelt) = (told(wrong), told(unfelt));
    assert!(
        wrong.is_empty(),
        "{} pairs:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // Of faults that contend in a few requests one may have no effect by chance; and a single order of a
    // pair need not show what a scenario expects of most of its traces.
    assert!(
        20 * unfelt.len() <= pairs,
        "{} of {pairs} pairs have nothing of what most have:\n{}",
        unfelt.len(),
        unfelt.join("\n")
    );
}

// === Placing orders ===

/// Products with a large stock, so that concurrent orders can want different ones.
struct Shelf {
    skus: Vec<String>,
    next: std::sync::atomic::AtomicUsize,
}

impl Shelf {
    async fn of(up: &Up) -> Shelf {
        let get = async |path: &str| -> Value {
            let url = format!("{}{path}", up.url("inventory"));
            up.client
                .get(url)
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap()
        };
        let products = get("/products").await;
        let skus: Vec<String> = products["products"]
            .as_array()
            .unwrap()
            .iter()
            .map(|product| product["sku"].as_str().unwrap().to_owned())
            .collect();
        let stock = get(&format!("/stock?sku={}", skus.join(","))).await;
        let plenty = stock["stock"].as_array().unwrap().iter();
        Shelf {
            skus: plenty
                .filter(|level| level["available"].as_i64() > Some(100))
                .map(|level| level["sku"].as_str().unwrap().to_owned())
                .collect(),
            next: 0.into(),
        }
    }

    /// The next products of the list.
    fn products(&self, count: usize) -> Vec<String> {
        let from = self
            .next
            .fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        (from..from + count)
            .map(|at| self.skus[at % self.skus.len()].clone())
            .collect()
    }
}

async fn order(up: &Up, skus: Vec<String>, faults: &Faults) -> Reply {
    let cart_id = uuid();
    let lines: Vec<Value> = skus
        .iter()
        .map(|sku| json!({ "sku": sku, "quantity": 1 }))
        .collect();
    up.put_cart(&cart_id, lines.into()).await.expect(200);
    let mut request = up.checkout_request(&cart_id);
    if !faults.is_empty() {
        request = request.header("baggage", faults.to_header());
    }
    reply(request).await
}

/// Two faults, with the faults without which they have no effect; parameters are chosen so that the test is
/// quick.
fn both(pair: [&'static Fault; 2]) -> Faults {
    let mut faults = Faults::NONE;
    for fault in pair {
        let text = match fault.name {
            "late-spans" => "late-spans;delay_ms=200",
            // More than a request may wait unread, so that it also exceeds the lag of a clock that is
            // behind.
            "clock-skew" => "clock-skew;offset_ms=-10000",
            "span-flood" => "span-flood;spans=1500",
            // Slow by its absolute time (500 ms), and not only by its share of a trace, even if the machine
            // has become faster since the table was measured: a core is faster while its neighbour is idle.
            "slow-query" => "slow-query;ms=800",
            "blocked-runtime" => "blocked-runtime;ms=200",
            // Longer than the time between two orders, whatever delays them.
            "lock-contention" => "lock-contention;hold_ms=150",
            "deadlock" => "deadlock;hold_ms=150",
            // A mail takes longer than the time between two orders.
            "slow-consumer" => "slow-consumer;ms=250",
            name => name,
        };
        faults.replace(text.parse::<Setting>().unwrap());
    }
    let companions: Vec<Setting> = faults.companions().collect();
    companions
        .into_iter()
        .for_each(|other| faults.replace(other));
    faults
}

fn lines(pair: [&'static Fault; 2]) -> usize {
    match pair.contains(&&faults::N_PLUS_ONE) {
        true => 12,
        false => 2,
    }
}

/// Faults that affect other requests, and not only those with the same product in the cart.
fn is_felt(fault: &Fault) -> bool {
    fault.reach == faults::Reach::Everyone && !is_of_rows(fault)
}

/// Faults that affect other requests with the same product in the cart.
fn is_of_rows(fault: &Fault) -> bool {
    [&faults::LOCK_CONTENTION, &faults::DEADLOCK].contains(&fault)
}

fn pairs() -> impl Iterator<Item = [&'static Fault; 2]> {
    let with_later = |at: usize| {
        CATALOGUE[at + 1..]
            .iter()
            .map(move |other| [CATALOGUE[at], *other])
    };
    (0..CATALOGUE.len()).flat_map(with_later)
}

/// Pairs that affect only their own request, run concurrently.
async fn alone(up: &Up, shelf: &Shelf) -> Vec<Placed> {
    let pairs =
        pairs().filter(|pair| !pair.iter().any(|fault| is_felt(fault) || is_of_rows(fault)));
    // Queries that compute share the machine: run concurrently, none of them would take its intended time.
    let computing = Mutex::new(());
    let placed = pairs.map(async |pair| {
        let _turn = match pair.contains(&&faults::SLOW_QUERY) {
            true => Some(computing.lock().await),
            false => None,
        };
        Placed {
            pair,
            // All in one group: a name that differs in every request is only noticed in many traces.
            group: 0,
            reply: order(up, shelf.products(lines(pair)), &both(pair)).await,
        }
    });
    stream::iter(placed).buffer_unordered(12).collect().await
}

/// Pairs that affect only orders of the same products: a few orders of each at once, on separate products.
async fn rivals(up: &Up, shelf: &Shelf) -> Vec<Placed> {
    let pairs = pairs().filter(|pair| {
        pair.iter().any(|fault| is_of_rows(fault)) && !pair.iter().any(|fault| is_felt(fault))
    });
    let placed = pairs.enumerate().map(async |(at, pair)| {
        let skus = shelf.products(lines(pair));
        join_all((0..RIVALS).map(async |_| Placed {
            pair,
            group: 1_000 + at,
            reply: order(up, skus.clone(), &both(pair)).await,
        }))
        .await
    });
    let placed: Vec<Vec<Placed>> = stream::iter(placed).buffer_unordered(3).collect().await;
    placed.into_iter().flatten().collect()
}

/// Pairs that affect every order: groups of orders with the same fault, one group after another.
async fn partners(up: &Up, shelf: &Shelf) -> Vec<Placed> {
    let mut placed = Vec::new();
    let mut group = 2_000;
    let felt: Vec<&'static Fault> = CATALOGUE
        .into_iter()
        .filter(|fault| is_felt(fault))
        .collect();
    for (at, fault) in felt.iter().enumerate() {
        // A fault that affects others too, or that is only noticed in many traces, gets a group in which all
        // orders have both faults. So does a fault beside a computation: the orders that wait for the
        // computation must reach payment at the same time.
        let is_quiet = |other: &&'static Fault| {
            // The span of a batch has the errors of all its orders.
            let spoils_batch = *fault == &faults::BATCH_CONSUME && is_retried(&[*other]);
            let is_seen_alone = !is_felt(other) && other.company().orders == 1;
            is_seen_alone && !spoils_batch && *fault != &faults::BLOCKED_RUNTIME
        };
        let quiet: Vec<&'static Fault> = CATALOGUE.into_iter().filter(is_quiet).collect();
        let loud = CATALOGUE.into_iter().filter(|other| !is_quiet(other));
        let later = |other: &&'static Fault| !felt[..=at].contains(other);
        // Not in sequence: neighbours in the catalogue fail in the same place.
        let count = quiet.len().div_ceil(PARTNERS);
        let nth = |n: usize| quiet.iter().copied().skip(n).step_by(count).collect();
        let mut groups: Vec<Vec<&'static Fault>> = (0..count).map(nth).collect();
        groups.extend(
            loud.filter(later)
                .map(|other| vec![other; fault.company().orders.max(other.company().orders)]),
        );
        for partners in groups {
            group += 1;
            let same = shelf.products(2);
            let orders = partners.into_iter().map(async |other| {
                let pair = [*fault, other];
                let skus = match is_of_rows(other) {
                    true => same.clone(),
                    false => shelf.products(lines(pair)),
                };
                Placed {
                    pair,
                    group,
                    reply: order(up, skus, &both(pair)).await,
                }
            });
            let orders = join_all(orders).await;
            // Wait until the shared parts are free again: payment and inventory after their answers, email
            // after its mails. A failed message returns a second later, and must not meet the next group.
            if fault.service == "email" {
                mailed(up, &orders).await;
                let comes_back = orders.iter().any(|order| is_retried(&order.pair));
                no_more_spans(up, if comes_back { 75 } else { 10 }).await;
            }
            placed.extend(orders);
        }
    }
    placed
}

// === Reading traces ===

/// Waits until no span arrived in `looks` polls, 20 ms apart.
async fn no_more_spans(up: &Up, looks: u32) {
    let before: Mutex<(i64, u32)> = Mutex::new((-1, 0));
    eventually("the lab to be at rest", async || {
        let stats = up.get_json("/api/stats").await;
        let received = stats["spans"]["received"].as_i64().unwrap();
        let mut before = before.lock().await;
        let (known, times) = *before;
        *before = (received, if received == known { times + 1 } else { 0 });
        (before.1 >= looks).then_some(())
    })
    .await;
}

/// Waits until the mails of these orders are sent, for the orders that have one.
async fn mailed(up: &Up, placed: &[Placed]) {
    for order in placed {
        let message = order.reply.body["message_id"].as_str();
        if let Some(message) = message.filter(|_| !is_retried(&order.pair)) {
            up.mail(message).await;
        }
    }
}

/// Whether messages fail and come back a second later.
fn is_retried(faults: &[&'static Fault]) -> bool {
    faults.contains(&&faults::POISON_MESSAGE)
}

// === Judging ===

/// The findings of the diagnosis for these traces, by trace.
fn findings(traces: &[Trace], beside: &[Trace]) -> BTreeSet<&'static str> {
    let diagnoses = diagnose(traces, beside, &THRESHOLDS);
    let findings = diagnoses.iter().flat_map(|diagnosis| &diagnosis.findings);
    findings.map(|finding| finding.rule.name).collect()
}

fn judge(group: &[(&Placed, Vec<Trace>)], beside: &[Trace]) -> Vec<Judged> {
    // Contention is found when all traces are diagnosed together; a fault of one request without the other
    // traces.
    let all = distinct(group.iter().flat_map(|(_, traces)| traces));
    let in_group = findings(&all, beside);
    let mut judged: Vec<Judged> = Vec::new();
    for (placed, traces) in group {
        let pair = placed.pair;
        let got = findings(traces, beside);
        let of_the_load = catalogue().filter(|rule| rule.of_the_load);
        let mut allowed: BTreeSet<&str> = of_the_load.map(|rule| rule.name).collect();
        if pair.contains(&&faults::BATCH_CONSUME) && is_retried(&pair) {
            // Each attempt is a separate trace, and only the last one has the dead letter.
            allowed.insert("error");
        }
        if pair.contains(&&faults::DEADLOCK) {
            // The undoing of an order may be a victim as well, and then abandons its concurrent call.
            allowed.insert("abandoned-work");
        }
        let is_out_of_time = is_out_of_time(traces);
        if is_out_of_time {
            allowed.extend(["abandoned-work", "deadline-exceeded"]);
        }
        let (mut wrong, mut unfelt) = (Vec::new(), Vec::new());
        for (fault, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
            // The fault that was added for the effect of the other is found as well.
            if let Some(companion) = fault.companion() {
                allowed.extend(expected(companion).always);
            }
            if let Some(hiding) = other.hides(fault) {
                allowed.extend(hiding.leaves);
                continue;
            }
            let Expected {
                mut always,
                mostly,
                perhaps,
            } = expected(fault);
            for names in [&always, &mostly, &perhaps] {
                allowed.extend(names);
            }
            if is_given_up_late(traces) && always.remove("abandoned-work") {
                allowed.insert("deadline-exceeded");
            }
            // Contention affects some of the orders only; and one of two deadlocked transactions continues.
            let is_felt_by_some = is_felt(fault) || is_of_rows(fault) || is_of_rows(other);
            let by_some = is_felt_by_some || fault.company().orders > 1;
            let seen = if by_some { &in_group } else { &got };
            let acted = match by_some {
                true => group.iter().any(|(_, traces)| acted(traces, fault)),
                false => acted(traces, fault),
            };
            // A charge that was given up before payment read it shows no fault of payment.
            let was_never_there = !acted && is_given_up_late(traces);
            let may_be_unfelt = by_some || is_out_of_time || was_never_there;
            let missed = |names: &BTreeSet<&str>| -> Vec<String> {
                let missed = names.difference(seen);
                missed
                    .map(|name| format!("no {name} of {}", fault.name))
                    .collect()
            };
            match may_be_unfelt {
                true => unfelt.extend(missed(&always)),
                false => wrong.extend(missed(&always)),
            }
            unfelt.extend(missed(&mostly));
            if always.is_empty() && mostly.is_empty() && !acted {
                // An order that fails because of the other fault never reaches this one.
                let said = format!("{} did not act", fault.name);
                match may_be_unfelt {
                    true => unfelt.push(said),
                    false => wrong.push(said),
                }
            }
        }
        let besides: Vec<&str> = got.difference(&allowed).copied().collect();
        if !besides.is_empty() {
            wrong.push(format!("besides: {}", besides.join(", ")));
        }
        if !wrong.is_empty() {
            let Reply {
                status, trace_id, ..
            } = placed.reply;
            wrong.push(format!(
                "(answered {status}; found {got:?}; trace {trace_id})"
            ));
        }
        match judged.iter_mut().find(|judged| judged.pair == pair) {
            // An effect that no order felt is reported for each of them.
            Some(known) => known.wrong.extend(wrong),
            None => judged.push(Judged {
                pair,
                wrong,
                unfelt,
            }),
        }
    }
    judged
}
