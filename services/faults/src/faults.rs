//! The faults of one request, and their forms as baggage and as JSON.

use std::{
    borrow::{Borrow, Cow},
    fmt,
    marker::PhantomData,
};

use percent_encoding::percent_decode_str;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::{Map, Value as Json};

use crate::{Error, Fault, Setting, Value, catalogue::find, setting::ON};

/// The prefix of a fault's key in baggage.
pub const KEY_PREFIX: &str = "lab.fault.";

const MEMBER_EXAMPLE: &str = "lab.fault.NAME=on;PARAMETER=VALUE";

const JSON_EXAMPLE: &str = r#"{"slow-provider": {"latency_ms": 800}}"#;

/// Whether the key of a `baggage` member has the prefix of a fault. The member may still be malformed.
pub fn is_of_a_fault(member: &str) -> bool {
    member.trim_start().starts_with(KEY_PREFIX)
}

/// The faults that are switched on: each at most once, in the order in which they were switched on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(Vec<Setting>);

// === impl Faults ===

impl Faults {
    /// No fault at all.
    pub const NONE: Faults = Faults(Vec::new());

    /// A set of these faults.
    ///
    /// # Errors
    ///
    /// When a fault is given twice.
    pub fn of(settings: impl IntoIterator<Item = Setting>) -> Result<Self, Error> {
        let mut faults = Faults::NONE;
        for setting in settings {
            faults.insert(setting)?;
        }
        Ok(faults)
    }

    /// Switches a fault on.
    ///
    /// # Errors
    ///
    /// When it is on already.
    pub fn insert(&mut self, setting: Setting) -> Result<(), Error> {
        if let Some(known) = self.get(setting.fault()) {
            return Err(Error::FaultTwice {
                fault: setting.fault().name,
                first: known.to_string(),
                second: setting.to_string(),
            });
        }
        self.0.push(setting);
        Ok(())
    }

    /// Switches a fault on. If it is on already, its parameters are replaced by these.
    pub fn replace(&mut self, setting: Setting) {
        match self.get_mut(setting.fault()) {
            Some(known) => *known = setting,
            None => self.0.push(setting),
        }
    }

    /// The setting of a fault; `None` if it is off.
    pub fn get(&self, fault: &Fault) -> Option<&Setting> {
        self.0.iter().find(|setting| setting.fault() == fault)
    }

    /// The setting of a fault, for changes of its parameters; `None` if it is off.
    pub fn get_mut(&mut self, fault: &Fault) -> Option<&mut Setting> {
        self.0.iter_mut().find(|setting| setting.fault() == fault)
    }

    /// Switches a fault off, and returns whether it was on.
    pub fn remove(&mut self, fault: &Fault) -> bool {
        let before = self.0.len();
        self.0.retain(|setting| setting.fault() != fault);
        self.0.len() < before
    }

    /// The settings of all faults that are on.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }

    /// Whether no fault is on.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the faults among the members of a baggage; each member is a key, a value and properties.
    /// Members without the prefix of a fault are ignored.
    ///
    /// Values may be percent-encoded, and the value of a member may contain its properties: an SDK without
    /// support for properties writes `on;latency_ms=800` as a value, `on%3Blatency_ms%3D800`.
    ///
    /// # Errors
    ///
    /// When a member has the prefix of a fault but is not a valid fault, or when a fault is given twice.
    pub fn from_members<'a>(
        members: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
    ) -> Result<Self, Error> {
        let mut faults = Faults::NONE;
        for (key, value, properties) in members {
            let Some(name) = key.strip_prefix(KEY_PREFIX) else {
                continue;
            };
            let mut setting = Setting::new(find(name)?);
            let (value, properties) = (decode(value), decode(properties));
            let (value, within) = value.split_once(';').unwrap_or((&value, ""));
            if value.trim() != ON {
                return Err(Error::Syntax {
                    text: format!("{key}={value}"),
                    example: MEMBER_EXAMPLE,
                });
            }
            setting.read_properties(&format!("{within};{properties}"))?;
            faults.insert(setting)?;
        }
        Ok(faults)
    }

    /// Reads the faults of a `baggage` header, for a service without a propagator. Several headers must be
    /// joined by commas.
    ///
    /// # Errors
    ///
    /// When a member has the prefix of a fault but is not a valid fault, or when a fault is given twice.
    pub fn from_header(header: &str) -> Result<Self, Error> {
        let mut members = Vec::new();
        for member in header.split(',').map(str::trim) {
            let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
            match pair.split_once('=') {
                Some((key, value)) => members.push((key.trim(), value.trim(), properties)),
                None if is_of_a_fault(member) => {
                    return Err(Error::Syntax {
                        text: member.to_owned(),
                        example: MEMBER_EXAMPLE,
                    });
                }
                None => {}
            }
        }
        Faults::from_members(members)
    }

    /// These faults as members of a `baggage` header, without the other members of the request. Empty if no
    /// fault is on.
    pub fn to_header(&self) -> String {
        let members: Vec<String> = self
            .0
            .iter()
            .map(|setting| {
                let key = format!("{KEY_PREFIX}{}={ON}", setting.fault().name);
                match setting.properties() {
                    properties if properties.is_empty() => key,
                    properties => format!("{key};{properties}"),
                }
            })
            .collect();
        members.join(",")
    }

    /// Reads a JSON object: each key is a fault, each value an object of its parameters. A parsed object has
    /// lost duplicate keys; deserialize [`Faults`] itself from a text that may contain them.
    ///
    /// # Errors
    ///
    /// When the value is not such an object, or when it names an unknown fault or parameter.
    pub fn from_json(json: &Json) -> Result<Self, Error> {
        let syntax = |json: &Json| Error::Syntax {
            text: json.to_string(),
            example: JSON_EXAMPLE,
        };
        let mut faults = Faults::NONE;
        for (name, parameters) in json.as_object().ok_or_else(|| syntax(json))? {
            let parameters = parameters.as_object().ok_or_else(|| syntax(json))?;
            faults.insert_json(name, parameters)?;
        }
        Ok(faults)
    }

    /// Reads a JSON text of such an object. Duplicate keys are an error.
    ///
    /// # Errors
    ///
    /// When the text is not such an object, or names an unknown fault or parameter, or names one twice.
    pub fn from_json_text(text: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(text).map_err(|error| Error::Json {
            why: error.to_string(),
            example: JSON_EXAMPLE,
        })
    }

    fn insert_json<N: AsRef<str>>(
        &mut self,
        name: &str,
        parameters: impl IntoIterator<Item = (N, impl Borrow<Json>)>,
    ) -> Result<(), Error> {
        let mut setting = Setting::new(find(name)?);
        let parameters = parameters.into_iter();
        setting.set_all(parameters.map(|(name, value)| match value.borrow() {
            Json::String(text) => (name, text.clone()),
            other => (name, other.to_string()),
        }))?;
        self.insert(setting)
    }

    /// Writes the object that [`from_json`](Self::from_json) reads.
    pub fn to_json(&self) -> Json {
        let value = |value: Value| match value {
            Value::Integer(value) => Json::from(value),
            Value::Number(value) => Json::from(value),
            Value::Word(value) => Json::from(value),
        };
        let object: Map<String, Json> = self
            .0
            .iter()
            .map(|setting| {
                let parameters: Map<String, Json> = setting
                    .parameters()
                    .map(|(parameter, of)| (parameter.name.to_owned(), value(of)))
                    .collect();
                (setting.fault().name.to_owned(), Json::Object(parameters))
            })
            .collect();
        Json::Object(object)
    }
}

/// Deserializes from a text that may contain duplicate keys: they are an error, as every other mistake is.
impl<'de> Deserialize<'de> for Faults {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Pairs(named) = Pairs::<Pairs<Json>>::deserialize(deserializer)?;
        let mut faults = Faults::NONE;
        for (name, Pairs(parameters)) in named {
            faults
                .insert_json(&name, parameters)
                .map_err(de::Error::custom)?;
        }
        Ok(faults)
    }
}

/// The pairs of a JSON object, including those with equal keys.
struct Pairs<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of faults such as {JSON_EXAMPLE}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Reader(PhantomData))
    }
}

/// Decodes a percent-encoded text; bytes that are not UTF-8 become U+FFFD.
fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
