//! What must be the same of the embedded broker and RabbitMQ: these tests are compiled twice, each
//! time with another [`crate::TestBroker`].

mod consuming;
mod dead_letters;
mod exchanges;
mod handshake;
mod publishing;
mod queues;
mod quorum;
pub(crate) mod refusals;
pub(crate) mod support;
