//! Typed values of attributes.

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use trace::Value;

use super::{
    condition,
    fields::{Fields, Words},
    scalars::Doc,
};
use crate::{
    Check, DoubleRange, Error, IntRange, Want, range,
    yaml::{Bare, Data, Key, Node},
};

pub(super) const TYPED: Words = Words {
    known: &[
        "int", "double", "string", "bool", "matches", "bytes", "array",
    ],
    later: &[],
};

/// `attributes:` and its like: keys and what is asked of each.
pub(super) fn attributes(doc: &Doc<'_>, node: &Node) -> Result<Vec<(String, Check)>, Error> {
    let Data::Map(pairs) = &node.data else {
        return Err(doc.wanted(node, "a map of attributes"));
    };
    let read = |(key, value): &(Key, Node)| {
        doc.not_of_the_lab(key.at, &key.text);
        Ok((key.text.clone(), check(doc, value)?))
    };
    pairs.iter().map(read).collect()
}

fn check(doc: &Doc<'_>, node: &Node) -> Result<Check, Error> {
    match &node.data {
        Data::Text(word, Bare::Yes) if word == "present" => Ok(Check::Present),
        Data::Text(word, Bare::Yes) if word == "absent" => Ok(Check::Absent),
        Data::Text(word, Bare::Yes) if word == "empty" => {
            Ok(Check::AnyOf(vec![Want::Exactly(Value::Empty)]))
        }
        Data::Map(_) => typed(doc, node),
        Data::List(_) => any_of(doc, node, |item| bare(doc, item)),
        _ => Ok(Check::AnyOf(vec![bare(doc, node)?])),
    }
}

/// A scalar without a type beside it: it has the type that YAML gives it.
fn bare(doc: &Doc<'_>, node: &Node) -> Result<Want, Error> {
    let value = match &node.data {
        Data::Bool(truth) => Value::Bool(*truth),
        Data::Int(number) => Value::Int(*number),
        Data::Double(number) => Value::Double(*number),
        Data::Text(text, _) if text.starts_with('~') => {
            return Err(doc
                .error(node.at, "it is not clear whether this is a pattern")
                .with_hint(format!(
                    "write {{ matches: {:?} }} or {{ string: {text:?} }}",
                    &text[1..]
                )));
        }
        Data::Text(text, _) if text.starts_with('$') => {
            let hint = format!("write {{ string: {text:?} }} if the text itself is meant");
            return condition::reference(doc, node, text)
                .map(Want::Same)
                .map_err(|error| error.with_hint(hint));
        }
        Data::Text(text, Bare::Yes) if range::split(text).is_some() => {
            let message = "it is not clear of which type this range is";
            let hint = format!("write {{ int: {text} }} or {{ double: {text} }} or quote it");
            return Err(doc.error(node.at, message).with_hint(hint));
        }
        Data::Text(text, _) => Value::from(text.as_str()),
        Data::Null => {
            return Err(doc
                .error(node.at, "no value is here")
                .with_hint("write present, absent, empty or \"\""));
        }
        _ => return Err(doc.wanted(node, "a single value")),
    };
    Ok(Want::Exactly(value))
}

/// `{ int: 3 }` and its like; the value may be a list, any of which will do.
fn typed(doc: &Doc<'_>, node: &Node) -> Result<Check, Error> {
    let fields = Fields::of(doc, node, "a typed value", &TYPED)?;
    let mut given = TYPED
        .known
        .iter()
        .filter_map(|name| Some((*name, fields.get(name)?)));
    let (Some((name, value)), None) = (given.next(), given.next()) else {
        let hint = "write one of int, double, string, bool, matches, bytes, array";
        return Err(doc
            .error(fields.at(), "a typed value has one type")
            .with_hint(hint));
    };
    match &value.data {
        Data::List(items) if name == "array" => {
            let items = items.iter().map(|item| element(doc, item));
            let array = Value::Array(items.collect::<Result<_, _>>()?);
            Ok(Check::AnyOf(vec![Want::Exactly(array)]))
        }
        Data::List(_) => any_of(doc, value, |item| of_type(doc, name, item)),
        _ => Ok(Check::AnyOf(vec![of_type(doc, name, value)?])),
    }
}

/// An element of an array, which is a value and no question.
fn element(doc: &Doc<'_>, node: &Node) -> Result<Value, Error> {
    if let Data::List(items) = &node.data {
        let items = items.iter().map(|item| element(doc, item));
        return Ok(Value::Array(items.collect::<Result<_, _>>()?));
    }
    let wanted = || doc.wanted(node, "a value");
    let want = match &node.data {
        Data::Map(_) => match typed(doc, node)? {
            Check::AnyOf(mut wants) if wants.len() == 1 => wants.remove(0),
            _ => return Err(wanted()),
        },
        _ => bare(doc, node)?,
    };
    match want {
        Want::Exactly(value) => Ok(value),
        _ => Err(wanted()),
    }
}

fn any_of(
    doc: &Doc<'_>,
    node: &Node,
    read: impl Fn(&Node) -> Result<Want, Error>,
) -> Result<Check, Error> {
    let items = doc.list(node)?;
    if items.is_empty() {
        return Err(doc.error(node.at, "any of an empty list is nothing"));
    }
    Ok(Check::AnyOf(
        items.iter().map(read).collect::<Result<_, _>>()?,
    ))
}

fn of_type(doc: &Doc<'_>, name: &str, node: &Node) -> Result<Want, Error> {
    let value = match (name, &node.data) {
        ("int", Data::Int(number)) => Value::Int(*number),
        ("int", Data::Text(text, Bare::Yes)) => return int_range(doc, node, text),
        ("double", Data::Double(number)) => Value::Double(*number),
        // An integer beside `double` is a double that is whole, if a double can hold it.
        ("double", Data::Int(number)) if *number as f64 as i64 == *number => {
            Value::Double(*number as f64)
        }
        ("double", Data::Text(text, Bare::Yes)) => return double_range(doc, node, text),
        ("string", Data::Text(text, _)) => Value::from(text.as_str()),
        ("bool", Data::Bool(truth)) => Value::Bool(*truth),
        ("matches", Data::Text(text, _)) => {
            return Ok(Want::Matches(doc.pattern(node.at, text)?));
        }
        ("bytes", Data::Text(text, _)) => match BASE64.decode(text) {
            Ok(bytes) => Value::Bytes(bytes),
            Err(_) => return Err(doc.wanted(node, "bytes in base64")),
        },
        ("bytes", _) => return Err(doc.wanted(node, "bytes in base64")),
        ("array", _) => return Err(doc.wanted(node, "a list of values")),
        ("matches", _) => return Err(doc.wanted(node, "a pattern in quotes")),
        ("string", _) => return Err(doc.wanted(node, "a string, in quotes if need be,")),
        _ => return Err(doc.wanted(node, &format!("a value of type {name}"))),
    };
    Ok(Want::Exactly(value))
}

fn int_range(doc: &Doc<'_>, node: &Node, text: &str) -> Result<Want, Error> {
    let wanted = || doc.wanted(node, "an integer or a range such as 1..3, 1.. or ..3");
    let end = |text: &str| text.parse::<i64>().map_err(|_| wanted());
    let (min, max) = range::split(text).ok_or_else(wanted)?;
    let min = min.map(end).transpose()?.unwrap_or(i64::MIN);
    let max = max.map(end).transpose()?.unwrap_or(i64::MAX);
    doc.ordered(node, &min, &max)?;
    Ok(Want::Int(IntRange { min, max }))
}

fn double_range(doc: &Doc<'_>, node: &Node, text: &str) -> Result<Want, Error> {
    let wanted = || doc.wanted(node, "a double or a range such as 0.5..1.5, 0.5.. or ..1.5");
    let end = |text: &str| text.parse::<f64>().map_err(|_| wanted());
    let (min, max) = range::split(text).ok_or_else(wanted)?;
    let min = min.map(end).transpose()?.unwrap_or(f64::NEG_INFINITY);
    let max = max.map(end).transpose()?.unwrap_or(f64::INFINITY);
    doc.ordered(node, &min, &max)?;
    Ok(Want::Double(DoubleRange { min, max }))
}
