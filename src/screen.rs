//! Standard output: its width, its colours, and writing to it.

use std::io::{IsTerminal, Write};

use anyhow::Context;

/// The style of a waterfall on standard output.
#[expect(
    clippy::disallowed_methods,
    reason = "NO_COLOR is of the terminal, and configures nothing else"
)]
pub(crate) fn style() -> waterfall::Style {
    let terminal = std::io::stdout().is_terminal();
    let width = rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|&columns| terminal && columns > 0)
        .unwrap_or(waterfall::DEFAULT_WIDTH);
    // https://no-color.org: a value that is not empty switches colours off.
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    waterfall::Style {
        width,
        colour: terminal && !no_colour,
    }
}

/// The format of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document on standard output.
    Json,
}

/// Writes a whole text to standard output.
pub(crate) fn print(text: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    output
        .write_all(text.as_ref())
        .and_then(|()| output.flush())
        .context("standard output cannot be written")
}
