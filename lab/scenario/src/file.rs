//! What a scenario file says, apart from its expectation.

use std::time::Duration;

use crate::Expectation;

/// A scenario: a load on the shop, and what its traces must look like.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: lower-case letters, digits and dashes.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Markdown: what to look at, what to ask, what the answer is. May be empty.
    pub story: String,
    /// What each user does.
    pub journey: Journey,
    /// How many users do it, and how often.
    pub load: Load,
    /// What the trace of each checkout must look like.
    pub expect: Expectation,
}

/// What a user does: fill a cart, check out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journey {
    /// How many different articles are in the cart: 1 to 200; 1 unless the file says otherwise.
    pub cart_lines: u32,
    /// Whether the user gives a discount code; no unless the file says otherwise.
    pub coupon: bool,
}

/// How many users there are, and how often they go on their journey.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// `{ requests, users }`: a fixed number of journeys, shared by users who wait for each reply.
    Closed {
        /// How many journeys in all.
        requests: u64,
        /// How many users at a time.
        users: u32,
    },
    /// `{ users, duration }`: users who wait for each reply, for a time.
    ClosedFor {
        /// How many users at a time.
        users: u32,
        /// For how long.
        duration: Duration,
    },
    /// `{ rate, duration }`: journeys that start on a schedule, whatever becomes of the others.
    Open {
        /// How many journeys start in a time.
        rate: Rate,
        /// For how long.
        duration: Duration,
    },
}

/// How many journeys start in a second: a number above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(pub(crate) f64);

// === impl Rate ===

impl Rate {
    /// Starts in a second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}
