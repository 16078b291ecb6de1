//! The last lines that a program wrote, for the message about its end.

use std::{collections::VecDeque, fmt, sync::Arc};

use parking_lot::Mutex;
use plain::Plain;

/// The number of lines that are kept.
const KEPT: usize = 20;

/// The last lines that a program has written so far. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct LastLines(Arc<Mutex<VecDeque<String>>>);

/// Shows lines as the end of a message, each on a separate line.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a>(pub &'a [String]);

// === impl LastLines ===

impl LastLines {
    /// Adds a line.
    pub fn push(&self, line: String) {
        let mut lines = self.0.lock();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The kept lines, oldest first. They stay.
    pub fn kept(&self) -> Vec<String> {
        self.0.lock().iter().cloned().collect()
    }

    /// Takes the kept lines, oldest first. None are left.
    pub fn take(&self) -> Vec<String> {
        let mut lines = self.0.lock();
        lines.drain(..).collect()
    }
}

// === impl Said ===

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("; it said nothing");
        }
        f.write_str("; it said:")?;
        self.0
            .iter()
            .try_for_each(|line| write!(f, "\n  {}", Plain(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_end_a_message() {
        let lines = LastLines::default();
        assert_eq!(Said(&lines.take()).to_string(), "; it said nothing");
        (0..KEPT + 2).for_each(|n| lines.push(n.to_string()));
        assert_eq!(lines.kept().len(), KEPT);
        let last = lines.take();
        assert_eq!((last.len(), last[0].as_str()), (KEPT, "2"));
        assert_eq!(Said(&last[..2]).to_string(), "; it said:\n  2\n  3");
    }
}
