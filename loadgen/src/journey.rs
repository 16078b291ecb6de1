//! What a customer does in the shop, and what of it goes into the ledger.
//!
//! Requests go through goose, which makes and counts them. Nothing here knows when a journey is to
//! start or how many there are.

use std::time::Duration;

use api::{Card, CartLine, CheckoutRequest, OrderReply, Problem, Products, PutCart};
use goose::goose::{GooseMethod, GooseRequest, GooseUser};
use rand::{SeedableRng, rngs::StdRng, seq::index};
use reqwest::{
    Client, Response, Url,
    header::{HeaderMap, HeaderName},
    redirect,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;
use trace::TraceId;
use uuid::Uuid;

use crate::{
    Error, Journey, Plan,
    ledger::{Clock, Ledger, Line, RequestId, Step},
    tickets::Ticket,
};

/// A number that card networks keep for tests.
const CARD_NUMBER: &str = "4242 4242 4242 4242";

/// The shop window. What is further back in the catalogue may be out of stock.
const CATALOGUE: &str = "/products?limit=200";

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// A draft of the W3C, "Trace Context Level 2, Traceresponse"; not a recommendation.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// A client for all users.
///
/// It minds no proxy and follows no redirect, since what is measured is the shop.
pub(crate) fn client(patience: Duration) -> Result<Client, Error> {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(patience)
        .user_agent(concat!("tracelab/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(Error::Client)
}

/// What all journeys of a load have in common.
pub(crate) struct Customers {
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
    journey: Journey,
    seed: u64,
    patience: Duration,
    /// Tells the requests of this load from those of any other.
    run: String,
    skus: Vec<String>,
}

/// One request that is about to be made.
struct Ask<'a, B> {
    step: Step,
    method: GooseMethod,
    path: &'a str,
    body: &'a B,
    journey: u64,
    planned: Instant,
}

/// What is known of a request when its reply has been read, or when there will be none.
#[derive(Default)]
struct Answer {
    status: Option<u16>,
    trace_id: Option<TraceId>,
    order_id: Option<String>,
    message_id: Option<String>,
    /// See [`Line::reply`].
    reply: Option<String>,
}

// === impl Customers ===

impl Customers {
    /// Reads the catalogue, which makes the first line of the ledger.
    pub(crate) async fn arrive(
        plan: &Plan,
        client: Client,
        ledger: Ledger,
    ) -> Result<Customers, Error> {
        let mut customers = Customers {
            client,
            ledger,
            clock: Clock::new(),
            journey: plan.journey,
            seed: plan.seed,
            patience: plan.patience,
            run: Uuid::new_v4().simple().to_string(),
            skus: Vec::new(),
        };
        customers.skus = customers.read_catalogue(&plan.target).await?;
        let wanted = plan.journey.cart_lines.get();
        if customers.skus.len() < wanted {
            return Err(Error::TooFewProducts {
                wanted,
                available: customers.skus.len(),
            });
        }
        Ok(customers)
    }

    /// Makes one journey. `false` if the ledger cannot be written any more.
    pub(crate) async fn make_journey(&self, user: &mut GooseUser, ticket: Ticket) -> bool {
        let late = ticket.planned.elapsed();
        if late > self.patience {
            let why = format!(
                "nobody was free to start it for {:.1} s",
                late.as_secs_f64()
            );
            return self.never_start(ticket, &why);
        }
        let cart_id = Uuid::new_v4().to_string();
        let path = format!("/carts/{cart_id}");
        let filled = self
            .ask(
                user,
                Ask {
                    step: Step::Cart,
                    method: GooseMethod::Put,
                    path: &path,
                    body: &self.cart(ticket.journey),
                    journey: ticket.journey,
                    planned: ticket.planned,
                },
            )
            .await;
        let succeeded = filled.succeeded();
        let written = self.ledger.record(filled);
        if !succeeded {
            let why = "the cart could not be filled";
            return self.never_started(Step::Checkout, ticket, why) && written;
        }
        let now = Instant::now();
        let placed = self
            .ask(
                user,
                Ask {
                    step: Step::Checkout,
                    method: GooseMethod::Post,
                    path: "/checkout",
                    body: &self.checkout(ticket.journey, cart_id),
                    journey: ticket.journey,
                    // A journey that began late is late in this step too, and by as much.
                    planned: now.checked_sub(late).unwrap_or(now),
                },
            )
            .await;
        self.ledger.record(placed) && written
    }

    /// Writes down that no request of a journey was ever made, and why.
    pub(crate) fn never_start(&self, ticket: Ticket, why: &str) -> bool {
        let cart = self.never_started(Step::Cart, ticket, why);
        self.never_started(Step::Checkout, ticket, why) && cart
    }

    fn never_started(&self, step: Step, ticket: Ticket, why: &str) -> bool {
        self.ledger.record(Line {
            request_id: self.request_id(step, Some(ticket.journey)),
            journey: Some(ticket.journey),
            step,
            planned: self.clock.at(ticket.planned),
            started: None,
            ended: None,
            trace_id: None,
            status: None,
            order_id: None,
            message_id: None,
            reply: Some(format!("never started: {why}")),
        })
    }

    async fn read_catalogue(&self, target: &Url) -> Result<Vec<String>, Error> {
        let unreadable = |reason: String| Error::Catalogue {
            target: target.clone(),
            reason,
        };
        let url = target
            .join(CATALOGUE)
            .map_err(|error| unreadable(error.to_string()))?;
        let request_id = self.request_id(Step::Catalogue, None);
        let started = self.clock.now();
        let sent = self
            .client
            .get(url)
            .header(BAGGAGE, baggage(&request_id))
            .send()
            .await;
        let mut skus = Vec::new();
        let answer = Answer::read(sent, |body| {
            let products: Products = read_json(body)?;
            skus.extend(products.products.into_iter().map(|product| product.sku));
            Ok(Answer::default())
        })
        .await;
        let reply = answer.reply.clone();
        self.ledger.record(answer.into_line(Line {
            request_id,
            journey: None,
            step: Step::Catalogue,
            planned: started,
            started: Some(started),
            ended: Some(self.clock.now()),
            trace_id: None,
            status: None,
            order_id: None,
            message_id: None,
            reply: None,
        }));
        match reply {
            Some(reason) => Err(unreadable(reason)),
            None => Ok(skus),
        }
    }

    /// Makes a request through goose, which counts it.
    async fn ask<B: Serialize>(&self, user: &mut GooseUser, ask: Ask<'_, B>) -> Line {
        let request_id = self.request_id(ask.step, Some(ask.journey));
        let started = self.clock.now();
        let answer = match user.get_request_builder(&ask.method, ask.path) {
            Ok(builder) => {
                let request = GooseRequest::builder()
                    .method(ask.method)
                    .path(ask.path)
                    .name(ask.step.as_str())
                    .set_request_builder(
                        builder.header(BAGGAGE, baggage(&request_id)).json(ask.body),
                    )
                    .build();
                match user.request(request).await {
                    Ok(asked) => Answer::read(asked.response, |body| ask.step.read(body)).await,
                    Err(error) => Answer::none(error.to_string()),
                }
            }
            Err(error) => Answer::none(error.to_string()),
        };
        answer.into_line(Line {
            request_id,
            journey: Some(ask.journey),
            step: ask.step,
            planned: self.clock.at(ask.planned),
            started: Some(started),
            ended: Some(self.clock.now()),
            trace_id: None,
            status: None,
            order_id: None,
            message_id: None,
            reply: None,
        })
    }

    /// The cart of a journey: different products, chosen by seed and number alone.
    ///
    /// One of each, so that a long load empties the shelves no sooner than it must.
    fn cart(&self, journey: u64) -> PutCart {
        // A stream of its own for each journey: in which order users come to them must not matter.
        let mut rng =
            StdRng::seed_from_u64(self.seed ^ journey.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let lines = index::sample(&mut rng, self.skus.len(), self.journey.cart_lines.get())
            .into_iter()
            .map(|index| CartLine {
                sku: self.skus[index].clone(),
                quantity: 1,
            })
            .collect();
        PutCart { lines }
    }

    fn checkout(&self, journey: u64, cart_id: String) -> CheckoutRequest {
        CheckoutRequest {
            cart_id,
            email: format!("customer-{journey}@example.com"),
            coupon: self.journey.coupon.then(|| "WELCOME10".to_owned()),
            card: Card {
                number: CARD_NUMBER.to_owned(),
                expiry: "12/49".to_owned(),
                cvc: "123".to_owned(),
            },
        }
    }

    fn request_id(&self, step: Step, journey: Option<u64>) -> RequestId {
        let run = &self.run;
        let step = match step {
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

fn baggage(request_id: &RequestId) -> String {
    format!("lab.request={request_id}")
}

// === impl Step ===

impl Step {
    /// What a successful reply to a step tells.
    fn read(self, body: &[u8]) -> Result<Answer, String> {
        if self != Step::Checkout {
            return Ok(Answer::default());
        }
        let order: OrderReply = read_json(body)?;
        Ok(Answer {
            order_id: Some(order.order_id),
            message_id: order.message_id,
            ..Answer::default()
        })
    }
}

// === impl Answer ===

impl Answer {
    /// No reply, and why.
    fn none(why: String) -> Answer {
        Answer {
            reply: Some(why),
            ..Answer::default()
        }
    }

    /// Reads a reply to its end; `understand` is for the body of a successful one.
    async fn read(
        sent: Result<Response, reqwest::Error>,
        understand: impl FnOnce(&[u8]) -> Result<Answer, String>,
    ) -> Answer {
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Answer::none(with_causes(&error)),
        };
        let status = response.status();
        let trace_id = trace_id(response.headers());
        let body = match response.bytes().await {
            Ok(body) if status.is_success() => understand(&body).unwrap_or_else(Answer::none),
            Ok(body) => refusal(&body),
            Err(error) => Answer::none(format!("the reply broke off: {}", with_causes(&error))),
        };
        Answer {
            status: Some(status.as_u16()),
            trace_id,
            ..body
        }
    }

    fn into_line(self, line: Line) -> Line {
        Line {
            trace_id: self.trace_id,
            status: self.status,
            order_id: self.order_id,
            message_id: self.message_id,
            reply: self.reply,
            ..line
        }
    }
}

/// What a reply says that is no success: a problem (RFC 9457), or whatever it is.
fn refusal(body: &[u8]) -> Answer {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => Answer {
            order_id: problem
                .extensions
                .get("order_id")
                .and_then(|id| id.as_str())
                .map(str::to_owned),
            reply: Some(problem.to_string()),
            ..Answer::default()
        },
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let text = text.trim();
            let text = if text.is_empty() {
                "an empty reply"
            } else {
                text
            };
            Answer::none(text.chars().take(200).collect())
        }
    }
}

fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|error| format!("the reply is not what it should be: {error}"))
}

/// The second field of `traceresponse: 00-{trace}-{span}-{flags}`.
fn trace_id(headers: &HeaderMap) -> Option<TraceId> {
    let value = headers.get(TRACERESPONSE)?.to_str().ok()?;
    value.split('-').nth(1)?.parse().ok()
}

/// The error and what caused it: the outermost of reqwest's errors tells nothing.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
