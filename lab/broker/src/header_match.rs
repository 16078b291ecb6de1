//! Matches the headers of a message against the arguments of a binding to a headers exchange (AMQP 0-9-1,
//! 3.1.3.4, as RabbitMQ reads it).

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::field_value::{as_integer, shown, type_name};
use crate::reply_code::{Refusal, ReplyCode};

/// How many arguments must match: the value of `x-match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// `all`, and none: all arguments whose names do not begin with `x-`.
    All,
    /// `any`: one of these.
    Any,
    /// `all-with-x`: all arguments but `x-match` itself.
    AllWithX,
    /// `any-with-x`: one of these.
    AnyWithX,
}

impl Rule {
    /// The rule of a binding that was checked before.
    pub(crate) fn of(arguments: &FieldTable) -> Self {
        Self::parse(arguments).unwrap_or(Self::All)
    }

    /// Reads the rule from the arguments of a binding.
    pub(crate) fn parse(arguments: &FieldTable) -> Result<Self, Refusal> {
        let value = match arguments.inner().get("x-match") {
            None => return Ok(Self::All),
            Some(value @ AMQPValue::LongString(_)) => shown(value),
            Some(other) => {
                let value = match other {
                    AMQPValue::Void => "undefined".to_owned(),
                    other => shown(other),
                };
                let text = format!(
                    "Invalid x-match field type {} (value {value}); expected longstr",
                    type_name(other)
                );
                return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
            }
        };
        match value.as_str() {
            "all" => Ok(Self::All),
            "any" => Ok(Self::Any),
            "all-with-x" => Ok(Self::AllWithX),
            "any-with-x" => Ok(Self::AnyWithX),
            _ => {
                let text = format!(
                    "Invalid x-match field value <<\"{value}\">>; \
                     expected all, any, all-with-x, or any-with-x"
                );
                Err(Refusal::new(ReplyCode::PreconditionFailed, text))
            }
        }
    }

    fn reads(self, name: &str) -> bool {
        match self {
            Self::All | Self::Any => !name.starts_with("x-"),
            Self::AllWithX | Self::AnyWithX => name != "x-match",
        }
    }
}

/// Whether the headers match. A rule of "any" without arguments matches nothing; one of "all" everything.
pub(crate) fn matches(rule: Rule, arguments: &FieldTable, headers: &FieldTable) -> bool {
    let mut wanted = arguments
        .inner()
        .iter()
        .filter(|(name, _)| rule.reads(name.as_str()));
    let is_there = |(name, wanted): (&_, &AMQPValue)| {
        let found = headers.inner().get(name);
        found.is_some_and(|found| is_match(wanted, found))
    };
    match rule {
        Rule::All | Rule::AllWithX => wanted.all(is_there),
        Rule::Any | Rule::AnyWithX => wanted.any(is_there),
    }
}

/// An argument without a value asks only for the header's presence. Numbers of different sizes are compared
/// by value.
fn is_match(wanted: &AMQPValue, found: &AMQPValue) -> bool {
    if *wanted == AMQPValue::Void {
        return true;
    }
    if let (Some(wanted), Some(found)) = (as_integer(wanted), as_integer(found)) {
        return wanted == found;
    }
    match (as_float(wanted), as_float(found)) {
        (Some(wanted), Some(found)) => wanted == found,
        _ => wanted == found,
    }
}

fn as_float(value: &AMQPValue) -> Option<f64> {
    match *value {
        AMQPValue::Float(n) => Some(n.into()),
        AMQPValue::Double(n) => Some(n),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    #[test]
    fn numbers_are_compared_by_value_and_not_with_other_types() {
        let one = table(&[("a", AMQPValue::LongInt(1))]);
        for (found, expected) in [
            (AMQPValue::ShortShortUInt(1), true),
            (AMQPValue::LongLongInt(1), true),
            (AMQPValue::Double(1.0), false),
            (AMQPValue::LongString("1".into()), false),
            (AMQPValue::Void, false),
        ] {
            let headers = table(&[("a", found)]);
            assert_eq!(matches(Rule::All, &one, &headers), expected, "{headers:?}");
        }
        let half = table(&[("a", AMQPValue::Double(0.5))]);
        assert!(matches(
            Rule::All,
            &half,
            &table(&[("a", AMQPValue::Float(0.5))])
        ));
    }
}
