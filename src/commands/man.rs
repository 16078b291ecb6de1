//! `tracelab man --out DIR`: the manual pages, one for each command.

use std::path::PathBuf;

use clap::Command;

use crate::exit::{Outcome, WrongInput};

/// Write the manual pages into a folder: tracelab.1, and one for each command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab man --out ~/.local/share/man/man1
  tracelab man --out /tmp/man && man /tmp/man/tracelab-run.1")]
pub(crate) struct Args {
    /// The folder, which is created if it does not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn main(args: &Args, command: Command) -> anyhow::Result<Outcome> {
    let written = std::fs::create_dir_all(&args.out)
        .and_then(|()| clap_mangen::generate_to(command, &args.out));
    written.map_err(|error| {
        WrongInput(format!(
            "{}: the pages cannot be written: {error}",
            plain::Plain(args.out.display())
        ))
    })?;
    Ok(Outcome::Passed)
}
