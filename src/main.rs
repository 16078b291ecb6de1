//! The `tracelab` command: arguments and wiring, no logic. Each subcommand is a file of `commands`; the other
//! files here are shared by several commands.

use std::{process::ExitCode, time::Duration};

use clap::{CommandFactory, Parser};

use crate::commands::Command;

mod arguments;
mod backend_args;
#[cfg(test)]
mod book;
mod commands;
mod events;
mod exit;
mod lab;
mod log;
mod memory_arg;
mod neighbours;
mod screen;
mod shop_args;
mod stop;
mod traces;
mod workload_args;

/// Gives freed memory back to the system, which glibc's allocator does only for a part of it
/// (docs/adr/0007-an-allocator.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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

/// The time for the tasks that still run when a command has ended.
const LAST_TASKS: Duration = Duration::from_millis(500);

/// The time for a reader of standard error to go on reading.
const LAST_WORDS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    tcp::raise_open_files();
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return exit::of_arguments(error),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(command.workers())
        .enable_all()
        .build()
        .expect("a process that cannot start threads can do nothing at all");
    let code = exit::code(runtime.block_on(command.execute(Cli::command())));
    // A task that blocks its thread, such as a read that never ends, is not waited for.
    runtime.shutdown_timeout(LAST_TASKS);
    stderr::flush(LAST_WORDS);
    code
}
