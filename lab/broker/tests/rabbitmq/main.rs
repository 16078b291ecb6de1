//! RabbitMQ, to which all that is said in `both` applies as well: where it does not, the embedded
//! broker is wrong, or the test is.
//!
//! A node takes its time to start, so these tests run only where they are asked for, by
//! `TRACELAB_REAL=1`.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

#[path = "../both/mod.rs"]
mod both;
mod node;

use std::sync::LazyLock;

pub(crate) use both::support;
use node::Node;

/// One for all tests. It ends when their process does.
static NODE: LazyLock<Node> = LazyLock::new(Node::start);

/// A virtual host of a RabbitMQ for one test.
pub(crate) struct TestBroker {
    pub(crate) address: String,
    pub(crate) vhost: String,
}

impl TestBroker {
    /// Whether a client learns why its handshake failed.
    pub(crate) const SAYS_WHY: bool = false;

    pub(crate) async fn start() -> Self {
        if !node::is_asked_for() {
            node::say("THE TESTS WITH RABBITMQ DID NOT RUN: TRACELAB_REAL=1 asks for them");
            std::process::exit(0);
        }
        Self {
            address: NODE.address(),
            vhost: NODE.new_vhost(),
        }
    }
}
