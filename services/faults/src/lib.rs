//! The catalogue of faults: names, parameters with ranges and units, and how they ride in W3C
//! baggage.
//!
//! A fault that is switched on is a [`Setting`]; those of one request are [`Faults`]. Three texts
//! stand for them: baggage (`lab.fault.slow-provider=on;latency_ms=800`), the command line
//! (`slow-provider;latency_ms=800`) and JSON (`{"slow-provider": {"latency_ms": 800}}`). All three
//! are read strictly: an unknown word is an error that names the nearest known one, and what is given twice is an
//! error too.
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
//! This crate imports nothing of ours, and does not know how a fault does what it does.

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
