//! [`Part`]: what a lab consists of, and which port each has.

use std::fmt;

/// A part of the lab that listens on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The web page and the lab's HTTP API. It runs in this process.
    Page,
    /// The service that takes orders.
    Checkout,
    /// The service that charges cards.
    Payment,
    /// The third-party payment API. It is no part of the shop and has no traces.
    Provider,
    /// The service that knows prices and stock.
    Inventory,
    /// The service that sends confirmations.
    Email,
    /// The sink, as OTLP/gRPC. It runs in this process.
    OtlpGrpc,
    /// The sink, as OTLP/HTTP. It runs in this process.
    OtlpHttp,
    /// The embedded AMQP broker.
    Broker,
    /// A Collector between the services and the sink.
    Collector(Tier),
}

/// Which Collector it is of those that a lab has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The only one.
    Only,
    /// The first of two that the services send to.
    FirstAgent,
    /// The second of them.
    SecondAgent,
    /// The first of two that the agents send to.
    FirstGateway,
    /// The second of them.
    SecondGateway,
}

// === impl Part ===

impl Part {
    /// The five services, in alphabetical order.
    pub const SERVICES: [Part; 5] = [
        Part::Checkout,
        Part::Email,
        Part::Inventory,
        Part::Payment,
        Part::Provider,
    ];

    /// All parts that have a port of their own, in the order of their ports from a base.
    pub(crate) const ALL: [Part; 9] = [
        Part::Page,
        Part::Checkout,
        Part::Payment,
        Part::Provider,
        Part::Inventory,
        Part::Email,
        Part::OtlpGrpc,
        Part::OtlpHttp,
        Part::Broker,
    ];

    /// What the part is called, in messages and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Part::Page => "page",
            Part::Checkout => "checkout",
            Part::Payment => "payment",
            Part::Provider => "provider",
            Part::Inventory => "inventory",
            Part::Email => "email",
            Part::OtlpGrpc => "otlp-grpc",
            Part::OtlpHttp => "otlp-http",
            Part::Broker => "broker",
            Part::Collector(Tier::Only) => "collector",
            Part::Collector(Tier::FirstAgent) => "agent-1",
            Part::Collector(Tier::SecondAgent) => "agent-2",
            Part::Collector(Tier::FirstGateway) => "gateway-1",
            Part::Collector(Tier::SecondGateway) => "gateway-2",
        }
    }

    /// The port that it has unless it is told otherwise; 0, any that is free, for a Collector.
    pub fn default_port(self) -> u16 {
        match self {
            Part::Page => 8080,
            Part::Checkout => 8081,
            Part::Payment => 8082,
            Part::Provider => 8083,
            Part::Inventory => 8084,
            Part::Email => 8085,
            Part::OtlpGrpc => 4317,
            Part::OtlpHttp => 4318,
            Part::Broker => 5672,
            Part::Collector(_) => 0,
        }
    }

    /// How far its port is from the base, where all ports follow a base.
    pub(crate) fn offset(self) -> u16 {
        let position = Part::ALL.iter().position(|part| *part == self);
        position.expect("ALL has all parts") as u16
    }

    /// Whether it is a process of its own.
    pub(crate) fn is_child(self) -> bool {
        !matches!(self, Part::Page | Part::OtlpGrpc | Part::OtlpHttp)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_from_a_base_follow_one_another() {
        let offsets: Vec<u16> = Part::ALL.iter().map(|part| part.offset()).collect();
        assert_eq!(offsets, (0..9).collect::<Vec<u16>>());
        assert_eq!(Part::Broker.offset(), 8);
    }
}
