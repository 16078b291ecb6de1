//! Parses the parameters of a search from the text of a URL.

use schedule::parse_duration;
use sink::Query;

use crate::problem::Problem;

/// The highest number of traces in an answer if the request gives no limit.
const LIMIT: usize = 100;

const KNOWN: &str = "service, name, min_duration, error, attribute and limit";

/// Parses the parameters into a query. Each parameter may occur once, and not with an empty value.
pub(crate) fn parse(parameters: Vec<(String, String)>) -> Result<Query, Problem> {
    let mut query = Query {
        limit: Some(LIMIT),
        ..Query::default()
    };
    let mut seen = Vec::new();
    for (name, value) in parameters {
        if value.is_empty() {
            return Err(Problem::bad_request(format!(
                "parameter {name:?} has no value"
            )));
        }
        match name.as_str() {
            "service" => query.service = Some(value),
            "name" => query.name = Some(value),
            "min_duration" => {
                query.min_duration =
                    Some(parse_duration(&value).map_err(|_| {
                        wrong(&name, &value, "a duration such as 100ms, 1.5s or 250us")
                    })?)
            }
            "error" => {
                query.error = Some(
                    value
                        .parse()
                        .map_err(|_| wrong(&name, &value, "true or false"))?,
                )
            }
            "attribute" => {
                query.attribute = Some(attribute(&value).ok_or_else(|| {
                    wrong(&name, &value, "key=value, such as attribute=order.id=42")
                })?)
            }
            "limit" => {
                query.limit = Some(
                    limit(&value).ok_or_else(|| wrong(&name, &value, "a whole number from 1"))?,
                )
            }
            _ => {
                return Err(Problem::bad_request(format!(
                    "parameter {name:?} is unknown; there are {KNOWN}"
                )));
            }
        }
        if seen.contains(&name) {
            return Err(Problem::bad_request(format!(
                "parameter {name:?} is there twice; once would be right"
            )));
        }
        seen.push(name);
    }
    Ok(query)
}

fn wrong(name: &str, value: &str, right: &str) -> Problem {
    Problem::bad_request(format!(
        "parameter {name:?} is {value:?}; {right} would be right"
    ))
}

fn attribute(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
}

fn limit(text: &str) -> Option<usize> {
    text.parse().ok().filter(|&limit| limit > 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_an_attribute_may_hold_the_sign_too() {
        assert_eq!(
            attribute("a.b=c=d"),
            Some(("a.b".to_owned(), "c=d".to_owned()))
        );
        assert_eq!(attribute("a.b"), None);
        assert_eq!(attribute("=c"), None);
    }
}
