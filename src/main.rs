//! The `tracelab` command: arguments and wiring, one file a subcommand, no logic.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

mod arguments;
mod broker;
mod check;
mod collector;
mod compare;
mod completions;
mod diagnose;
mod exit;
mod expect;
mod fault;
mod lab;
mod load;
mod man;
mod order;
mod run;
mod scenario;
mod screen;
mod service;
mod shop_args;
mod sink;
mod trace;
mod up;

const EXAMPLES: &str = "\
Examples:
  tracelab up                       start the shop and its instruments, place a first order
  tracelab order                    place one more order and see its trace
  tracelab run checkout             drive the shop and check every trace
  tracelab run n-plus-one           reproduce a latency pattern, and see what is different
  tracelab diagnose TRACE           where the time of a trace went, and what went wrong
  tracelab fault list               what can go wrong on demand
  tracelab load --rate 5/s --duration 1h
                                    keep a running shop busy";

/// A laboratory for distributed tracing: a shop of real microservices, and instruments that
/// receive, show, check and diagnose its traces.
#[derive(Debug, Parser)]
#[command(name = "tracelab", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Args),
    Order(order::Args),
    Run(run::Args),
    Check(check::Args),
    Diagnose(diagnose::Args),
    Compare(compare::Args),
    Load(load::Args),
    Trace(trace::Args),
    #[command(subcommand)]
    Fault(fault::Fault),
    #[command(subcommand)]
    Scenario(scenario::Scenario),
    #[command(subcommand)]
    Expect(expect::Expect),
    #[command(subcommand)]
    Service(service::Service),
    Broker(broker::Args),
    Collector(collector::Args),
    Sink(sink::Args),
    Completions(completions::Args),
    Man(man::Args),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // Payment has one worker thread: what blocks it blocks all of it, as its story needs.
    let workers = if matches!(command, Command::Service(service::Service::Payment(_))) {
        1
    } else {
        2
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a process that cannot start threads can do nothing at all");
    let outcome = runtime.block_on(async {
        match command {
            Command::Up(args) => up::main(args).await,
            Command::Order(args) => order::main(args).await,
            Command::Run(args) => run::main(args).await,
            Command::Check(args) => check::main(args).await,
            Command::Diagnose(args) => diagnose::main(args).await,
            Command::Compare(args) => compare::main(args).await,
            Command::Fault(fault) => fault::main(fault).await,
            Command::Scenario(scenario) => scenario::main(scenario).await,
            Command::Expect(expect) => expect::main(expect).await,
            Command::Load(args) => load::main(args).await,
            Command::Trace(args) => trace::main(args).await,
            Command::Service(service) => service::main(service).await,
            Command::Broker(args) => broker::main(args).await,
            Command::Collector(args) => collector::main(args).await,
            Command::Sink(args) => sink::main(args).await,
            Command::Completions(args) => completions::main(&args, Cli::command()),
            Command::Man(args) => man::main(&args, Cli::command()),
        }
    });
    exit::code(outcome)
}
