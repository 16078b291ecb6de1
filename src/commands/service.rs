//! `tracelab service NAME`: runs one service of the shop, as an ordinary process.

use crate::exit::Outcome;

/// Run one service of the shop, in the foreground.
///
/// Telemetry is configured by the standard OTEL_* variables; the address is printed on standard
/// output as one line of JSON once the service listens.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 \\
    tracelab service inventory --database sqlite:///tmp/inventory.db
  tracelab service email --database sqlite:///tmp/email.db --mail-dir /tmp/mails")]
pub(crate) enum Service {
    /// Carts, orders, and the path of an order through the shop.
    Checkout(checkout::Args),
    /// Validates cards and charges them through the provider.
    Payment(payment::Args),
    /// The third-party payment provider; it is deliberately not instrumented.
    Provider(provider::Args),
    /// The catalogue, prices, stock and reservations.
    Inventory(inventory::Args),
    /// Consumes order.placed and sends the confirmation.
    Email(email::Args),
    /// Passes context on and does nothing else: the subject of the W3C trace-context test suite.
    Relay(relay::Args),
}

pub(crate) async fn main(service: Service) -> anyhow::Result<Outcome> {
    match service {
        Service::Checkout(args) => checkout::main(args).await?,
        Service::Payment(args) => payment::main(args).await?,
        Service::Provider(args) => provider::main(args).await?,
        Service::Inventory(args) => inventory::main(args).await?,
        Service::Email(args) => email::main(args).await?,
        Service::Relay(args) => relay::main(args).await?,
    }
    Ok(Outcome::Passed)
}
