//! Fast search of a word in texts that rarely contain it.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;

/// A word that is searched in many texts. The search is prepared once, at its first use: the texts of spans
/// are short, and the preparation costs more than a search.
pub(crate) struct Word {
    word: &'static str,
    finder: OnceLock<Finder<'static>>,
}

// === impl Word ===

impl Word {
    /// Makes a word, to be kept in a `static`.
    pub(crate) const fn new(word: &'static str) -> Self {
        Word {
            word,
            finder: OnceLock::new(),
        }
    }

    /// Where the word is first in a text, in bytes.
    #[inline]
    pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
        let finder = self.finder.get_or_init(|| Finder::new(self.word));
        finder.find(text)
    }

    /// Whether the text contains the word.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.find(text.as_bytes()).is_some()
    }

    /// The length of the word, in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.word.len()
    }
}

/// Words that are searched together, in capitals or not.
pub(crate) struct Words {
    words: &'static [&'static str],
    automaton: OnceLock<AhoCorasick>,
}

// === impl Words ===

impl Words {
    /// Makes a set of words, to be kept in a `static`.
    pub(crate) const fn new(words: &'static [&'static str]) -> Self {
        Words {
            words,
            automaton: OnceLock::new(),
        }
    }

    /// Whether the text contains one of the words.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let automaton = self.automaton.get_or_init(|| {
            let mut builder = AhoCorasick::builder();
            builder.ascii_case_insensitive(true);
            builder
                .build(self.words)
                .expect("a few short words make a small automaton")
        });
        automaton.is_match(text)
    }
}

/// Whether a text ends with a word, in capitals or not.
// It is asked of each key of each span: a call costs more than what it does.
#[inline]
pub(crate) fn ends_with_ignoring_case(text: &[u8], word: &[u8]) -> bool {
    text.len() >= word.len() && text[text.len() - word.len()..].eq_ignore_ascii_case(word)
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
            let found = Word::new(word).find(text.as_bytes());
            assert_eq!(found, text.find(word), "{word} in {text}");
        }
    }
}
