//! Parses the parameters of a search from the text of a URL.

use std::time::Duration;

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
                query.min_duration = Some(duration(&value).ok_or_else(|| {
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

/// Parses a decimal number and its unit, with nothing between them.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_its_unit() {
        let cases = [
            ("100ms", 100_000_000),
            ("1.5s", 1_500_000_000),
            ("250us", 250_000),
            ("250µs", 250_000),
            ("7ns", 7),
            ("2m", 120_000_000_000),
        ];
        for (text, ns) in cases {
            assert_eq!(duration(text), Some(Duration::from_nanos(ns)), "{text}");
        }
        for text in [
            "",
            "100",
            "ms",
            "1.2.3s",
            "-1s",
            "1 s",
            "1h",
            "NaNs",
            "99999999999999999999999s",
        ] {
            assert_eq!(duration(text), None, "{text:?} is no duration");
        }
    }

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
