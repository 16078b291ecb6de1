//! Facts about one trace or a whole run, which the rules read.
//!
//! Nothing here knows a rule or a finding.

pub(crate) mod attempts;
pub(crate) mod call;
pub(crate) mod failures;
pub(crate) mod ids;
pub(crate) mod known;
mod lost;
pub(crate) mod peers;
pub(crate) mod run;
pub(crate) mod search;
pub(crate) mod shape;
pub(crate) mod siblings;
pub(crate) mod story;
pub(crate) mod view;
pub(crate) mod wait;
pub(crate) mod walk;
