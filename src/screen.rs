//! What standard output is: how wide, and whether it takes colours.

use std::io::IsTerminal;

/// How a waterfall is drawn on standard output.
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
    // https://no-color.org: set and not empty means none.
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    waterfall::Style {
        width,
        colour: terminal && !no_colour,
    }
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document on standard output.
    Json,
}
