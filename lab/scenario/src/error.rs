//! What is wrong with a scenario file, where, and what would be right.

use std::fmt;

use plain::Plain;

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line; the first is 1.
    pub line: usize,
    /// The column in characters; the first is 1.
    pub column: usize,
}

/// Why a scenario file cannot be used.
///
/// Prints as `file:line:column: message; hint`, and beneath it the line with a caret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The file, as the caller named it.
    pub file: String,
    /// The place in it; `None` if the file as a whole is at fault.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
    /// The line of the file that is at fault.
    pub source_line: Option<String>,
}

// === impl Position ===

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

// === impl Error ===

impl Error {
    /// An error of the file as a whole.
    pub(crate) fn of_file(file: &str, message: String) -> Self {
        Error {
            file: file.to_owned(),
            position: None,
            message,
            hint: None,
            source_line: None,
        }
    }

    /// An error at a place in a text.
    pub(crate) fn at(file: &str, text: &str, position: Position, message: String) -> Self {
        let source_line = text
            .lines()
            .nth(position.line.saturating_sub(1))
            .map(str::to_owned);
        Error {
            file: file.to_owned(),
            position: Some(position),
            message,
            hint: None,
            source_line,
        }
    }

    /// The same error with what would be right.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", Plain(&self.file))?;
        if let Some(position) = self.position {
            write!(f, "{position}:")?;
        }
        write!(f, " {}", Plain(&self.message))?;
        if let Some(hint) = &self.hint {
            write!(f, "; {}", Plain(hint))?;
        }
        if let (Some(line), Some(position)) = (&self.source_line, self.position) {
            let number = position.line.to_string();
            let (line, indent) = excerpt(line, position.column - 1);
            let margin = " ".repeat(number.len());
            write!(
                f,
                "\n  {number} | {line}\n  {margin} | {}^",
                " ".repeat(indent)
            )?;
        }
        Ok(())
    }
}

/// What of a line fits on a terminal, around a column (from 0), and the caret's place in it.
///
/// Tabs and what else is no visible text are replaced by spaces and not by escapes, so that the caret stands where it
/// should.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 100;
    let from = if column < WIDTH {
        0
    } else {
        column - WIDTH / 2
    };
    let shown = line
        .chars()
        .skip(from)
        .take(WIDTH)
        .map(|c| match plain::is_plain(c.encode_utf8(&mut [0; 4])) {
            true => c,
            false => ' ',
        })
        .collect();
    (shown, column - from)
}
