//! `tracelab sink`: runs the OTLP receiver and its page, without a shop, or for a shop whose services run
//! elsewhere.

use std::{
    collections::BTreeMap,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

use anyhow::Context;
use browser_guard::HostArgs;
use control::{ExternalShop, Listens, Shop};
use protocol::Database;
use reqwest::Url;
use supervisor::Component;

use crate::{
    exit::{Outcome, WrongInput},
    log,
    memory_arg::MemoryArg,
    shop_args::of_lab,
    stop,
};

/// Run the OTLP receiver and its page, in the foreground, for services of your own.
///
/// With --service it is the lab of a shop whose services run elsewhere, for example each in a container: it
/// passes orders and faults on to them. The services must send their telemetry to this sink.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab sink
  tracelab sink --page 127.0.0.1:9000 --memory 1024
  tracelab sink --service checkout=http://checkout:8081 --service payment=http://payment:8082 \\
    --service inventory=http://inventory:8084 --service email=http://email:8085 --postgresql")]
pub(crate) struct Args {
    /// The address for OTLP/gRPC.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 4317)))]
    grpc: SocketAddr,

    /// The address for OTLP/HTTP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 4318)))]
    http: SocketAddr,

    /// The address of the page and the lab's HTTP API.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))]
    page: SocketAddr,

    #[command(flatten)]
    memory: MemoryArg,

    /// Let the pages of this origin send over OTLP/HTTP from a browser, such as http://localhost:3000; may be given more
    /// than once. * is every origin.
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<::sink::Origin>,

    #[command(flatten)]
    hosts: HostArgs,

    /// A service of the shop that runs elsewhere, with its address; may be given more than once.
    #[arg(long, value_name = "NAME=URL")]
    service: Vec<ServiceArg>,

    /// The services use PostgreSQL, and not SQLite.
    #[arg(long, requires = "service")]
    postgresql: bool,

    /// The pace of the services.
    ///
    /// Without this option, or at another pace than textbook, scenarios that need the textbook pace are
    /// unsupported there.
    #[arg(long, value_enum, requires = "service")]
    pace: Option<chassis::Pace>,
}

/// A service and its address: `checkout=http://checkout:8081`.
#[derive(Clone, Debug)]
struct ServiceArg(Component, Url);

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let listen =
        |address| async move { chassis::listen(address).await.map_err(chassis::Error::from) };
    let grpc = listen(args.grpc).await.context("OTLP/gRPC (--grpc)")?;
    let http = listen(args.http).await.context("OTLP/HTTP (--http)")?;
    let page = listen(args.page).await.context("the page (--page)")?;
    let listens = Listens {
        page: page.local_addr()?,
        otlp_grpc: grpc.local_addr()?,
        otlp_http: http.local_addr()?,
    };
    let store = sink::Store::new(sink::Config {
        cors: args.cors.clone(),
        ..args.memory.config()?
    });
    let hosts = args.hosts.hosts();
    let shop = args.shop(&store, listens)?;
    log::start();
    let stop = stop::on_signals()?.token().clone();
    let ready = serde_json::json!({
        "otlp_grpc": format!("http://{}", listens.otlp_grpc),
        "otlp_http": format!("http://{}", listens.otlp_http),
        "page": format!("http://{}", listens.page),
    });
    // The parent process learns the ports here. Without a reader the write fails, and the sink runs on.
    let _ = writeln!(std::io::stdout(), "{ready}");

    let sink = sink::run(grpc, http, store.clone(), stop.clone());
    let Some(shop) = shop else {
        let page = control::serve(page, control::sink_routes(store), hosts, stop);
        let (sink, ()) = tokio::join!(sink, page);
        sink?;
        return Ok(Outcome::Passed);
    };
    let (routes, mut requests) = control::routes(store);
    let answering = async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = control::answer(Shop::External(&shop), &mut requests) => {}
        }
        // From here on requests are refused; the page answers with an error until it has stopped.
        drop(requests);
    };
    let page = control::serve(page, routes, hosts, stop.clone());
    let (sink, (), ()) = tokio::join!(sink, page, answering);
    sink?;
    Ok(Outcome::Passed)
}

// === impl Args ===

impl Args {
    fn shop(
        &self,
        store: &sink::Store,
        listens: Listens,
    ) -> Result<Option<ExternalShop>, WrongInput> {
        if self.service.is_empty() {
            return Ok(None);
        }
        let mut services = BTreeMap::new();
        for ServiceArg(part, url) in &self.service {
            if services.insert(*part, url.clone()).is_some() {
                let twice = format!("the service {part} has two addresses (--service)");
                return Err(WrongInput(twice));
            }
        }
        let database = match self.postgresql {
            true => Database::Postgresql,
            false => Database::Sqlite,
        };
        let pace = self.pace.map(of_lab);
        let shop = ExternalShop::new(store.clone(), services, database, pace, listens);
        let no_checkout = || {
            WrongInput(
                "the shop needs its checkout: --service checkout=http://HOST:PORT".to_owned(),
            )
        };
        shop.map(Some).ok_or_else(no_checkout)
    }
}

// === impl ServiceArg ===

impl FromStr for ServiceArg {
    type Err = WrongInput;

    fn from_str(text: &str) -> Result<Self, WrongInput> {
        let names = Component::SERVICES.map(Component::name).join(", ");
        let wrong = || {
            WrongInput(format!(
                "it must be NAME=http://HOST:PORT, where NAME is one of {names}"
            ))
        };
        let (name, url) = text.split_once('=').ok_or_else(wrong)?;
        let part = Component::SERVICES
            .into_iter()
            .find(|part| part.name() == name);
        let url: Option<Url> = url.parse().ok();
        let url = url.filter(|url| url.scheme() == "http" && url.has_host() && url.path() == "/");
        Ok(ServiceArg(part.ok_or_else(wrong)?, url.ok_or_else(wrong)?))
    }
}
