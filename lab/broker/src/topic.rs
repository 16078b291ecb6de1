//! Matches a routing key against the pattern of a topic binding (AMQP 0-9-1, 3.1.3.3).

/// Whether `key` matches `pattern`: words are separated by dots, `*` stands for exactly one word,
/// `#` for none or more.
///
/// It keeps the set of pattern positions that the words so far can have reached, so that its time is bounded
/// by the product of the lengths, for any pattern of a client.
pub(crate) fn matches(pattern: &str, key: &str) -> bool {
    let pattern: Vec<&str> = words(pattern).collect();
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    skip_hashes(&pattern, &mut reached);
    for word in words(key) {
        let mut next = vec![false; pattern.len() + 1];
        for (at, expected) in pattern.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match *expected {
                "#" => next[at] = true,
                "*" => next[at + 1] = true,
                literal if literal == word => next[at + 1] = true,
                _ => {}
            }
        }
        skip_hashes(&pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

/// A `#` may match no word: a position before it also reaches the position after it.
fn skip_hashes(pattern: &[&str], reached: &mut [bool]) {
    for at in 0..pattern.len() {
        if reached[at] && pattern[at] == "#" {
            reached[at + 1] = true;
        }
    }
}

/// The words of a key; the empty key has none.
fn words(key: &str) -> impl Iterator<Item = &str> {
    key.split('.')
        .take(if key.is_empty() { 0 } else { usize::MAX })
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_exactly_one_word() {
        assert!(matches("order.*", "order.placed"));
        assert!(matches("*.placed", "order.placed"));
        assert!(!matches("order.*", "order"));
        assert!(!matches("order.*", "order.placed.late"));
        assert!(!matches("*", ""));
    }

    #[test]
    fn a_hash_is_any_number_of_words() {
        for key in ["", "order", "order.placed", "a.b.c.d"] {
            assert!(matches("#", key), "{key}");
        }
        assert!(matches("order.#", "order"));
        assert!(matches("#.late", "order.placed.late"));
        assert!(matches("a.#.d", "a.d"));
        assert!(matches("a.#.d", "a.b.c.d"));
        assert!(!matches("a.#.d", "a.b.c"));
        assert!(matches("#.*.#", "a"));
        assert!(!matches("#.*.#", ""));
    }

    #[test]
    fn words_are_literal_and_may_be_empty() {
        assert!(matches("", ""));
        assert!(matches("a..b", "a..b"));
        assert!(matches("a.*.b", "a..b"));
        assert!(!matches("a.b", "a.B"));
        assert!(!matches("a*", "ab"));
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = ["#"; 127].join(".") + ".x";
        let key = ["a"; 127].join(".");
        assert!(!matches(&pattern, &key));
    }
}
