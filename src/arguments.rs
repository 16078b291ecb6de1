//! Values of arguments that several commands take, and what is said of one that cannot be used.

use std::num::NonZeroUsize;

use reqwest::Url;

use crate::exit::WrongInput;

/// A number of things of which there must be one.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, WrongInput> {
    text.parse()
        .map_err(|_| WrongInput("it must be a whole number from 1".to_owned()))
}

/// The address of a lab's page.
pub(crate) fn lab_url(text: &str) -> Result<Url, WrongInput> {
    let url: Option<Url> = text.parse().ok();
    url.filter(|url| url.scheme() == "http" && url.has_host())
        .ok_or_else(|| {
            WrongInput(
                "a lab's address is http://HOST:PORT, such as http://127.0.0.1:8080".to_owned(),
            )
        })
}
