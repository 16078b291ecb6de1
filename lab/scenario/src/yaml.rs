//! YAML into nodes that know where they stand.
//!
//! A scenario file is plain data, so anchors, aliases, tags and second documents are refused, as
//! are duplicate keys and numbers that do not fit. Scalars are typed by the core schema of YAML
//! 1.2 (section 10.3): `20` is an integer, `20.0` a double, `"20"` a string.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use crate::{Error, MAX_BYTES, Position};

/// Deeper files are refused, so that nothing that walks the nodes runs out of stack.
const MAX_DEPTH: usize = 100;

/// A YAML node and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) data: Data,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    /// Text, and whether it stood there without quotes.
    Text(String, Bare),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// Whether a text stood in the file without quotes, so that it may be a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bare {
    Yes,
    No,
}

/// The key of a map and its place.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) text: String,
}

/// Parses the one document of a text.
pub(crate) fn parse(file: &str, text: &str) -> Result<Node, Error> {
    if text.len() > MAX_BYTES {
        let message = format!(
            "{} bytes; a scenario file has at most {MAX_BYTES}",
            text.len()
        );
        return Err(Error::of_file(file, message));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, at) = match event {
            Ok((event, span)) => (event, position(span.start)),
            Err(error) => {
                let message = format!("this is not YAML: {}", error.info());
                return Err(Error::at(file, text, position(*error.marker()), message));
            }
        };
        builder
            .event(event, at)
            .map_err(|message| Error::at(file, text, at, message))?;
    }
    builder
        .document
        .ok_or_else(|| Error::of_file(file, "the file is empty".to_owned()))
}

fn position(marker: Marker) -> Position {
    Position {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

/// Puts nodes together from the events of the parser, with a stack of its own.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    document: Option<Node>,
}

/// A collection whose end was not seen yet.
struct Open {
    at: Position,
    items: Items,
}

/// The pairs of a map so far.
#[derive(Default)]
struct Pairs {
    complete: Vec<(Key, Node)>,
    /// A key that waits for its value.
    key: Option<Key>,
    /// Where each key stands.
    known: HashMap<String, Position>,
}

enum Items {
    List(Vec<Node>),
    Map(Pairs),
}

// === impl Builder ===

impl Builder {
    fn event(&mut self, event: Event<'_>, at: Position) -> Result<(), String> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.document.is_some() => {
                Err("a second document; a scenario file has one".to_owned())
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(_) => Err(refused("aliases (*name)")),
            Event::Scalar(_, _, anchor, tag) if anchor != 0 || tag.is_some() => Err(decorated()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag)
                if anchor != 0 || tag.is_some() =>
            {
                Err(decorated())
            }
            Event::Scalar(text, style, ..) => self.scalar(&text, style, at),
            Event::SequenceStart(..) => self.open(Items::List(Vec::new()), at),
            Event::MappingStart(..) => self.open(Items::Map(Pairs::default()), at),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, at: Position) -> Result<(), String> {
        if let Some(Open {
            items: Items::Map(pairs @ Pairs { key: None, .. }),
            ..
        }) = self.open.last_mut()
        {
            if let Some(first) = pairs.known.insert(text.to_owned(), at) {
                return Err(format!("{text:?} is already there, at {first}"));
            }
            pairs.key = Some(Key {
                at,
                text: text.to_owned(),
            });
            return Ok(());
        }
        let data = match style {
            ScalarStyle::Plain => plain(text)?,
            _ => Data::Text(text.to_owned(), Bare::No),
        };
        self.add(Node { at, data });
        Ok(())
    }

    fn open(&mut self, items: Items, at: Position) -> Result<(), String> {
        if let Some(Open {
            items: Items::Map(Pairs { key: None, .. }),
            ..
        }) = self.open.last()
        {
            return Err("a list or a map cannot be a key".to_owned());
        }
        if self.open.len() == MAX_DEPTH {
            return Err(format!("nested more than {MAX_DEPTH} deep"));
        }
        self.open.push(Open { at, items });
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(Open { at, items }) = self.open.pop() else {
            return Err("the end of a list or map that never began".to_owned());
        };
        let data = match items {
            Items::List(items) => Data::List(items),
            Items::Map(pairs) => Data::Map(pairs.complete),
        };
        self.add(Node { at, data });
        Ok(())
    }

    /// Adds a finished node to the collection that it stands in.
    fn add(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.document = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map(pairs)) => {
                if let Some(key) = pairs.key.take() {
                    pairs.complete.push((key, node));
                }
            }
        }
    }
}

fn refused(what: &str) -> String {
    format!("{what} are not used in scenario files")
}

fn decorated() -> String {
    refused("anchors (&name) and tags (!name)") + "; quote a text that begins so"
}

/// The type of a scalar without quotes, by the core schema.
fn plain(text: &str) -> Result<Data, String> {
    let word = match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Data::Null),
        "true" | "True" | "TRUE" => Some(Data::Bool(true)),
        "false" | "False" | "FALSE" => Some(Data::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => Some(Data::Double(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(Data::Double(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => Some(Data::Double(f64::NEG_INFINITY)),
        _ => None,
    };
    if let Some(word) = word {
        return Ok(word);
    }
    let based = [("0x", 16), ("0o", 8)]
        .into_iter()
        .find_map(|(prefix, radix)| {
            let digits = text.strip_prefix(prefix)?;
            (!digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)))
                .then_some((digits, radix))
        });
    let integer = match based {
        Some((digits, radix)) => Some(i64::from_str_radix(digits, radix)),
        None if is_integer(text) => Some(text.parse()),
        None => None,
    };
    match integer {
        Some(Ok(number)) => Ok(Data::Int(number)),
        Some(Err(_)) => Err(format!("{text} does not fit in a signed 64-bit integer")),
        // The characters are checked first: Rust reads `infinity` and `nan` as numbers, too.
        None => match text.parse::<f64>() {
            Ok(number) if text.bytes().all(|b| b"+-.eE0123456789".contains(&b)) => {
                Ok(Data::Double(number))
            }
            _ => Ok(Data::Text(text.to_owned(), Bare::Yes)),
        },
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

// === impl Data ===

impl Data {
    /// What the node holds, as a message says it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Data::Null => "nothing".to_owned(),
            Data::Bool(truth) => format!("the boolean {truth}"),
            Data::Int(number) => format!("the integer {number}"),
            Data::Double(number) => format!("the double {number:?}"),
            Data::Text(text, _) => format!("the text {text:?}"),
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a map".to_owned(),
        }
    }
}
