//! How the services of the shop read a request and refuse one.
//!
//! [`Json`], [`Query`] and [`Path`] read as axum's own do; what they cannot use they refuse with a
//! [`Refusal`], which is an [`api::Problem`] as a reply.

mod body;
mod extract;
mod fallback;
mod refusal;

pub use self::{
    body::BODY_LIMIT,
    extract::{Json, Path, Query},
    fallback::{method_not_allowed, not_found},
    refusal::Refusal,
};
