//! `tracelab sink`: the OTLP receiver and its page, without a shop.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::Context;

use crate::exit::Outcome;

/// Run the OTLP receiver and its page, in the foreground, for services of your own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab sink
  tracelab sink --page 127.0.0.1:9000 --memory 1024")]
pub(crate) struct Args {
    /// Where to listen for OTLP/gRPC.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 4317)))]
    grpc: SocketAddr,

    /// Where to listen for OTLP/HTTP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 4318)))]
    http: SocketAddr,

    /// Where to serve the page and the lab's HTTP API.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))]
    page: SocketAddr,

    /// How many MiB of traces it keeps; beyond that the oldest are evicted.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    memory: usize,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let listen =
        |address| async move { chassis::listen(address).await.map_err(chassis::Error::from) };
    let grpc = listen(args.grpc).await.context("OTLP/gRPC (--grpc)")?;
    let http = listen(args.http).await.context("OTLP/HTTP (--http)")?;
    let page = listen(args.page).await.context("the page (--page)")?;
    let stop = chassis::stop_signal(false)?;
    let ready = serde_json::json!({
        "otlp_grpc": format!("http://{}", grpc.local_addr()?),
        "otlp_http": format!("http://{}", http.local_addr()?),
        "page": format!("http://{}", page.local_addr()?),
    });
    // Whoever started the process learns the ports here; nobody may be reading.
    let _ = writeln!(std::io::stdout(), "{ready}");

    let config = sink::Config {
        max_bytes: args.memory << 20,
        ..sink::Config::default()
    };
    let store = sink::Store::new(config);
    tokio::try_join!(
        sink::run(grpc, http, store.clone(), stop.clone()),
        page::run(page, page::router(store), stop),
    )?;
    Ok(Outcome::Passed)
}
