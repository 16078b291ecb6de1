//! The services of the shop and the names of their spans, for words that cannot be right.

use crate::Text;

/// The services of the shop that have spans. The provider, a third party, has none.
pub(super) const SERVICES: [&str; 4] = ["checkout", "payment", "inventory", "email"];

const CHECKOUT: &[&str] = &[
    "GET /products",
    "PUT /carts/{id}",
    "POST /checkout",
    "GET /orders/{id}",
    "process_order",
    "fetch_items",
    "apply_discount",
    "validate cart",
    "charge_and_fulfill",
    "charge payment",
    "fraud check",
    "update inventory",
    "send email",
    "undo order",
    "recover order",
    "relay outbox",
    "add loyalty point",
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "SELECT coupons",
    "SELECT cart_lines",
    "DELETE cart_lines",
    "INSERT cart_lines",
    "SELECT orders",
    "INSERT orders",
    "UPDATE orders",
    "INSERT outbox",
    "DELETE outbox",
    "send shop:order.placed",
    "wait for connection",
    "wait for lock",
];
const PAYMENT: &[&str] = &[
    "POST /charges",
    "GET /charges/{order_id}",
    "POST /charges/{order_id}/void",
    "validate card",
    "process charge",
    "GET",
    "POST",
    "SELECT charges",
    "INSERT charges",
    "UPDATE charges",
    "wait for connection",
    "wait for lock",
];
const INVENTORY: &[&str] = &[
    "GET /products",
    "GET /prices",
    "GET /stock",
    "POST /reservations",
    "DELETE /reservations/{order_id}",
    "GET",
    "POST",
    "DELETE",
    "SELECT products",
    "SELECT stock",
    "UPDATE stock",
    "SELECT reservations",
    "INSERT reservations",
    "UPDATE reservations",
    "INSERT reservation_lines",
    "wait for connection",
    "wait for lock",
];
const EMAIL: &[&str] = &[
    "process shop:order.placed:email",
    "render",
    "send mail",
    "send email.dead",
    "SELECT mails",
    "INSERT mails",
    "wait for connection",
    "wait for lock",
];

/// The names of the spans of a service, or of all where none is said; none where it is not known
/// which service is meant.
pub(super) fn of(service: Option<&Text>) -> Vec<&'static str> {
    let all = [
        ("checkout", CHECKOUT),
        ("payment", PAYMENT),
        ("inventory", INVENTORY),
        ("email", EMAIL),
    ];
    all.into_iter()
        .filter(|(name, _)| service.is_none_or(|service| service.matches(name)))
        .flat_map(|(_, names)| names.iter().copied())
        .collect()
}
