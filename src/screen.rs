//! Standard output: its width, its colours, and writing to it. Progress bars on standard error.

use std::{
    io::{self, IsTerminal, Read, Write},
    path::Path,
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use plain::Plain;

use crate::exit::WrongInput;

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

/// How often a progress bar is drawn.
const DRAWN_PER_SECOND: u8 = 20;

/// Makes a progress bar for a terminal, hidden where standard error is none. The template is indicatif's.
pub(crate) fn progress_bar(template: &str) -> ProgressBar {
    let target = match io::stderr().is_terminal() {
        true => ProgressDrawTarget::term_like_with_hz(Box::new(Terminal), DRAWN_PER_SECOND),
        false => ProgressDrawTarget::hidden(),
    };
    let style = ProgressStyle::with_template(template).expect("the template is well formed");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// Tries whether a file of a result can be written, before there is one. A file that is there stays as it is, and what is
/// no file on a disk, such as a pipe, is not touched.
pub(crate) fn can_be_written(path: &Path) -> Result<(), WrongInput> {
    let there = path.metadata();
    if there
        .as_ref()
        .is_ok_and(|there| !there.is_file() && !there.is_dir())
    {
        return Ok(());
    }
    let mut options = std::fs::OpenOptions::new();
    let opened = options.append(true).create(true).open(path);
    opened.map_err(|error| {
        WrongInput(format!(
            "{} cannot be written: {error}",
            Plain(path.display())
        ))
    })?;
    if there.is_err() {
        // It was made by this test alone.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
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

/// Writes the result of a command to standard output, and waits for its reader, however slow: the deadline of a stop
/// does not cut a result off.
pub(crate) fn print_result(text: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let _printing = chassis::Printing::begin();
    print(text)
}

/// Writes a whole text to standard output. A reader that has gone, such as `head`, wants no more of it.
pub(crate) fn print(text: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    let written = output
        .write_all(text.as_ref())
        .and_then(|()| output.flush());
    unless_gone(written).context("standard output cannot be written")
}

/// The result of writing to standard output, where a reader that has gone is no error.
pub(crate) fn unless_gone(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Copies a text to standard output.
pub(crate) fn copy(text: &mut impl Read) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    let written = std::io::copy(text, &mut output).and_then(|_| output.flush());
    unless_gone(written).context("standard output cannot be written")
}

/// The terminal of standard error, for progress bars: a terminal that was stopped (Ctrl-S) holds nothing.
#[derive(Debug)]
pub(crate) struct Terminal;

impl Terminal {
    fn write(text: String) -> io::Result<()> {
        stderr::write(text.into_bytes());
        Ok(())
    }

    /// Moves the cursor `n` places (ECMA-48, CUU to CUB).
    fn go(n: usize, direction: char) -> io::Result<()> {
        match n {
            0 => Ok(()),
            n => Terminal::write(format!("\x1b[{n}{direction}")),
        }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        let size = rustix::termios::tcgetwinsize(io::stderr());
        size.map_or(80, |size| size.ws_col)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        Terminal::go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        Terminal::go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        Terminal::go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        Terminal::go(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        Terminal::write(format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        Terminal::write(text.to_owned())
    }

    fn clear_line(&self) -> io::Result<()> {
        Terminal::write("\r\x1b[2K".to_owned())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
