//! How the services of the shop read requests and refuse them.
//!
//! [`Json`], [`Query`] and [`Path`] read as axum's own extractors do; they refuse a request that they cannot
//! use with a [`Refusal`], which is an [`api::Problem`] as a reply.

mod body;
mod extract;
mod fallback;
mod refusal;

pub use self::{
    body::BODY_LIMIT,
    extract::{Json, JsonText, Path, Query},
    fallback::{method_not_allowed, not_found},
    refusal::Refusal,
};
