//! Counts as a person says them.

/// So many of something: `1 span`, `2 spans`. The word is that for one, and takes an `s`.
pub fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}
