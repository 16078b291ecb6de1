//! The subcommands, one file each: its arguments, what it calls, what it prints, and its exit code.

use crate::exit::Outcome;

mod bench;
mod blast;
mod broker;
mod check;
mod collector;
mod compare;
mod completions;
mod diagnose;
mod drain;
mod expect;
mod export;
mod fault;
mod load;
mod man;
mod order;
mod run;
mod scenario;
mod service;
mod sink;
mod trace;
mod up;
mod validate;

// Without a doc comment: clap would print it in place of that of `Cli`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Up(up::Args),
    Order(order::Args),
    Run(run::Args),
    Check(check::Args),
    Diagnose(diagnose::Args),
    Compare(compare::Args),
    Load(load::Args),
    Trace(trace::Args),
    Export(export::Args),
    #[command(subcommand)]
    Fault(fault::Fault),
    #[command(subcommand)]
    Scenario(scenario::Scenario),
    #[command(subcommand)]
    Expect(expect::Expect),
    #[command(subcommand)]
    Service(service::Service),
    #[command(subcommand)]
    Bench(Box<bench::Bench>),
    Blast(blast::Args),
    Drain(drain::Args),
    Broker(broker::Args),
    Collector(collector::Args),
    Sink(sink::Args),
    Validate(validate::Args),
    Completions(completions::Args),
    Man(man::Args),
}

// === impl Command ===

impl Command {
    /// The number of threads that run the command's tasks.
    pub(crate) fn workers(&self) -> usize {
        match self {
            // One thread: a call that blocks the thread must block all of payment, as its scenario needs.
            Command::Service(service::Service::Payment(_)) => 1,
            _ => 2,
        }
    }

    /// Executes the command. `cli` describes all commands, for the commands that print this description.
    pub(crate) async fn execute(self, cli: clap::Command) -> anyhow::Result<Outcome> {
        match self {
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
            Command::Export(args) => export::main(args).await,
            Command::Service(service) => service::main(service).await,
            Command::Bench(bench) => Box::pin(bench::main(*bench)).await,
            Command::Blast(args) => blast::main(args).await,
            Command::Drain(args) => drain::main(args).await,
            Command::Broker(args) => broker::main(args).await,
            Command::Collector(args) => collector::main(args).await,
            Command::Sink(args) => sink::main(args).await,
            Command::Validate(args) => Box::pin(validate::main(args)).await,
            Command::Completions(args) => completions::main(&args, cli),
            Command::Man(args) => man::main(&args, cli),
        }
    }
}
