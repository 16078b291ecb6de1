//! The shop's API.

use api::{Cart, CheckoutRequest, OrderReply, OrderStatus, Products, PutCart};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use chassis::http::{Json, Path, Query};
use serde::Deserialize;

use crate::{
    carts,
    error::{CartError, OrderError},
    orders::{self, Idempotency},
    process_order::process_order,
    shop::Shop,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LONGEST_KEY: usize = 255;

/// The baggage entry with which a load generator finds the order of its request.
const LAB_REQUEST: &str = "lab.request";

/// The routes of checkout.
pub(crate) fn router(shop: Shop) -> Router {
    Router::new()
        .route("/products", get(products))
        .route("/carts/{id}", put(put_cart))
        .route("/checkout", post(checkout))
        .route("/orders/{id}", get(order))
        .layer(middleware::from_fn(record_lab_request))
        .with_state(shop)
}

async fn record_lab_request(request: Request, next: Next) -> Response {
    telemetry::record_baggage(LAB_REQUEST);
    next.run(request).await
}

/// The query of the catalogue route: the number of products.
#[derive(Debug, Deserialize)]
struct Window {
    limit: Option<u32>,
}

async fn products(
    State(shop): State<Shop>,
    Query(window): Query<Window>,
) -> Result<Json<Products>, OrderError> {
    Ok(Json(shop.inventory.products(window.limit).await?))
}

async fn put_cart(
    State(shop): State<Shop>,
    Path(cart_id): Path<String>,
    Json(cart): Json<PutCart>,
) -> Result<Json<Cart>, CartError> {
    carts::put(&shop.db, &cart_id, &cart).await?;
    Ok(Json(Cart {
        cart_id,
        lines: cart.lines,
    }))
}

/// Places an order. A second request with the same `Idempotency-Key` (an IETF draft) gets the same answer
/// and places no second order.
async fn checkout(
    State(shop): State<Shop>,
    headers: HeaderMap,
    Json(request): Json<CheckoutRequest>,
) -> Result<Response, OrderError> {
    check_email(&request.email)?;
    let idempotency = idempotency(&headers, &request)?;
    if let Some(key) = &idempotency.key
        && let Some(earlier) = orders::find_by_key(&shop.db, key).await?
    {
        return replay(earlier, &idempotency);
    }
    let order = process_order(&shop, request, idempotency).await?;
    Ok(created(order))
}

async fn order(
    State(shop): State<Shop>,
    Path(order_id): Path<String>,
) -> Result<Json<OrderReply>, OrderError> {
    let found = orders::find(&shop.db, &order_id).await?;
    found.map(Json).ok_or(OrderError::UnknownOrder { order_id })
}

/// The answer to the earlier request with the same key.
fn replay(earlier: orders::Earlier, now: &Idempotency) -> Result<Response, OrderError> {
    if earlier.fingerprint != now.fingerprint {
        return Err(OrderError::KeyReused);
    }
    match earlier.reply.status {
        OrderStatus::Completed => Ok(created(earlier.reply)),
        OrderStatus::Pending => Err(OrderError::InProgress),
        OrderStatus::Failed => Err(OrderError::FailedEarlier {
            failure: earlier.reply.failure.unwrap_or_default(),
        }),
    }
}

fn created(order: OrderReply) -> Response {
    let location = [(header::LOCATION, format!("/orders/{}", order.order_id))];
    (StatusCode::CREATED, location, Json(order)).into_response()
}

fn idempotency(headers: &HeaderMap, request: &CheckoutRequest) -> Result<Idempotency, OrderError> {
    let key = match headers.get(IDEMPOTENCY_KEY) {
        None => None,
        Some(value) => {
            let key = value.to_str().ok().map(str::trim);
            let key = key.filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
            Some(
                key.ok_or(OrderError::BadKey {
                    longest: LONGEST_KEY,
                })?
                .to_owned(),
            )
        }
    };
    // Without the card: the text that identifies a request must contain no secret.
    let fingerprint =
        serde_json::json!([request.cart_id, request.email, request.coupon]).to_string();
    Ok(Idempotency { key, fingerprint })
}

/// Refuses a text that cannot be an e-mail address. Only sending a mail shows whether the address exists.
fn check_email(email: &str) -> Result<(), OrderError> {
    let usable = email.len() <= 254
        && email.is_ascii()
        && !email.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;\"()".contains(c))
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        });
    if usable {
        Ok(())
    } else {
        Err(OrderError::BadEmail {
            email: email.chars().take(80).collect(),
        })
    }
}
