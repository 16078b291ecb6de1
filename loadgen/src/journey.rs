//! What a customer does in the shop, and what of it goes into the ledger.
//!
//! Requests go through goose, which makes and counts them. Nothing here knows when a journey is to
//! start or how many there are.

use std::{fmt, time::Duration};

use api::{Card, CartLine, CheckoutRequest, OrderReply, Problem, Products, PutCart};
use goose::goose::{GooseMethod, GooseRequest, GooseUser};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::index};
use reqwest::{
    Client, Response, Url,
    header::{HeaderMap, HeaderName},
    redirect,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;
use trace::{SpanId, TraceId};
use uuid::Uuid;

use crate::{
    Error, Journey, Order, Plan, Request, Weighted,
    ledger::{Clock, Ledger, Line, RequestId, Step},
    tickets::Ticket,
};

/// A number that card networks keep for tests.
const CARD_NUMBER: &str = "4242 4242 4242 4242";

const CATALOGUE: &str = "/products";

/// How many products, from the first, are chosen from.
const SHOP_WINDOW: usize = 200;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Tells the choice of a journey from the choice of products.
const CHOICE: u64 = 0x5851_F42D_4C95_7F2D;

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// A draft of the W3C, "Trace Context Level 2, Traceresponse"; not a recommendation.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// A client for all users.
///
/// It minds no proxy and follows no redirect, since what is measured is the shop.
pub(crate) fn client(patience: Duration) -> Client {
    client::with(|it| {
        it.no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(patience)
            .user_agent(concat!("tracelab/", env!("CARGO_PKG_VERSION")))
    })
}

/// What all journeys of a load have in common.
pub(crate) struct Customers {
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
    journeys: Vec<Weighted>,
    baggage: String,
    seed: u64,
    patience: Duration,
    /// Tells the requests of this load from those of any other.
    run: String,
    skus: Vec<String>,
}

/// One request that is about to be made.
struct Ask<'a> {
    step: Step,
    method: GooseMethod,
    path: &'a str,
    headers: &'a [(String, String)],
    body: Body,
    journey: u64,
    planned: Instant,
    /// The context that is sent, where the load generator starts the trace.
    context: Option<(TraceId, SpanId)>,
}

/// What a request sends.
enum Body {
    Nothing,
    Json(serde_json::Value),
    Text(String),
}

/// What is known of a request when its reply has been read, or when there will be none.
#[derive(Default)]
struct Answer {
    status: Option<u16>,
    trace_id: Option<TraceId>,
    unsampled: bool,
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
            journeys: plan.journeys.clone(),
            baggage: plan.baggage.clone(),
            seed: plan.seed,
            patience: plan.patience,
            run: Uuid::new_v4().simple().to_string(),
            skus: Vec::new(),
        };
        let orders: Vec<&Order> = plan
            .journeys
            .iter()
            .filter_map(|weighted| match &weighted.journey {
                Journey::Order(order) => Some(order),
                Journey::Requests(_) => None,
            })
            .collect();
        if orders.is_empty() {
            return Ok(customers);
        }
        let catalogue = customers.read_catalogue(&plan.target).await?;
        for sku in orders.iter().flat_map(|order| &order.skus) {
            if !catalogue.contains(sku) {
                return Err(Error::UnknownProduct { sku: sku.clone() });
            }
        }
        // What is further back in the catalogue may be out of stock.
        customers.skus = catalogue.into_iter().take(SHOP_WINDOW).collect();
        let wanted = orders.iter().map(|order| order.cart_lines.get()).max();
        let wanted = wanted.unwrap_or_default();
        if customers.skus.len() < wanted {
            return Err(Error::TooFewProducts {
                wanted,
                available: customers.skus.len(),
            });
        }
        Ok(customers)
    }

    /// What decides by chance.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
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
        match self.journey_of(ticket.journey) {
            Journey::Order(order) => self.order(user, ticket, late, order).await,
            Journey::Requests(requests) => self.requests(user, ticket, late, requests).await,
        }
    }

    async fn order(
        &self,
        user: &mut GooseUser,
        ticket: Ticket,
        late: Duration,
        order: &Order,
    ) -> bool {
        let cart_id = Uuid::new_v4().to_string();
        let path = format!("/carts/{cart_id}");
        let cart = self.cart(ticket.journey, order);
        let filled = self
            .ask(
                user,
                Ask {
                    step: Step::Cart,
                    method: GooseMethod::Put,
                    path: &path,
                    headers: &[],
                    body: Body::json(&cart),
                    journey: ticket.journey,
                    planned: ticket.planned,
                    context: None,
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
        let checkout = checkout(ticket.journey, cart_id, order.coupon);
        let placed = self
            .ask(
                user,
                Ask {
                    step: Step::Checkout,
                    method: GooseMethod::Post,
                    path: "/checkout",
                    headers: &[],
                    body: Body::json(&checkout),
                    journey: ticket.journey,
                    // A journey that began late is late in this step too, and by as much.
                    planned: now.checked_sub(late).unwrap_or(now),
                    context: None,
                },
            )
            .await;
        self.ledger.record(placed) && written
    }

    async fn requests(
        &self,
        user: &mut GooseUser,
        ticket: Ticket,
        late: Duration,
        requests: &[Request],
    ) -> bool {
        let mut written = true;
        for (index, request) in requests.iter().enumerate() {
            let now = Instant::now();
            let planned = match index {
                0 => ticket.planned,
                _ => now.checked_sub(late).unwrap_or(now),
            };
            let line = self
                .ask(
                    user,
                    Ask {
                        step: Step::Request(request.to_string()),
                        method: method(&request.method),
                        path: &request.path,
                        headers: &request.headers,
                        body: request.body.clone().map_or(Body::Nothing, Body::Text),
                        journey: ticket.journey,
                        planned,
                        context: new_context(),
                    },
                )
                .await;
            written &= self.ledger.record(line);
        }
        written
    }

    /// Which journey a ticket is for: by the seed and its number alone.
    fn journey_of(&self, journey: u64) -> &Journey {
        let total: u64 = self
            .journeys
            .iter()
            .map(|of| u64::from(of.weight.get()))
            .sum();
        let mut drawn = self.chance(journey, CHOICE).random_range(0..total.max(1));
        let chosen = self.journeys.iter().find(|weighted| {
            let weight = u64::from(weighted.weight.get());
            let is_it = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            is_it
        });
        let chosen = chosen.or(self.journeys.first());
        &chosen.expect("a plan has a journey").journey
    }

    /// A stream of chance of its own for each journey and purpose: in which order users come to them
    /// must not matter.
    fn chance(&self, journey: u64, purpose: u64) -> StdRng {
        let stream = journey.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ purpose;
        StdRng::seed_from_u64(self.seed ^ stream)
    }

    /// Writes down that no request of a journey was ever made, and why.
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

    async fn read_catalogue(&self, target: &Url) -> Result<Vec<String>, Error> {
        let unreadable = |reason: String| Error::Catalogue {
            target: target.clone(),
            reason,
        };
        let url = target
            .join(CATALOGUE)
            .map_err(|error| unreadable(error.to_string()))?;
        let request_id = self.request_id(&Step::Catalogue, None);
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
            unsampled: false,
            sent_span_id: None,
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
    async fn ask(&self, user: &mut GooseUser, ask: Ask<'_>) -> Line {
        let request_id = self.request_id(&ask.step, Some(ask.journey));
        let started = self.clock.now();
        let answer = match user.get_request_builder(&ask.method, ask.path) {
            Ok(mut builder) => {
                builder = builder.header(BAGGAGE, self.baggage(&request_id));
                if let Some((trace_id, span_id)) = ask.context {
                    builder = builder.header(TRACEPARENT, format!("00-{trace_id}-{span_id}-01"));
                }
                for (name, value) in ask.headers {
                    builder = builder.header(name, value);
                }
                builder = match &ask.body {
                    Body::Nothing => builder,
                    Body::Json(json) => builder.json(json),
                    Body::Text(text) => builder.body(text.clone()),
                };
                let request = GooseRequest::builder()
                    .method(ask.method)
                    .path(ask.path)
                    .name(ask.step.as_str())
                    .set_request_builder(builder)
                    .build();
                match user.request(request).await {
                    Ok(asked) => Answer::read(asked.response, |body| ask.step.read(body)).await,
                    Err(error) => Answer::none(error.to_string()),
                }
            }
            Err(error) => Answer::none(error.to_string()),
        };
        let answer = Answer {
            trace_id: ask
                .context
                .map(|(trace_id, _)| trace_id)
                .or(answer.trace_id),
            ..answer
        };
        answer.into_line(Line {
            request_id,
            journey: Some(ask.journey),
            step: ask.step,
            planned: self.clock.at(ask.planned),
            started: Some(started),
            ended: Some(self.clock.now()),
            trace_id: None,
            unsampled: false,
            sent_span_id: ask.context.map(|(_, span_id)| span_id),
            status: None,
            order_id: None,
            message_id: None,
            reply: None,
        })
    }

    /// The cart of a journey: different products, chosen by seed and number alone.
    ///
    /// One of each, so that a long load empties the shelves no sooner than it must.
    fn cart(&self, journey: u64, order: &Order) -> PutCart {
        let skus: Vec<&String> = match order.skus.is_empty() {
            false => order.skus.iter().collect(),
            true => {
                let mut rng = self.chance(journey, 0);
                index::sample(&mut rng, self.skus.len(), order.cart_lines.get())
                    .into_iter()
                    .map(|index| &self.skus[index])
                    .collect()
            }
        };
        let lines = skus
            .into_iter()
            .map(|sku| CartLine {
                sku: sku.clone(),
                quantity: 1,
            })
            .collect();
        PutCart { lines }
    }

    fn baggage(&self, request_id: &RequestId) -> String {
        match self.baggage.is_empty() {
            true => baggage(request_id),
            false => format!("{},{}", baggage(request_id), self.baggage),
        }
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

fn checkout(journey: u64, cart_id: String, coupon: bool) -> CheckoutRequest {
    CheckoutRequest {
        cart_id,
        email: format!("customer-{journey}@example.com"),
        coupon: coupon.then(|| "WELCOME10".to_owned()),
        card: Card {
            number: CARD_NUMBER.to_owned(),
            expiry: "12/49".to_owned(),
            cvc: "123".to_owned(),
        },
    }
}

fn method(name: &str) -> GooseMethod {
    match name {
        "POST" => GooseMethod::Post,
        "PUT" => GooseMethod::Put,
        "PATCH" => GooseMethod::Patch,
        "DELETE" => GooseMethod::Delete,
        "HEAD" => GooseMethod::Head,
        _ => GooseMethod::Get,
    }
}

/// The ids of a trace that begins here, and of the span that is said to have begun it.
fn new_context() -> Option<(TraceId, SpanId)> {
    let (trace_id, span_id) = (rand::random::<u128>(), rand::random::<u64>());
    // Only zeros are no id: one in so many that nobody will see it.
    Some((
        TraceId::from_bytes(trace_id.to_be_bytes()).ok()?,
        SpanId::from_bytes(span_id.to_be_bytes()).ok()?,
    ))
}

fn baggage(request_id: &RequestId) -> String {
    format!("lab.request={request_id}")
}

// === impl Body ===

impl Body {
    fn json(value: &impl Serialize) -> Body {
        Body::Json(serde_json::to_value(value).expect("strings and numbers are JSON"))
    }
}

// === impl Request ===

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

// === impl Step ===

impl Step {
    /// What a successful reply to a step tells.
    fn read(&self, body: &[u8]) -> Result<Answer, String> {
        if *self != Step::Checkout {
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
        let (trace_id, unsampled) = trace(response.headers()).unzip();
        let body = match response.bytes().await {
            Ok(body) if status.is_success() => understand(&body).unwrap_or_else(Answer::none),
            Ok(body) => refusal(&body),
            Err(error) => Answer::none(format!("the reply broke off: {}", with_causes(&error))),
        };
        Answer {
            status: Some(status.as_u16()),
            trace_id,
            unsampled: unsampled.unwrap_or_default(),
            ..body
        }
    }

    fn into_line(self, line: Line) -> Line {
        Line {
            trace_id: self.trace_id,
            unsampled: self.unsampled,
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

/// Of `traceresponse: 00-{trace}-{span}-{flags}` the trace, and whether the flags say that it is not
/// sampled.
fn trace(headers: &HeaderMap) -> Option<(TraceId, bool)> {
    let value = headers.get(TRACERESPONSE)?.to_str().ok()?;
    let mut fields = value.split('-').skip(1);
    let trace_id = fields.next()?.parse().ok()?;
    let flags = fields
        .nth(1)
        .and_then(|flags| u8::from_str_radix(flags, 16).ok());
    Some((trace_id, flags.is_some_and(|flags| flags & 1 == 0)))
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
