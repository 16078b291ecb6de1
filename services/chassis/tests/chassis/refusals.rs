//! The replies of a router with the extractors to requests that they cannot use.

use api::{CartLine, PutCart};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
    routing::{get, put},
};
use chassis::http::{self, BODY_LIMIT, Json, Path, Query};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Deserialize)]
struct Page {
    limit: i64,
}

fn router() -> Router {
    Router::new()
        .route(
            "/carts/{id}",
            put(async |Json(cart): Json<PutCart>| Json(cart.lines.len())),
        )
        .route(
            "/pages",
            get(async |Query(page): Query<Page>| Json(page.limit)),
        )
        .route("/numbers/{n}", get(async |Path(n): Path<i64>| Json(n)))
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed)
}

async fn answer(request: Request<Body>) -> (StatusCode, Value) {
    let response = router().oneshot(request).await.unwrap();
    let status = response.status();
    if !status.is_success() {
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
    }
    let body = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn put_cart(body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::put("/carts/c-1")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap();
    answer(request).await
}

async fn get_page(uri: &str) -> (StatusCode, Value) {
    answer(Request::get(uri).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_good_cart_is_read() {
    let cart = PutCart {
        lines: vec![CartLine {
            sku: "TENT-2P-GRN".into(),
            quantity: 2,
        }],
    };
    let (status, body) = put_cart(serde_json::to_vec(&cart).unwrap()).await;
    assert_eq!((status, body), (StatusCode::OK, json!(1)));
}

#[tokio::test]
async fn what_is_not_json_is_a_400_with_line_and_column() {
    let (status, body) = put_cart("{\"lines\": [\n  oops\n]}").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["type"], "/problems/invalid-json");
    assert_eq!(
        (&body["line"], &body["column"]),
        (&json!(2), &json!(3)),
        "{body}"
    );
}

#[tokio::test]
async fn what_is_no_json_from_the_start_names_no_field() {
    let (status, body) = put_cart("{nonsense").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["field"], json!(null), "{body}");
    assert_eq!(body["detail"], "key must be a string at line 1 column 2");
}

#[tokio::test]
async fn a_negative_quantity_is_a_422_that_names_the_field() {
    let (status, body) =
        put_cart(r#"{"lines": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": -1}]}"#).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(body["type"], "/problems/invalid-body");
    assert_eq!(body["field"], "lines[1].quantity", "{body}");
    assert!(body["detail"].as_str().unwrap().contains("-1"), "{body}");
}

#[tokio::test]
async fn a_missing_field_is_a_422_that_names_it() {
    let (status, body) = put_cart(r#"{"lines": [{"sku": "A"}]}"#).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        body["detail"].as_str().unwrap().contains("quantity"),
        "{body}"
    );
    assert_eq!(body["field"], "lines[0]", "{body}");
}

#[tokio::test]
async fn a_body_of_another_type_is_a_415() {
    let request = Request::put("/carts/c-1")
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from("{}"))
        .unwrap();
    let (status, body) = answer(request).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(
        body["detail"].as_str().unwrap().contains("text/plain"),
        "{body}"
    );
}

#[tokio::test]
async fn a_body_past_the_limit_is_a_413_and_one_at_the_limit_is_read() {
    let (status, body) = put_cart(vec![b' '; BODY_LIMIT + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(body["limit_bytes"], BODY_LIMIT);

    let mut cart = br#"{"lines": []}"#.to_vec();
    cart.resize(BODY_LIMIT, b' ');
    let (status, _) = put_cart(cart).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_query_that_cannot_be_used_is_a_400() {
    let (status, body) = get_page("/pages?limit=many").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["type"], "/problems/invalid-query");
    assert!(
        body["detail"].as_str().unwrap().contains("invalid digit"),
        "{body}"
    );
}

#[tokio::test]
async fn a_path_that_cannot_be_used_is_a_400() {
    let (status, body) = get_page("/numbers/many").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["type"], "/problems/invalid-path");
}

#[tokio::test]
async fn an_unknown_address_is_a_404_and_an_unknown_method_a_405() {
    let (status, body) = get_page("/nowhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(
        body["detail"].as_str().unwrap().contains("/nowhere"),
        "{body}"
    );

    let request = Request::delete("/pages").body(Body::empty()).unwrap();
    let (status, body) = answer(request).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(body["type"], "/problems/method-not-allowed");
}
