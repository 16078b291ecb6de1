//! The fields of a map: all that are there must be known, and each may be asked for once.

use super::scalars::Doc;
use crate::{
    Error, Position, word,
    yaml::{Data, Key, Node},
};

/// The fields of one map of the file.
pub(super) struct Fields<'n> {
    /// What the map is, as messages call it.
    what: &'static str,
    at: Position,
    pairs: &'n [(Key, Node)],
}

/// The words that a map may hold.
pub(super) struct Words {
    /// What can be said.
    pub(super) known: &'static [&'static str],
    /// What the language has and this version does not; refused, and never passed over.
    pub(super) later: &'static [&'static str],
}

// === impl Fields ===

impl<'n> Fields<'n> {
    /// The fields of a node that must be a map with no words but these.
    pub(super) fn of(
        doc: &Doc<'_>,
        node: &'n Node,
        what: &'static str,
        words: &Words,
    ) -> Result<Self, Error> {
        let Data::Map(pairs) = &node.data else {
            let message = format!("{what} is a map, and this is {}", node.data.describe());
            return Err(doc.error(node.at, message));
        };
        for (key, _) in pairs {
            if words.later.contains(&key.text.as_str()) {
                let message = format!("{:?} is not supported by this version yet", key.text);
                return Err(doc.error(key.at, message));
            }
            if !words.known.contains(&key.text.as_str()) {
                let all = words.known.iter().chain(words.later).copied();
                return Err(doc
                    .error(key.at, format!("unknown field {:?}", key.text))
                    .with_hint(word::suggest(&key.text, all)));
            }
        }
        Ok(Fields {
            what,
            at: node.at,
            pairs,
        })
    }

    /// A field that need not be there.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.pairs
            .iter()
            .find(|(key, _)| key.text == name)
            .map(|(_, node)| node)
    }

    /// A field that must be there.
    pub(super) fn require(&self, doc: &Doc<'_>, name: &str) -> Result<&'n Node, Error> {
        self.get(name)
            .ok_or_else(|| doc.error(self.at, format!("{} has no {name:?}", self.what)))
    }

    /// A field that need not be there, read by a function.
    pub(super) fn map<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'n Node) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.get(name).map(read).transpose()
    }

    /// Where the map begins.
    pub(super) fn at(&self) -> Position {
        self.at
    }
}
