//! [`SetParameter`]: a change that `--set` makes in the scenarios that are run.

use std::str::FromStr;

use faults::Setting;
use scenario::Scenario;
use thiserror::Error;

/// A new value for a parameter of a fault: `slow-provider.latency_ms=1600`.
#[derive(Clone, Debug)]
pub struct SetParameter {
    fault: &'static faults::Fault,
    parameter: String,
    value: String,
}

/// Why a parameter cannot be set.
#[derive(Debug, Error)]
pub enum SetError {
    /// The text does not have the form `FAULT.PARAMETER=VALUE`.
    #[error("{0:?} is not FAULT.PARAMETER=VALUE, such as slow-provider.latency_ms=1600")]
    Syntax(String),
    /// The fault or the parameter does not exist, or the value is not allowed.
    #[error(transparent)]
    Fault(#[from] faults::Error),
    /// A parameter is set more than once.
    #[error("{fault}.{parameter} is set twice, to {first:?} and to {second:?}; set it once")]
    Twice {
        /// The fault.
        fault: &'static str,
        /// The parameter.
        parameter: String,
        /// The first value.
        first: String,
        /// The second value.
        second: String,
    },
    /// No scenario has the fault.
    #[error("no scenario that is to be run has the fault {fault}; they have: {known}")]
    NoSuchFault {
        /// The fault.
        fault: &'static str,
        /// The faults that the scenarios have.
        known: String,
    },
}

// === impl SetParameter ===

impl SetParameter {
    /// Sets parameters in each scenario that has the fault, except in near misses and twins.
    ///
    /// # Errors
    ///
    /// When a parameter is set twice, or none of the scenarios has the fault.
    pub fn apply_all(all: &[SetParameter], scenarios: &mut [Scenario]) -> Result<(), SetError> {
        for (place, set) in all.iter().enumerate() {
            let mut before = all[..place].iter();
            if let Some(first) = before.find(|first| first.sets_the_same_as(set)) {
                return Err(SetError::Twice {
                    fault: set.fault.name,
                    parameter: set.parameter.clone(),
                    first: first.value.clone(),
                    second: set.value.clone(),
                });
            }
        }
        all.iter().try_for_each(|set| set.apply(scenarios))
    }

    fn sets_the_same_as(&self, other: &SetParameter) -> bool {
        (self.fault.name, &self.parameter) == (other.fault.name, &other.parameter)
    }

    fn apply(&self, scenarios: &mut [Scenario]) -> Result<(), SetError> {
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
        // An unknown parameter or a value that is not allowed is reported at once.
        Setting::new(fault).set(parameter.trim(), value.trim())?;
        Ok(SetParameter {
            fault,
            parameter: parameter.trim().to_owned(),
            value: value.trim().to_owned(),
        })
    }
}
