//! [`Page`]: an HTML page, read strictly: each element ends, and what is no element is escaped.

use std::collections::{BTreeMap, BTreeSet};

/// What a page is made of.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The names of all elements.
    pub(crate) elements: BTreeSet<String>,
    /// All attributes with their values.
    pub(crate) attributes: BTreeMap<String, BTreeSet<String>>,
    /// The style sheet.
    pub(crate) style: String,
    /// The text that readers see, with its escapes.
    pub(crate) text: String,
}

/// What may be escaped in text.
const ENTITIES: [&str; 5] = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];

// === impl Page ===

impl Page {
    /// Reads a page; panics where an element has no end, or ends within another one.
    pub(crate) fn read(html: &str) -> Page {
        let mut rest = html
            .strip_prefix("<!doctype html>")
            .expect("a page says what it is");
        let mut page = Page::default();
        let mut open: Vec<&str> = Vec::new();
        while let Some(at) = rest.find('<') {
            let (text, tag) = rest.split_at(at);
            page.text(text, &open);
            let end = tag.find('>').unwrap_or_else(|| panic!("no end of {tag}"));
            let (inside, after) = (&tag[1..end], &tag[end + 1..]);
            rest = after;
            if let Some(name) = inside.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{open:?}, then {after:.80}");
                continue;
            }
            // Elements without content end themselves, so that no list of them is needed.
            let (inside, is_empty) = match inside.strip_suffix('/') {
                Some(inside) => (inside, true),
                None => (inside, false),
            };
            let name = inside.split(' ').next().unwrap();
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric());
            assert!(is_name && !name.is_empty(), "{inside:?} is no element");
            page.elements.insert(name.to_owned());
            page.attributes(&inside[name.len()..]);
            if !is_empty {
                open.push(name);
            }
        }
        assert_eq!(open, [""; 0], "they do not end");
        assert_eq!(rest.trim(), "");
        page
    }

    fn text(&mut self, text: &str, open: &[&str]) {
        if open.last() == Some(&"style") {
            self.style.push_str(text);
            return;
        }
        assert!(!text.contains(['>', '\u{1b}', '\u{7}']), "{text:?}");
        for (at, _) in text.match_indices('&') {
            let escaped = ENTITIES.iter().any(|entity| text[at..].starts_with(entity));
            assert!(escaped, "{:?}", &text[at..]);
        }
        self.text.push_str(text);
    }

    fn attributes(&mut self, text: &str) {
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{rest}"));
            let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("{rest}"));
            let values = self.attributes.entry(name.to_owned()).or_default();
            values.insert(value.to_owned());
            rest = after.trim_start();
        }
    }

    /// The values of an attribute.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.attributes
            .get(name)
            .into_iter()
            .flatten()
            .map(|value| value.as_str())
    }
}
