//! What is to be driven: where, which journey, how much of it.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use reqwest::Url;
use schedule::Load;

/// What is to be driven.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The checkout service, or a service of the user's own.
    pub target: Url,
    /// What customers do; each does one of these, chosen by seed, number and weight. Never empty.
    pub journeys: Vec<Weighted>,
    /// How many customers there are, and when they come.
    pub load: Load,
    /// Further members of the baggage of every request of a journey; may be empty.
    pub baggage: String,
    /// Decides what is bought, which journey is gone on, and when customers come who come by
    /// chance. Equal seeds fill equal carts, whatever order the journeys run in.
    pub seed: u64,
    /// How long a customer waits: for a reply, and, in open load, for a turn that is overdue.
    pub patience: Duration,
}

/// A journey, and how often it is gone on in comparison with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// How often.
    pub weight: NonZeroU32,
    /// What is done.
    pub journey: Journey,
}

/// What one customer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journey {
    /// Fill a cart, then check out.
    Order(OrderJourney),
    /// Requests to a service of the user's own, one after another. Each starts a trace of its own.
    Requests(Vec<Request>),
}

/// What is ordered of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderJourney {
    /// How many lines the cart has; each is a product of its own.
    pub cart_lines: NonZeroUsize,
    /// These products, in place of any. Empty: any that the seed chooses.
    pub skus: Vec<String>,
    /// Whether the coupon `WELCOME10` is used.
    pub coupon: bool,
}

/// A request to a service of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET, POST, PUT, PATCH, DELETE or HEAD.
    pub method: String,
    /// The path and the query, with a slash at the beginning.
    pub path: String,
    /// Header fields that are sent along.
    pub headers: Vec<(String, String)>,
    /// The body.
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
