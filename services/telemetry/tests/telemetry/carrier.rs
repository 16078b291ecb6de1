//! Headers as HTTP has them: names in any case, and the same name several times.

use opentelemetry::propagation::{Extractor, Injector};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, String)>);

// === impl Headers ===

impl Headers {
    pub(crate) fn of(headers: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| (name.to_lowercase(), (*value).to_owned());
        Headers(headers.iter().map(owned).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        Extractor::get(self, name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Extractor for Headers {
    fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    fn keys(&self) -> Vec<&str> {
        self.iter().map(|(name, _)| name).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<_> = self
            .iter()
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| value)
            .collect();
        (!values.is_empty()).then_some(values)
    }
}

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        self.0.retain(|(name, _)| name != key);
        self.0.push((key.to_owned(), value));
    }
}
