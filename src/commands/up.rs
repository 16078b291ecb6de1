//! `tracelab up`: runs the whole lab in the foreground, until Ctrl-C.

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    time::{Duration, Instant},
};

use ::trace::TraceId;
use browser_guard::HostArgs;
use control::Shop;
use protocol::LabDescription;
use supervisor::{Component, Config, Lab, Otlp, OtlpProtocol, Ports};
use tokio_util::sync::CancellationToken;

use crate::{
    events,
    exit::{Outcome, WrongInput},
    log,
    memory_arg::MemoryArg,
    screen::{self, Format},
    shop_args::ShopArgs,
    stop,
};

/// The longest wait until the trace of the first order is whole.
const PATIENCE: Duration = Duration::from_secs(10);

/// Start the shop and its instruments, place a first order, and show its trace.
///
/// Every service is a separate process. A service that dies is started again; Ctrl-C stops everything within 10 s,
/// a second Ctrl-C at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab up
  tracelab up --free-ports --format json    one line of JSON when ready, for programs
  tracelab up --memory 1024                 keep more traces
  tracelab up --pace none --otlp http://127.0.0.1:14317
                                            send the spans to a collector of your own")]
pub(crate) struct Args {
    /// Listen on nine ports from this one on: page, checkout, payment, provider, inventory, email,
    /// OTLP/gRPC, OTLP/HTTP, AMQP.
    #[arg(long, value_name = "N", conflicts_with = "free_ports")]
    port_base: Option<u16>,

    /// Listen on any free ports.
    #[arg(long)]
    free_ports: bool,

    /// Send the services' telemetry to this receiver (OTLP/gRPC), and not to the sink.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    otlp: Option<String>,

    /// Let the pages of this origin send over OTLP/HTTP from a browser, such as http://localhost:3000; may be given more
    /// than once. * is every origin.
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<sink::Origin>,

    #[command(flatten)]
    shop: ShopArgs,

    #[command(flatten)]
    memory: MemoryArg,

    #[command(flatten)]
    hosts: HostArgs,

    /// Keep databases and mails in this folder. Without it they are removed at the end.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,

    /// The format of the output: text for people, or one JSON line when all is ready.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    log::start();
    let stop = stop::on_signals()?;
    let config = Config {
        ports: match (args.port_base, args.free_ports) {
            (Some(base), _) => Ports::Base(base),
            (None, true) => Ports::Free,
            (None, false) => Ports::Default,
        },
        otlp: args.otlp.map(|endpoint| Otlp {
            endpoint,
            protocol: OtlpProtocol::Grpc,
        }),
        data_dir: args.data,
        allowed_hosts: args.hosts.hosts(),
        sink: sink::Config {
            cors: args.cors,
            ..args.memory.config()?
        },
        ..args.shop.config().await?
    };
    let (listener, page) = supervisor::listen(config.ports, Component::Page).await?;
    let (lab, events) = tokio::select! {
        started = Lab::start(config) => started?,
        () = stop.asked() => {
            // Nothing was ordered yet, so no child has anything to finish.
            supervisor::kill_all();
            return Ok(Outcome::Interrupted);
        }
    };
    let told = tokio::spawn(events::print(events));
    let (routes, mut requests) = control::routes(lab.store().clone());
    let stop_page = CancellationToken::new();
    let hosts = args.hosts.hosts();
    let serving = tokio::spawn(control::serve(listener, routes, hosts, stop_page.clone()));
    let described = control::describe(&lab, page);
    let show = async {
        match args.format {
            Format::Text => show_first_order(&lab, &described, started).await,
            Format::Json => screen::print(format!("{}\n", serde_json::to_string(&described)?)),
        }
    };
    let shown = tokio::select! {
        shown = show => shown,
        () = stop.asked() => Ok(()),
    };
    if shown.is_ok() {
        tokio::select! {
            () = stop.asked() => {}
            () = control::answer(Shop::Supervised { lab: &lab, page }, &mut requests) => {}
        }
    }
    // From here on requests are refused; the page answers with an error until it has stopped.
    drop(requests);
    if args.format == Format::Text {
        stderr::say("stopping");
    }
    stop_page.cancel();
    let stopped = lab.stop_by(stop.deadline().into_std()).await;
    // An error of one of these tasks is a panic, which was printed when it happened.
    let _ = serving.await;
    let _ = told.await;
    for part in stopped.killed {
        stderr::say(format_args!("{part} did not stop in time and was killed"));
    }
    shown?;
    Ok(Outcome::Passed)
}

async fn show_first_order(
    lab: &Lab,
    described: &LabDescription,
    started: Instant,
) -> anyhow::Result<()> {
    let checkout = described.services["checkout"].url.parse()?;
    let lines = NonZeroUsize::new(3).expect("3 is not 0");
    let placed = control::place_order(&checkout, lines).await?;
    let mut text = match lab.exports_to() {
        Some(endpoint) => format!(
            "A first order was placed; its spans go to {endpoint}, and not to the sink \
             (trace {}).\n\nIt was answered {:.2} s after the start",
            placed.trace_id,
            started.elapsed().as_secs_f64()
        ),
        None => first_trace(lab, placed.trace_id, started).await,
    };
    if let Some(memory) = lab.memory() {
        let mebibytes = memory.total as f64 / f64::from(1 << 20);
        let count = memory.processes.len();
        text.push_str(&format!(
            "; {count} processes take {mebibytes:.0} MiB (PSS)"
        ));
    }
    text.push_str(".\n\n");
    text.push_str(&addresses(described));
    text.push_str("\nOne more order: tracelab order    Stop: Ctrl-C\n");
    screen::print(&text)
}

/// Renders the waterfall of the first order, and the time at which its trace was whole.
async fn first_trace(lab: &Lab, id: TraceId, started: Instant) -> String {
    let asked = Instant::now();
    let flush = || async { drop(lab.flush().await) };
    let traces = control::whole_order(lab.store(), id, Duration::ZERO, PATIENCE, flush).await;
    let whole = asked.elapsed() < PATIENCE;
    let took = started.elapsed().as_secs_f64();
    if traces.is_empty() {
        return format!(
            "The first order has no trace in the sink {took:.2} s after the start (trace {id})"
        );
    }
    let mut text = String::from("A first order, from the request to the mail:\n\n");
    for trace in &traces {
        text.push_str(&waterfall::render(trace, &screen::style()));
        text.push('\n');
    }
    let state = if whole { "was" } else { "is not" };
    text.push_str(&format!(
        "The first trace {state} whole {took:.2} s after the start"
    ));
    text
}

fn addresses(described: &LabDescription) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: &str| text.push_str(&format!("  {name:<10} {what}\n"));
    line("page", &described.page);
    for (name, process) in &described.services {
        let pid = process
            .pid
            .map(|pid| format!("   process {pid}"))
            .unwrap_or_default();
        line(name, &format!("{}{pid}", process.url));
    }
    line("OTLP/gRPC", &described.otlp_grpc);
    line("OTLP/HTTP", &described.otlp_http);
    text
}

fn http_url(text: &str) -> Result<String, WrongInput> {
    let url: Option<reqwest::Url> = text.parse().ok();
    match url {
        Some(url) if url.scheme() == "http" && url.has_host() => Ok(text.to_owned()),
        _ => Err(WrongInput(
            "a receiver's address is http://HOST:PORT, such as http://127.0.0.1:4317".to_owned(),
        )),
    }
}
