//! Orders: what is asked for, and what was placed.

use std::num::NonZeroUsize;

use faults::Faults;
use serde::{Deserialize, Serialize, Serializer};
use trace::TraceId;

/// The most orders that one request may place at once. A load (`tracelab load`) places more.
pub const MAX_ORDERS: usize = 100;

/// The body of `POST /api/orders`: what is ordered, and what goes wrong with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// How many lines the cart has. `None`: as many as the faults need, and else three.
    pub lines: Option<NonZeroUsize>,
    /// How many such orders are placed at once. `None`: as many as the faults need.
    pub orders: Option<NonZeroUsize>,
    /// The faults that are switched on for these orders alone: a key for each, whose value is an object of
    /// its parameters.
    #[serde(default, deserialize_with = "or_none", serialize_with = "as_json")]
    pub faults: Faults,
}

/// An order that was placed, or refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlacedOrder {
    /// The trace that the shop made of it.
    pub trace_id: TraceId,
    /// The id of the order; `None` if it was refused before there was one.
    pub order_id: Option<String>,
    /// The status code of the shop's reply.
    pub status: u16,
}

/// The answer to an [`OrderRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlacedOrders {
    /// The order to look at: of several, the one in which most is to be found.
    #[serde(flatten)]
    pub order: PlacedOrder,
    /// The orders that were placed beside it.
    pub others: Vec<PlacedOrder>,
    /// What the faults need to be seen, where the request left it open; `None`: they need nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
}

/// What was taken because faults need it to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// How many lines the cart has, if the faults decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// How many orders were placed at once, if the faults decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<usize>,
    /// How many orders without a fault were placed beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<usize>,
    /// Faults that were switched on too, as the command line writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

// === impl Taken ===

impl Taken {
    /// Whether nothing was taken.
    pub fn is_empty(&self) -> bool {
        *self == Taken::default()
    }
}

fn or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Faults, D::Error> {
    Ok(Option::<Faults>::deserialize(deserializer)?.unwrap_or_default())
}

fn as_json<S: Serializer>(faults: &Faults, serializer: S) -> Result<S::Ok, S::Error> {
    faults.to_json().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_may_leave_everything_open() {
        for body in ["{}", r#"{"lines":null,"orders":null,"faults":null}"#] {
            let order: OrderRequest = serde_json::from_str(body).expect("it is an order");
            assert_eq!((order.lines, order.orders), (None, None), "{body}");
            assert!(order.faults.is_empty(), "{body}");
        }
        assert!(serde_json::from_str::<OrderRequest>(r#"{"line":1}"#).is_err());
        assert!(serde_json::from_str::<OrderRequest>(r#"{"lines":0}"#).is_err());
    }

    #[test]
    fn what_a_client_sends_is_read_as_it_was_meant() {
        let order = OrderRequest {
            lines: NonZeroUsize::new(20),
            orders: None,
            faults: Faults::of(["n-plus-one".parse().expect("it is a fault")])
                .expect("one fault is there once"),
        };
        let body = serde_json::to_string(&order).expect("it can be written");
        let read: OrderRequest = serde_json::from_str(&body).expect("it is an order");
        assert_eq!(read.lines, order.lines);
        assert_eq!(read.faults.to_json(), order.faults.to_json());
    }
}
