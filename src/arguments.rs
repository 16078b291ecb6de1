//! Parsers of arguments that several commands take, with the messages for wrong values.

use std::num::NonZeroUsize;

use reqwest::Url;

use crate::exit::WrongInput;

/// Parses a number that must be 1 or more.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, WrongInput> {
    text.parse()
        .map_err(|_| WrongInput("it must be a whole number from 1".to_owned()))
}

/// Parses the address of a lab's page.
pub(crate) fn lab_url(text: &str) -> Result<Url, WrongInput> {
    let url: Option<Url> = text.parse().ok();
    url.filter(|url| url.scheme() == "http" && url.has_host())
        .ok_or_else(|| {
            WrongInput(
                "a lab's address is http://HOST:PORT, such as http://127.0.0.1:8080".to_owned(),
            )
        })
}
