//! A server that answers like the shop, and remembers what it was asked.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use api::{CheckoutRequest, OrderReply, OrderStatus, Problem, Product, Products, PutCart};
use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use futures::StreamExt;
use loadgen::{Line, LoadReport, OrderJourney, Plan, Recording, Step};
use schedule::Load;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What the shop was asked, and the trace that it says it made of it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) request_id: String,
    pub(crate) traceparent: bool,
    pub(crate) trace_id: String,
    /// The client's end of the connection.
    pub(crate) connection: SocketAddr,
}

/// How the shop behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Friendly,
    /// It closes the connection instead of answering such a request.
    HangsUp(Step),
    /// It answers checkouts with a problem.
    OutOfStock,
    /// It sends the head of a reply to a checkout and then closes the connection.
    BreaksOff,
}

pub(crate) struct Shop {
    pub(crate) url: reqwest::Url,
    inner: Arc<Inner>,
    shutdown: CancellationToken,
}

struct Inner {
    mood: Mood,
    seen: Mutex<Vec<Seen>>,
    carts: Mutex<Vec<PutCart>>,
    checkouts: Mutex<Vec<CheckoutRequest>>,
    /// How many checkouts have arrived.
    arrived: watch::Sender<usize>,
    /// No checkout is answered before so many have arrived.
    patience: watch::Sender<usize>,
}

/// A plan with sensible values where a test does not care.
pub(crate) fn plan(shop: &Shop, load: Load) -> Plan {
    Plan {
        target: shop.url.clone(),
        journeys: vec![OrderJourney::default().into()],
        baggage: String::new(),
        load,
        seed: 7,
        patience: Duration::from_secs(30),
    }
}

pub(crate) fn closed(users: usize, requests: u64) -> Load {
    Load::Closed {
        users: NonZeroUsize::new(users).unwrap(),
        requests,
        ramp: Duration::ZERO,
    }
}

pub(crate) async fn drive(plan: Plan) -> LoadReport {
    // The process may have been started with Ctrl-C ignored.
    loadgen::reserve_ctrl_c().unwrap();
    loadgen::drive(plan, kept(), |_, _| (), CancellationToken::new())
        .await
        .unwrap()
}

pub(crate) fn kept() -> Recording {
    Recording {
        keep: true,
        journal: None,
        report: None,
    }
}

pub(crate) fn lines_of(outcome: &LoadReport, step: Step) -> Vec<&Line> {
    outcome
        .lines
        .iter()
        .filter(|line| line.step == step)
        .collect()
}

// === impl Shop ===

impl Shop {
    pub(crate) async fn open(mood: Mood) -> Shop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            mood,
            seen: Mutex::default(),
            carts: Mutex::default(),
            checkouts: Mutex::default(),
            arrived: watch::Sender::new(0),
            patience: watch::Sender::new(0),
        });
        let router = Router::new()
            .route("/products", get(products))
            .route("/carts/{id}", put(cart))
            .route("/checkout", post(checkout))
            .layer(middleware::from_fn_with_state(inner.clone(), remember))
            .with_state(inner.clone());
        let shutdown = CancellationToken::new();
        let stopped = shutdown.clone().cancelled_owned();
        tokio::spawn(async move {
            let router = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await
        });
        Shop {
            url: url.parse().unwrap(),
            inner,
            shutdown,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    pub(crate) fn carts(&self) -> Vec<PutCart> {
        self.inner.carts.lock().unwrap().clone()
    }

    pub(crate) fn checkouts(&self) -> Vec<CheckoutRequest> {
        self.inner.checkouts.lock().unwrap().clone()
    }

    /// From now on, checkouts are answered when so many have arrived.
    pub(crate) fn wait_for_checkouts(&self, count: usize) {
        self.inner.patience.send_replace(count);
    }

    /// Waits until so many checkouts have arrived.
    pub(crate) async fn checkouts_arrived(&self, count: usize) {
        let mut arrived = self.inner.arrived.subscribe();
        arrived.wait_for(|arrived| *arrived >= count).await.unwrap();
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn remember(
    State(shop): State<Arc<Inner>>,
    ConnectInfo(connection): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let trace_id = Uuid::new_v4().simple().to_string();
    let request_id = lab_request(request.headers());
    shop.seen.lock().unwrap().push(Seen {
        request_id,
        traceparent: request.headers().contains_key("traceparent"),
        trace_id: trace_id.clone(),
        connection,
    });
    let mut response = next.run(request).await;
    response.headers_mut().insert(
        "traceresponse",
        format!("00-{trace_id}-b7ad6b7169203331-01")
            .parse()
            .unwrap(),
    );
    response
}

fn lab_request(headers: &HeaderMap) -> String {
    let baggage = headers.get("baggage").expect("baggage").to_str().unwrap();
    let (key, value) = baggage.split_once('=').unwrap();
    assert_eq!(key, "lab.request");
    value.to_owned()
}

async fn products(State(shop): State<Arc<Inner>>) -> Json<Products> {
    shop.maybe_hang_up(Step::Catalogue);
    let product = |n: usize| Product {
        sku: format!("SKU-{n}"),
        name: format!("Product {n}"),
        price_cents: 1_000,
    };
    Json(Products {
        products: (0..20).map(product).collect(),
    })
}

async fn cart(
    State(shop): State<Arc<Inner>>,
    Path(cart_id): Path<String>,
    Json(cart): Json<PutCart>,
) -> Json<api::Cart> {
    shop.maybe_hang_up(Step::Cart);
    shop.carts.lock().unwrap().push(cart.clone());
    Json(api::Cart {
        cart_id,
        lines: cart.lines,
    })
}

async fn checkout(
    State(shop): State<Arc<Inner>>,
    Json(request): Json<CheckoutRequest>,
) -> Response {
    shop.arrived.send_modify(|arrived| *arrived += 1);
    shop.wait_for_others().await;
    shop.maybe_hang_up(Step::Checkout);
    let order_id = format!("order-{}", request.cart_id);
    let message_id = format!("message-{}", request.cart_id);
    shop.checkouts.lock().unwrap().push(request);
    if shop.mood == Mood::OutOfStock {
        let problem = Problem::new(StatusCode::CONFLICT, "out-of-stock", "Not enough in stock")
            .detail("Of SKU-1 there are 0.")
            .with("order_id", order_id);
        return (problem.status, Json(problem)).into_response();
    }
    if shop.mood == Mood::BreaksOff {
        let head = [("content-length", "1000")];
        return (
            StatusCode::CREATED,
            head,
            axum::body::Body::from_stream(broken()),
        )
            .into_response();
    }
    let reply = OrderReply {
        order_id,
        status: OrderStatus::Completed,
        total_cents: 3_000,
        discount_cents: 0,
        item_count: 3,
        message_id: Some(message_id),
        failure: None,
    };
    (StatusCode::CREATED, Json(reply)).into_response()
}

/// A body that begins, is sent as far as it goes, and fails.
fn broken() -> impl futures::Stream<Item = Result<&'static str, std::io::Error>> {
    let begins = futures::stream::iter([Ok("{")]);
    let fails = futures::stream::once(async {
        // The server sends what it has when it must wait for more.
        tokio::task::yield_now().await;
        Err(std::io::ErrorKind::BrokenPipe.into())
    });
    begins.chain(fails)
}

// === impl Inner ===

impl Inner {
    /// Ends the task of the connection, which closes it without a reply.
    fn maybe_hang_up(&self, step: Step) {
        if self.mood == Mood::HangsUp(step) {
            std::panic::resume_unwind(Box::new("the shop hangs up"));
        }
    }

    async fn wait_for_others(&self) {
        loop {
            let mut patience = self.patience.subscribe();
            let count = *patience.borrow_and_update();
            let mut arrived = self.arrived.subscribe();
            tokio::select! {
                _ = arrived.wait_for(|arrived| *arrived >= count) => return,
                _ = patience.changed() => {}
            }
        }
    }
}
