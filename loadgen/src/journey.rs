//! [`ShopClient`]: what a customer does in the shop, and what the ledger records of it.
//!
//! `order` and `requests` are the two kinds of journey, `choice` decides which journey a customer makes and
//! what is bought, `exchange` makes one request and reads its reply. Requests go through goose, which sends
//! and counts them. Nothing here knows when a journey starts or how many journeys there are.

mod catalogue;
mod choice;
mod exchange;
mod order;
mod reply;
mod requests;

use std::{sync::atomic::AtomicU64, time::Duration};

use goose::goose::GooseUser;
use reqwest::{Client, redirect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Error, Journey, OrderJourney, Plan, Request, Weighted,
    dispatcher::Ticket,
    ledger::{Clock, Ledger, Line, RequestId, Step},
};

/// The number of products, from the first in the catalogue, that carts are filled from.
const SHOP_WINDOW: usize = 200;

/// The longest time for which a connection may be idle and is used again.
///
/// Servers close idle connections, some after less than a second. A request that is sent at that moment gets no
/// answer, and whether it was processed cannot be known, so it must not be sent again. Under load connections are
/// used sooner; a user that comes back later opens a new one, which costs a round trip.
const LONGEST_IDLE: Duration = Duration::from_millis(25);

/// Makes the HTTP client for all users.
///
/// It uses no proxy and follows no redirect, since the shop itself is measured.
pub(crate) fn client(patience: Duration) -> Client {
    http_client::with(|it| {
        it.no_proxy()
            .redirect(redirect::Policy::none())
            .pool_idle_timeout(LONGEST_IDLE)
            .timeout(patience)
            .user_agent(concat!("tracelab/", env!("CARGO_PKG_VERSION")))
    })
}

/// The data that all journeys of a load share.
pub(crate) struct ShopClient {
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
    journeys: Vec<Weighted>,
    baggage: String,
    seed: u64,
    patience: Duration,
    /// Distinguishes the requests of this load from those of any other load.
    run: String,
    skus: Vec<String>,
    /// Cancelled when the replies of a stopped load are not waited for any more.
    pub(crate) give_up: CancellationToken,
    /// The number of requests whose replies were not waited for.
    pub(crate) given_up: AtomicU64,
}

// === impl ShopClient ===

impl ShopClient {
    /// Reads the catalogue, which makes the first line of the ledger.
    pub(crate) async fn connect(
        plan: &Plan,
        client: Client,
        ledger: Ledger,
    ) -> Result<ShopClient, Error> {
        let mut shop = ShopClient {
            client,
            ledger,
            clock: Clock::new(),
            journeys: plan.journeys.clone(),
            baggage: plan.baggage.clone(),
            seed: plan.seed,
            patience: plan.patience,
            run: Uuid::new_v4().simple().to_string(),
            skus: Vec::new(),
            give_up: CancellationToken::new(),
            given_up: AtomicU64::new(0),
        };
        let orders: Vec<&OrderJourney> = plan
            .journeys
            .iter()
            .filter_map(|weighted| match &weighted.journey {
                Journey::Order(order) => Some(order),
                Journey::Requests(_) => None,
            })
            .collect();
        if orders.is_empty() {
            return Ok(shop);
        }
        let catalogue = shop.read_catalogue(&plan.target).await?;
        for sku in orders.iter().flat_map(|order| &order.skus) {
            if !catalogue.contains(sku) {
                return Err(Error::UnknownProduct { sku: sku.clone() });
            }
        }
        // Products at the end of the catalogue may be out of stock.
        shop.skus = catalogue.into_iter().take(SHOP_WINDOW).collect();
        let wanted = orders.iter().map(|order| order.cart_lines.get()).max();
        let wanted = wanted.unwrap_or_default();
        if shop.skus.len() < wanted {
            return Err(Error::TooFewProducts {
                wanted,
                available: shop.skus.len(),
            });
        }
        Ok(shop)
    }

    /// The seed of all random choices.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Makes one journey. `false` if the ledger cannot be written any more.
    pub(crate) async fn make_journey(&self, user: &mut GooseUser, ticket: Ticket) -> bool {
        let late = ticket.planned.elapsed();
        if late > self.patience {
            let why = format!(
                "no user was free to start it for {:.1} s",
                late.as_secs_f64()
            );
            return self.never_start(ticket, &why);
        }
        match self.journey_of(ticket.journey) {
            Journey::Order(order) => self.order(user, ticket, late, order).await,
            Journey::Requests(requests) => self.requests(user, ticket, late, requests).await,
        }
    }

    /// Records that no request of a journey was made, and why.
    pub(crate) fn never_start(&self, ticket: Ticket, why: &str) -> bool {
        let steps: Vec<Step> = match self.journey_of(ticket.journey) {
            Journey::Order(_) => vec![Step::Cart, Step::Checkout],
            Journey::Requests(requests) => {
                let step = |request: &Request| Step::Request(request.to_string());
                requests.iter().map(step).collect()
            }
        };
        let mut written = true;
        for step in steps {
            written &= self.never_started(step, ticket, why);
        }
        written
    }

    fn never_started(&self, step: Step, ticket: Ticket, why: &str) -> bool {
        self.ledger.record(Line {
            request_id: self.request_id(&step, Some(ticket.journey)),
            journey: Some(ticket.journey),
            step,
            planned: self.clock.at(ticket.planned),
            started: None,
            ended: None,
            trace_id: None,
            unsampled: false,
            sent_span_id: None,
            status: None,
            order_id: None,
            message_id: None,
            reply: Some(format!("never started: {why}")),
        })
    }

    fn request_id(&self, step: &Step, journey: Option<u64>) -> RequestId {
        let run = &self.run;
        let step = match step {
            Step::Request(_) => "request",
            Step::Catalogue => "catalogue",
            Step::Cart => "cart",
            Step::Checkout => "checkout",
        };
        RequestId::new(match journey {
            Some(journey) => format!("{run}-{journey}-{step}"),
            None => format!("{run}-{step}"),
        })
    }
}
