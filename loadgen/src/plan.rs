//! [`Plan`]: the target, the journeys and the amount of a load.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use reqwest::Url;
use schedule::Load;

/// The plan of a load.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The checkout service, or a service of the user.
    pub target: Url,
    /// The journeys of customers. Each customer makes one of them, chosen by seed, number and weight. Never
    /// empty.
    pub journeys: Vec<Weighted>,
    /// The number of customers, and when they arrive.
    pub load: Load,
    /// Additional members of the baggage of every request of a journey; may be empty.
    pub baggage: String,
    /// The seed that decides which products are bought, which journeys are made, and when customers arrive in
    /// Poisson arrivals. Equal seeds fill equal carts, in whatever order the journeys run.
    pub seed: u64,
    /// The longest time that a customer waits for a reply and, in open load, for an overdue turn.
    pub patience: Duration,
}

/// A journey with its weight among the journeys of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// The weight: how often the journey is made in comparison with the others.
    pub weight: NonZeroU32,
    /// The journey.
    pub journey: Journey,
}

/// The requests of one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journey {
    /// Fill a cart, then check out.
    Order(OrderJourney),
    /// Requests to a service of the user, one after another. Each starts a separate trace.
    Requests(Vec<Request>),
}

/// The content of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderJourney {
    /// The number of cart lines; each line is a different product.
    pub cart_lines: NonZeroUsize,
    /// The products of the cart. Empty: the seed chooses products.
    pub skus: Vec<String>,
    /// Whether the coupon `WELCOME10` is used.
    pub coupon: bool,
}

/// A request to a service of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET, POST, PUT, PATCH, DELETE or HEAD.
    pub method: String,
    /// The path and the query, beginning with a slash.
    pub path: String,
    /// The header fields of the request.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<String>,
}

// === impl Order ===

impl Default for OrderJourney {
    /// Three lines, no coupon.
    fn default() -> OrderJourney {
        OrderJourney {
            cart_lines: NonZeroUsize::new(3).expect("3 is not 0"),
            skus: Vec::new(),
            coupon: false,
        }
    }
}

// === impl Weighted ===

impl From<Journey> for Weighted {
    fn from(journey: Journey) -> Weighted {
        Weighted {
            weight: NonZeroU32::MIN,
            journey,
        }
    }
}

impl From<OrderJourney> for Weighted {
    fn from(order: OrderJourney) -> Weighted {
        Journey::Order(order).into()
    }
}
