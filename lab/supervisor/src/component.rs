//! [`Component`]: the components of a lab, and the port of each.

use std::fmt;

/// A component of the lab that listens on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The web page and the lab's HTTP API. It runs in this process.
    Page,
    /// The service that takes orders.
    Checkout,
    /// The service that charges cards.
    Payment,
    /// The third-party payment API. It is not a part of the shop and has no traces.
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

/// The position of a Collector among the Collectors of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The only Collector.
    Only,
    /// The first of the two agents, which the services send to.
    FirstAgent,
    /// The second agent.
    SecondAgent,
    /// The first of the two gateways, which the agents send to.
    FirstGateway,
    /// The second gateway.
    SecondGateway,
}

// === impl Component ===

impl Component {
    /// The five services, in alphabetical order.
    pub const SERVICES: [Component; 5] = [
        Component::Checkout,
        Component::Email,
        Component::Inventory,
        Component::Payment,
        Component::Provider,
    ];

    /// All components that have a port, in the order of their ports from a base.
    pub(crate) const ALL: [Component; 9] = [
        Component::Page,
        Component::Checkout,
        Component::Payment,
        Component::Provider,
        Component::Inventory,
        Component::Email,
        Component::OtlpGrpc,
        Component::OtlpHttp,
        Component::Broker,
    ];

    /// The name of the component, in messages and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Component::Page => "page",
            Component::Checkout => "checkout",
            Component::Payment => "payment",
            Component::Provider => "provider",
            Component::Inventory => "inventory",
            Component::Email => "email",
            Component::OtlpGrpc => "otlp-grpc",
            Component::OtlpHttp => "otlp-http",
            Component::Broker => "broker",
            Component::Collector(Tier::Only) => "collector",
            Component::Collector(Tier::FirstAgent) => "agent-1",
            Component::Collector(Tier::SecondAgent) => "agent-2",
            Component::Collector(Tier::FirstGateway) => "gateway-1",
            Component::Collector(Tier::SecondGateway) => "gateway-2",
        }
    }

    /// The default port; 0, any free port, for a Collector.
    pub fn default_port(self) -> u16 {
        match self {
            Component::Page => 8080,
            Component::Checkout => 8081,
            Component::Payment => 8082,
            Component::Provider => 8083,
            Component::Inventory => 8084,
            Component::Email => 8085,
            Component::OtlpGrpc => 4317,
            Component::OtlpHttp => 4318,
            Component::Broker => 5672,
            Component::Collector(_) => 0,
        }
    }

    /// The distance of its port from the base, with `Ports::Base`.
    pub(crate) fn offset(self) -> u16 {
        let position = Component::ALL
            .iter()
            .position(|component| *component == self);
        position.expect("ALL has all components") as u16
    }

    /// Whether it is a separate process.
    pub(crate) fn is_child(self) -> bool {
        !matches!(
            self,
            Component::Page | Component::OtlpGrpc | Component::OtlpHttp
        )
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_from_a_base_follow_one_another() {
        let offsets: Vec<u16> = Component::ALL
            .iter()
            .map(|component| component.offset())
            .collect();
        assert_eq!(offsets, (0..9).collect::<Vec<u16>>());
        assert_eq!(Component::Broker.offset(), 8);
    }
}
