//! The faults of one request, as baggage and as JSON.

use serde_json::{Map, Value as Json};

use crate::{Error, Fault, Setting, Value, catalogue::find, setting::ON};

/// What the key of a fault begins with, in baggage.
pub const KEY_PREFIX: &str = "lab.fault.";

const JSON_EXAMPLE: &str = r#"{"slow-provider": {"latency_ms": 800}}"#;

/// Faults that are switched on: each at most once, in the order in which they were.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults(Vec<Setting>);

// === impl Faults ===

impl Faults {
    /// No fault at all.
    pub const NONE: Faults = Faults(Vec::new());

    /// Switches a fault on. One that is on already gets these parameters.
    pub fn insert(&mut self, setting: Setting) {
        match self
            .0
            .iter_mut()
            .find(|known| known.fault() == setting.fault())
        {
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
    /// # Errors
    ///
    /// When a member says it is a fault and is none.
    pub fn from_members<'a>(
        members: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
    ) -> Result<Self, Error> {
        let mut faults = Faults::NONE;
        for (key, value, properties) in members {
            let Some(name) = key.strip_prefix(KEY_PREFIX) else {
                continue;
            };
            let mut setting = Setting::new(find(name)?);
            if value != ON {
                return Err(Error::Syntax {
                    text: format!("{key}={value}"),
                    example: "lab.fault.NAME=on;PARAMETER=VALUE",
                });
            }
            setting.read_properties(properties)?;
            faults.insert(setting);
        }
        Ok(faults)
    }

    /// Reads the faults of a `baggage` header by hand, as somebody does who has no propagator.
    ///
    /// # Errors
    ///
    /// When a member says it is a fault and is none.
    pub fn from_header(header: &str) -> Result<Self, Error> {
        Faults::from_members(header.split(',').filter_map(|member| {
            let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
            let (key, value) = pair.split_once('=')?;
            Some((key.trim(), value.trim(), properties))
        }))
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

    /// Reads an object: a key a fault, whose value is an object of parameters.
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
            let mut setting = Setting::new(find(name)?);
            for (name, value) in parameters.as_object().ok_or_else(|| syntax(json))? {
                let text = match value {
                    Json::String(text) => text.clone(),
                    other => other.to_string(),
                };
                setting.set(name, &text)?;
            }
            faults.insert(setting);
        }
        Ok(faults)
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

impl FromIterator<Setting> for Faults {
    fn from_iter<I: IntoIterator<Item = Setting>>(settings: I) -> Self {
        let mut faults = Faults::NONE;
        settings
            .into_iter()
            .for_each(|setting| faults.insert(setting));
        faults
    }
}
