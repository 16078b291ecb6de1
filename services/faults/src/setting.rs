//! A fault that is switched on, with its parameters.

use std::{fmt, str::FromStr, time::Duration};

use crate::{Error, Fault, Parameter, Range, catalogue::find, error::nearest};

/// The value of a baggage member whose fault is on.
pub(crate) const ON: &str = "on";

const EXAMPLE: &str = "NAME or NAME;PARAMETER=VALUE, such as slow-provider;latency_ms=800";

/// A fault that is switched on. It has a value for each parameter that has a default, and for each that was
/// given.
///
/// Its text form is that of the command line: `slow-provider;latency_ms=800`.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    fault: &'static Fault,
    /// The values, in the order of the fault's parameters.
    values: Vec<Option<Value>>,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A word.
    Word(&'static str),
}

// === impl Setting ===

impl Setting {
    /// A fault with its default parameters.
    pub fn new(fault: &'static Fault) -> Self {
        Setting {
            fault,
            values: fault
                .parameters
                .iter()
                .map(|parameter| parameter.default)
                .collect(),
        }
    }

    /// Sets a parameter by its name and its value as text.
    ///
    /// # Errors
    ///
    /// When the fault has no such parameter, or the value is not allowed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let fault = self.fault;
        let names = || fault.parameters.iter().map(|parameter| parameter.name);
        let index =
            names()
                .position(|known| known == name)
                .ok_or_else(|| Error::UnknownParameter {
                    fault: fault.name,
                    name: name.to_owned(),
                    nearest: nearest(name, names()),
                    parameters: names().collect(),
                })?;
        let parameter = &fault.parameters[index];
        let read = parameter.read(value).ok_or_else(|| Error::OutOfRange {
            fault: fault.name,
            parameter: parameter.name,
            value: value.to_owned(),
            range: parameter.range.to_string(),
        })?;
        self.values[index] = Some(read);
        Ok(())
    }

    /// The fault that is switched on.
    pub fn fault(&self) -> &'static Fault {
        self.fault
    }

    /// The parameters that have a value, with their values.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static Parameter, Value)> + '_ {
        let parameters = self.fault.parameters.iter().zip(&self.values);
        parameters.filter_map(|(parameter, value)| Some((parameter, (*value)?)))
    }

    /// Removes the value of a parameter, for example because another parameter replaces it.
    pub fn unset(&mut self, name: &str) {
        let mut parameters = self.fault.parameters.iter();
        if let Some(index) = parameters.position(|parameter| parameter.name == name) {
            self.values[index] = None;
        }
    }

    /// The value of a parameter that is a whole number. Zero where the fault has no such parameter; tests of
    /// the catalogue ensure that a fault's code asks only for parameters that exist.
    pub fn integer(&self, name: &str) -> i64 {
        self.given_integer(name).unwrap_or_default()
    }

    /// The value of a parameter that is a whole number; `None` if it has no value.
    pub fn given_integer(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Some(Value::Integer(value)) => Some(value),
            _ => None,
        }
    }

    /// The value of a parameter that is a number.
    pub fn number(&self, name: &str) -> f64 {
        match self.value(name) {
            Some(Value::Number(value)) => value,
            _ => 0.0,
        }
    }

    /// The value of a parameter that is a word.
    pub fn word(&self, name: &str) -> &'static str {
        match self.value(name) {
            Some(Value::Word(value)) => value,
            _ => "",
        }
    }

    /// The value of a parameter in milliseconds, as a duration.
    pub fn milliseconds(&self, name: &str) -> Duration {
        Duration::from_millis(self.integer(name).unsigned_abs())
    }

    /// Sets parameters by their names and their values as text. Each may be given once.
    pub(crate) fn set_all<N, V>(
        &mut self,
        parameters: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), Error>
    where
        N: AsRef<str>,
        V: Into<String>,
    {
        let mut given: Vec<(N, String)> = Vec::new();
        for (name, value) in parameters {
            let value = value.into();
            self.set(name.as_ref(), &value)?;
            let before = given
                .iter()
                .find(|(known, _)| known.as_ref() == name.as_ref());
            if let Some((_, first)) = before {
                return Err(Error::ParameterTwice {
                    fault: self.fault.name,
                    parameter: name.as_ref().to_owned(),
                    first: first.clone(),
                    second: value,
                });
            }
            given.push((name, value));
        }
        Ok(())
    }

    /// Reads the parameters from the properties of a baggage member: `latency_ms=800`.
    pub(crate) fn read_properties(&mut self, properties: &str) -> Result<(), Error> {
        let parameters: Vec<(&str, &str)> = properties
            .split(';')
            .map(str::trim)
            .filter(|property| !property.is_empty())
            .map(|property| {
                let (name, value) = property.split_once('=').ok_or_else(|| Error::Syntax {
                    text: property.to_owned(),
                    example: EXAMPLE,
                })?;
                Ok((name.trim(), value.trim()))
            })
            .collect::<Result<_, Error>>()?;
        self.set_all(parameters)
    }

    /// Writes the parameters as properties of a baggage member; empty if the fault has none.
    pub(crate) fn properties(&self) -> String {
        let properties: Vec<String> = self
            .parameters()
            .map(|(parameter, value)| format!("{}={value}", parameter.name))
            .collect();
        properties.join(";")
    }

    fn value(&self, name: &str) -> Option<Value> {
        let index = self
            .fault
            .parameters
            .iter()
            .position(|parameter| parameter.name == name)?;
        self.values.get(index).copied().flatten()
    }
}

impl FromStr for Setting {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, properties) = text.split_once(';').unwrap_or((text, ""));
        if name.trim().is_empty() {
            return Err(Error::Syntax {
                text: text.to_owned(),
                example: EXAMPLE,
            });
        }
        let mut setting = Setting::new(find(name.trim())?);
        setting.read_properties(properties)?;
        Ok(setting)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.name)?;
        match self.properties() {
            properties if properties.is_empty() => Ok(()),
            properties => write!(f, ";{properties}"),
        }
    }
}

// === impl Parameter ===

impl Parameter {
    fn read(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self.range {
            Range::Integer(least, most) => text
                .parse()
                .ok()
                .filter(|value| (least..=most).contains(value))
                .map(Value::Integer),
            Range::Number(least, most) => text
                .parse()
                .ok()
                .filter(|value| (least..=most).contains(value))
                // A zero has no sign: -0 becomes 0.
                .map(|value: f64| Value::Number(value + 0.0)),
            Range::Words(words) => words
                .iter()
                .find(|word| **word == text)
                .map(|word| Value::Word(word)),
        }
    }
}

// === impl Value ===

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::Word(value) => f.write_str(value),
        }
    }
}
