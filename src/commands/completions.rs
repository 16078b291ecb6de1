//! `tracelab completions SHELL`: prints the completion script for a shell.

use clap::Command;
use clap_complete::{Shell, generate};

use crate::{exit::Outcome, screen};

/// Print what a shell needs to complete the commands and options of tracelab.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab completions bash > ~/.local/share/bash-completion/completions/tracelab
  tracelab completions zsh > ~/.zfunc/_tracelab
  tracelab completions fish > ~/.config/fish/completions/tracelab.fish")]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn main(args: &Args, mut command: Command) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "tracelab", &mut script);
    screen::print(&script)?;
    Ok(Outcome::Passed)
}
