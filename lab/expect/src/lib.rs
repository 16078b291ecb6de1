//! Matches a trace against expectations and explains the difference.
