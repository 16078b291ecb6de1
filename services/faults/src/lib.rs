//! The catalogue of faults: their names, their parameters with ranges and units, and their encoding in W3C
//! baggage.
//!
//! A fault that is switched on is a [`Setting`]; the faults of one request are [`Faults`]. Each has three
//! text forms: baggage (`lab.fault.slow-provider=on;latency_ms=800`), the command line
//! (`slow-provider;latency_ms=800`) and JSON (`{"slow-provider": {"latency_ms": 800}}`). All three are read
//! strictly: an unknown word is an error that names the nearest known one, and a fault or a parameter that
//! is given twice is an error.
//!
//! ```
//! use faults::{Faults, SLOW_PROVIDER};
//!
//! let faults = Faults::from_header("lab.fault.slow-provider=on;latency_ms=800")?;
//! let setting = faults.get(&SLOW_PROVIDER).expect("it is on");
//! assert_eq!(setting.milliseconds("latency_ms").as_millis(), 800);
//! assert_eq!(setting.to_string(), "slow-provider;latency_ms=800");
//! # Ok::<(), faults::Error>(())
//! ```
//!
//! This crate imports no other crate of the workspace, and does not know how a fault is carried out.

#![warn(clippy::missing_errors_doc)]

mod catalogue;
mod company;
mod error;
mod fault;
mod faults;
mod hiding;
mod setting;

pub use catalogue::*;
pub use company::Company;
pub use error::Error;
pub use fault::{Fault, Need, Parameter, Range, Reach};
pub use faults::{Faults, KEY_PREFIX, is_of_a_fault};
pub use hiding::{HIDINGS, Hiding};
pub use setting::{Setting, Value};
