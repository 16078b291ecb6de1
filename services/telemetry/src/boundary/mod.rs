//! The boundaries that context crosses, one file for each.

pub mod amqp;
pub mod http_client;
pub mod http_server;
pub mod sql;
