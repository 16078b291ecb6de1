//! [`SetParameter`]: what `--set` changes in the scenarios that are to be run.

use std::str::FromStr;

use faults::Setting;
use scenario::Scenario;
use thiserror::Error;

/// A parameter of a fault that is set: `slow-provider.latency_ms=1600`.
#[derive(Clone, Debug)]
pub struct SetParameter {
    fault: &'static faults::Fault,
    parameter: String,
    value: String,
}

/// Why a parameter cannot be set.
#[derive(Debug, Error)]
pub enum SetError {
    /// It is not written as it should be.
    #[error("{0:?} is not FAULT.PARAMETER=VALUE, such as slow-provider.latency_ms=1600")]
    Syntax(String),
    /// There is no such fault or parameter, or it may not be this.
    #[error(transparent)]
    Fault(#[from] faults::Error),
    /// The scenarios do not have the fault.
    #[error("no scenario that is to be run has the fault {fault}; they have: {known}")]
    NoSuchFault {
        /// The fault.
        fault: &'static str,
        /// The faults that they have.
        known: String,
    },
}

// === impl SetParameter ===

impl SetParameter {
    /// Sets the parameter in each of the scenarios that has the fault, near misses and twins aside.
    pub fn apply(&self, scenarios: &mut [Scenario]) -> Result<(), SetError> {
        let mut found = false;
        for scenario in &mut *scenarios {
            if let Some(setting) = scenario.faults.get_mut(self.fault) {
                setting.set(&self.parameter, &self.value)?;
                found = true;
            }
        }
        if found {
            return Ok(());
        }
        let mut known: Vec<&str> = scenarios
            .iter()
            .flat_map(|scenario| scenario.faults.iter().map(|setting| setting.fault().name))
            .collect();
        known.sort_unstable();
        known.dedup();
        Err(SetError::NoSuchFault {
            fault: self.fault.name,
            known: match known.is_empty() {
                true => "no fault at all".to_owned(),
                false => known.join(", "),
            },
        })
    }
}

impl FromStr for SetParameter {
    type Err = SetError;

    fn from_str(text: &str) -> Result<Self, SetError> {
        let syntax = || SetError::Syntax(text.to_owned());
        let (name, value) = text.split_once('=').ok_or_else(syntax)?;
        let (fault, parameter) = name.split_once('.').ok_or_else(syntax)?;
        let fault = faults::find(fault.trim())?;
        // Whether it has the parameter, and may be this, is known at once.
        Setting::new(fault).set(parameter.trim(), value.trim())?;
        Ok(SetParameter {
            fault,
            parameter: parameter.trim().to_owned(),
            value: value.trim().to_owned(),
        })
    }
}
