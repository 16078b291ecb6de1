//! What must be the same of the embedded broker and RabbitMQ: these tests are compiled twice, each
//! time with another [`crate::TestBroker`].

mod consuming;
mod copies;
mod dead_letters;
mod exchanges;
mod handshake;
mod limits;
mod publishing;
mod queues;
mod quorum;
pub(crate) mod refusals;
mod routing;
pub(crate) mod support;
pub(crate) mod topology;
