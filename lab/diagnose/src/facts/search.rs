//! Words in texts that nearly always lack them. The texts of spans are short: what `str::contains` sets up
//! costs more than looking at each byte.

/// Where a word is first.
pub(crate) fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    // Words end in rarer bytes than they begin with.
    let (last, before) = word.split_last()?;
    let mut from = before.len();
    loop {
        let end = from + text.get(from..)?.iter().position(|byte| byte == last)?;
        if text[..end].ends_with(before) {
            return Some(end - before.len());
        }
        from = end + 1;
    }
}

/// Whether a text ends with a word, in capitals or not.
pub(crate) fn ends_with_ignoring_case(text: &[u8], word: &[u8]) -> bool {
    let end = text.len().checked_sub(word.len());
    end.is_some_and(|end| text[end..].eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_where_it_is_first() {
        for (text, word) in [
            ("eyeyJ eyJ", "eyJ"),
            ("aaab", "aab"),
            ("aab", "aab"),
            ("ab", "aab"),
            ("", "a"),
            ("a", "a"),
            ("abcabc", "c"),
            ("abcab", "abd"),
        ] {
            let found = find(text.as_bytes(), word.as_bytes());
            assert_eq!(found, text.find(word), "{word} in {text}");
        }
    }
}
