//! OTLP/JSON to protobuf in one pass, by the tables of [`crate::schema`]: neither a tree of JSON nor a message is
//! built.
//!
//! The serde code that comes with the generated messages does not keep to the specification (it stumbles over
//! unknown fields of a value, over a double that is `"NaN"` and over an enum that is given by name), and there
//! would be three of it, one a signal. So JSON is written over into the bytes of the protobuf message, which has
//! one reader for all.

mod scalar;

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use self::scalar::Got;
use crate::{
    MOST_LEVELS,
    error::DecodeError,
    parse::mended,
    place::{Mismatch, Place, Step},
    schema::{ANY_VALUE, Field, Holds, Message, RESOURCE_SPANS},
    wire::put_varint,
};

/// A JSON document in protobuf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcoded {
    /// The encoded message.
    pub bytes: Vec<u8>,
    /// The number of texts in which U+FFFD replaces what is no character: a surrogate without the other one,
    /// bytes that are not UTF-8.
    pub replaced: usize,
    /// The number of spans that stand below `instrumentationLibrarySpans`: see [`crate::Walked`].
    pub library_spans: usize,
}

/// Writes a JSON document over into the message of these tables.
pub(crate) fn to_protobuf(
    text: &[u8],
    message: &'static Message,
) -> Result<Transcoded, DecodeError> {
    let refused = match once(text, message) {
        Ok(transcoded) => return Ok(transcoded),
        Err(DecodeError::Json(refused)) => refused,
        Err(other) => return Err(other),
    };
    // Halves of characters are rare, and JSON has none: such a text is looked at again only after it was refused.
    match mended(text) {
        None => Err(refused.into()),
        Some((text, replaced)) => Ok(Transcoded {
            replaced,
            ..once(&text, message)?
        }),
    }
}

fn once(text: &[u8], message: &'static Message) -> Result<Transcoded, DecodeError> {
    // What is nested without end has no place in the tables: it is skipped without recursion.
    let mut json = serde_json::Deserializer::from_slice(text);
    json.disable_recursion_limit();
    write(message, |document| {
        document.deserialize(&mut json).and_then(|()| json.end())
    })
}

/// Writes a document that was parsed already over into the message of these tables.
pub(crate) fn from_value(
    json: &serde_json::Value,
    message: &'static Message,
) -> Result<Transcoded, DecodeError> {
    write(message, |document| document.deserialize(json))
}

fn write(
    message: &'static Message,
    read: impl FnOnce(MessageSeed<'_>) -> Result<(), serde_json::Error>,
) -> Result<Transcoded, DecodeError> {
    let mut writer = Writer::default();
    let read = read(MessageSeed {
        writer: &mut writer,
        message,
    });
    match (read, writer.wrong) {
        (Ok(()), _) => Ok(Transcoded {
            bytes: writer.out,
            replaced: 0,
            library_spans: writer.library_spans,
        }),
        (Err(_), Some(wrong)) => Err(wrong),
        (Err(error), None) => Err(error.into()),
    }
}

#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) out: Vec<u8>,
    /// Where the value stands that is read now.
    pub(crate) place: Place,
    /// The number of arrays and maps around it.
    pub(crate) levels: usize,
    pub(crate) library_spans: usize,
    /// Why the document is refused, in words of OTLP.
    pub(crate) wrong: Option<DecodeError>,
}

// === impl Writer ===

impl Writer {
    /// Refuses the document: serde's own error is replaced by this one.
    #[cold]
    fn mismatch<E: serde::de::Error>(&mut self, want: &str, got: &Got<'_>) -> E {
        let mismatch = Mismatch {
            place: self.place.clone(),
            want: want.to_owned(),
            got: got.to_string(),
        };
        self.wrong = Some(mismatch.into());
        E::custom("no OTLP")
    }

    /// Writes the key of a field of bytes and leaves room for the length; returns where the bytes begin.
    fn open(&mut self, number: u32) -> usize {
        put_varint(u64::from(number << 3 | 2), &mut self.out);
        self.out.push(0);
        self.out.len()
    }

    /// Writes the length of the bytes that begin here. Most are shorter than 128 and stay where they are.
    fn close(&mut self, start: usize) {
        let end = self.out.len();
        let length = end - start;
        if length < 0x80 {
            self.out[start - 1] = length as u8;
            return;
        }
        let extra = (usize::BITS - length.leading_zeros() - 1) as usize / 7;
        self.out.resize(end + extra, 0);
        self.out.copy_within(start..end, start + extra);
        let mut rest = length;
        for at in start - 1..start + extra {
            self.out[at] = (rest & 0x7f) as u8 | 0x80;
            rest >>= 7;
        }
        self.out[start + extra - 1] &= 0x7f;
    }
}

/// Reads an object as a message.
pub(crate) struct MessageSeed<'w> {
    pub(crate) writer: &'w mut Writer,
    pub(crate) message: &'static Message,
}

/// Reads a list of values of a field that repeats.
pub(crate) struct ListSeed<'w> {
    pub(crate) writer: &'w mut Writer,
    pub(crate) field: &'static Field,
}

/// Reads one value of a field.
pub(crate) struct ValueSeed<'w> {
    pub(crate) writer: &'w mut Writer,
    pub(crate) field: &'static Field,
    /// Whether a null is as good as absent, as the JSON mapping of protobuf has it. In a list it is not.
    pub(crate) optional: bool,
}

/// What a key of an object names.
pub(crate) enum Key {
    Known(&'static Field),
    /// A name that OTLP had before 1.0.
    Library,
    /// "OTLP/JSON: receivers MUST ignore unknown fields".
    Unknown,
}

pub(crate) struct KeySeed(pub(crate) &'static Message);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Key, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match self.0.0.iter().find(|field| field.is_called(key)) {
            Some(field) => Key::Known(field),
            None if std::ptr::eq(self.0, &RESOURCE_SPANS) && OLD.contains(&key) => Key::Library,
            None => Key::Unknown,
        })
    }
}

const OLD: [&str; 2] = [
    "instrumentationLibrarySpans",
    "instrumentation_library_spans",
];

/// Implements the visits that end in one refusal.
macro_rules! refuse {
    ($want:expr; $($visit:ident($type:ty) $got:expr),*) => {
        $(fn $visit<E: serde::de::Error>(self, value: $type) -> Result<(), E> {
            Err(self.writer.mismatch($want, &$got(value)))
        })*
        fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
            self.unit($want)
        }
    };
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let MessageSeed { writer, message } = self;
        while let Some(key) = object.next_key_seed(KeySeed(message))? {
            match key {
                Key::Unknown => drop(object.next_value::<IgnoredAny>()?),
                Key::Library => {
                    writer.library_spans += object.next_value_seed(Libraries)?;
                }
                Key::Known(field) => {
                    writer.place.push(Step::Key(field.name));
                    if field.repeated {
                        object.next_value_seed(ListSeed { writer, field })?;
                    } else {
                        object.next_value_seed(ValueSeed {
                            writer,
                            field,
                            optional: true,
                        })?;
                    }
                    writer.place.pop();
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _array: A) -> Result<(), A::Error> {
        Err(self.writer.mismatch("an object", &Got::Array))
    }

    refuse!("an object"; visit_bool(bool) Got::Bool, visit_i64(i64) Got::Int, visit_u64(u64) Got::Unsigned,
        visit_f64(f64) Got::Double, visit_str(&str) Got::Text);
}

impl MessageSeed<'_> {
    fn unit<E: serde::de::Error>(self, want: &str) -> Result<(), E> {
        Err(self.writer.mismatch(want, &Got::Null))
    }
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let ListSeed { writer, field } = self;
        let mut index = 0;
        loop {
            writer.place.push(Step::Index(index));
            let value = ValueSeed {
                writer,
                field,
                optional: false,
            };
            let read = array.next_element_seed(value)?;
            writer.place.pop();
            if read.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, _object: A) -> Result<(), A::Error> {
        Err(self.writer.mismatch("an array", &Got::Object))
    }

    refuse!("an array"; visit_bool(bool) Got::Bool, visit_i64(i64) Got::Int, visit_u64(u64) Got::Unsigned,
        visit_f64(f64) Got::Double, visit_str(&str) Got::Text);
}

impl ListSeed<'_> {
    fn unit<E>(self, _want: &str) -> Result<(), E> {
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<(), A::Error> {
        let ValueSeed { writer, field, .. } = self;
        let Holds::Message(message) = field.holds else {
            return Err(writer.mismatch(field.holds.in_words().as_ref(), &Got::Object));
        };
        let is_value = std::ptr::eq(message, &ANY_VALUE);
        if is_value && writer.levels > MOST_LEVELS {
            writer.wrong = Some(DecodeError::TooDeep);
            return Err(A::Error::custom("no OTLP"));
        }
        writer.levels += usize::from(is_value);
        let start = writer.open(field.number);
        MessageSeed { writer, message }.visit_map(object)?;
        writer.close(start);
        writer.levels -= usize::from(is_value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _array: A) -> Result<(), A::Error> {
        self.refuse(&Got::Array)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(&Got::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(&Got::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(&Got::Unsigned(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(&Got::Double(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(&Got::Text(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        if self.optional {
            Ok(())
        } else {
            self.refuse(&Got::Null)
        }
    }
}

impl ValueSeed<'_> {
    fn scalar<E: serde::de::Error>(self, got: &Got<'_>) -> Result<(), E> {
        match scalar::write(self.field, got, &mut self.writer.out) {
            Some(()) => Ok(()),
            None => self.refuse(got),
        }
    }

    fn refuse<E: serde::de::Error>(self, got: &Got<'_>) -> Result<(), E> {
        let want = self.field.holds.in_words();
        Err(self.writer.mismatch(want.as_ref(), got))
    }
}

/// Counts the spans below a field that OTLP no longer has.
pub(crate) struct Libraries;

impl<'de> DeserializeSeed<'de> for Libraries {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        let libraries: Option<Vec<Library>> = serde::Deserialize::deserialize(json)?;
        let spans = libraries.into_iter().flatten().map(|library| library.0);
        Ok(spans.sum())
    }
}

/// The number of spans of one object there.
struct Library(usize);

impl<'de> serde::Deserialize<'de> for Library {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Library, D::Error> {
        #[derive(serde::Deserialize)]
        struct Spans {
            #[serde(default)]
            spans: Vec<IgnoredAny>,
        }
        Ok(Library(Spans::deserialize(json)?.spans.len()))
    }
}
