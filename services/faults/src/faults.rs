//! The faults of one request, as baggage and as JSON.

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

/// What the key of a fault begins with, in baggage.
pub const KEY_PREFIX: &str = "lab.fault.";

const MEMBER_EXAMPLE: &str = "lab.fault.NAME=on;PARAMETER=VALUE";

const JSON_EXAMPLE: &str = r#"{"slow-provider": {"latency_ms": 800}}"#;

/// Whether a member of a `baggage` header says that it is a fault, well-formed or not.
pub fn is_of_a_fault(member: &str) -> bool {
    member.trim_start().starts_with(KEY_PREFIX)
}

/// Faults that are switched on: each at most once, in the order in which they were.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(Vec<Setting>);

// === impl Faults ===

impl Faults {
    /// No fault at all.
    pub const NONE: Faults = Faults(Vec::new());

    /// These faults.
    ///
    /// # Errors
    ///
    /// When one of them is there twice.
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

    /// Switches a fault on. One that is on already gets these parameters.
    pub fn replace(&mut self, setting: Setting) {
        match self.get_mut(setting.fault()) {
            Some(known) => *known = setting,
            None => self.0.push(setting),
        }
    }

    /// A fault that is on.
    pub fn get(&self, fault: &Fault) -> Option<&Setting> {
        self.0.iter().find(|setting| setting.fault() == fault)
    }

    /// A fault that is on, to set its parameters.
    pub fn get_mut(&mut self, fault: &Fault) -> Option<&mut Setting> {
        self.0.iter_mut().find(|setting| setting.fault() == fault)
    }

    /// Switches a fault off; whether it was on.
    pub fn remove(&mut self, fault: &Fault) -> bool {
        let before = self.0.len();
        self.0.retain(|setting| setting.fault() != fault);
        self.0.len() < before
    }

    /// Those that are on.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }

    /// Whether none is on.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the members of a baggage: key, value and properties of each. Members that are no fault
    /// are left alone.
    ///
    /// Values may be percent-encoded, and the value of a member may hold its properties: an SDK that
    /// knows of none writes `on;latency_ms=800` as a value, `on%3Blatency_ms%3D800`.
    ///
    /// # Errors
    ///
    /// When a member says it is a fault and is none, or is there twice.
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

    /// Reads the faults of a `baggage` header by hand, as somebody does who has no propagator. Several
    /// headers are joined by commas.
    ///
    /// # Errors
    ///
    /// When a member says it is a fault and is none, or is there twice.
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

    /// The members of a `baggage` header, without those of anybody else. Empty without faults.
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

    /// Reads an object: a key a fault, whose value is an object of parameters. Of a text, which may name
    /// something twice, read [`Faults`] itself.
    ///
    /// # Errors
    ///
    /// When it is not such an object, or names what does not exist.
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

    /// Reads a text of such an object. What it names twice is refused.
    ///
    /// # Errors
    ///
    /// When it is not such an object, names what does not exist, or names something twice.
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

    /// The object that [`from_json`](Self::from_json) reads.
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

/// From a text that may name something twice, which is refused as all else that is wrong.
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

/// The pairs of an object, those with equal keys too.
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

/// What a percent-encoded text stands for; bytes that are not UTF-8 become U+FFFD.
fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
