//! Why a fault cannot be switched on, and what would be right.

/// Why a fault cannot be switched on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is no fault of this name.
    #[error("there is no fault {name:?}{}", hint(.nearest))]
    UnknownFault {
        /// The name that was given.
        name: String,
        /// The known name that is nearest, if one is near.
        nearest: Option<&'static str>,
    },
    /// The fault has no parameter of this name.
    #[error("the fault {fault} has no parameter {name:?}{}", known(.nearest, .parameters))]
    UnknownParameter {
        /// The fault.
        fault: &'static str,
        /// The name that was given.
        name: String,
        /// The known name that is nearest, if one is near.
        nearest: Option<&'static str>,
        /// The names of the parameters that the fault has.
        parameters: Vec<&'static str>,
    },
    /// The value of a parameter is out of its range, or has the wrong type.
    #[error("{parameter} of the fault {fault} is {value:?}; it must be {range}")]
    OutOfRange {
        /// The fault.
        fault: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// The value that was given.
        value: String,
        /// The values that are allowed, in words.
        range: String,
    },
    /// A parameter is given more than once.
    #[error(
        "{parameter} of the fault {fault} is given twice, as {first:?} and as {second:?}; give it once"
    )]
    ParameterTwice {
        /// The fault.
        fault: &'static str,
        /// The parameter.
        parameter: String,
        /// The first value.
        first: String,
        /// The second value.
        second: String,
    },
    /// A fault is switched on more than once.
    #[error(
        "the fault {fault} is switched on twice, as {first:?} and as {second:?}; name it once, with all \
         its parameters"
    )]
    FaultTwice {
        /// The fault.
        fault: &'static str,
        /// The first setting, as the command line writes it.
        first: String,
        /// The second setting.
        second: String,
    },
    /// A JSON text does not describe faults, or is not valid.
    #[error("{why}; faults are written as {example}")]
    Json {
        /// What is wrong, and where.
        why: String,
        /// An example of a correct text.
        example: &'static str,
    },
    /// A text does not stand for a fault.
    #[error("{text:?} does not switch on a fault; write {example}")]
    Syntax {
        /// The text.
        text: String,
        /// An example of a correct text.
        example: &'static str,
    },
}

/// The known word that is nearest to another, if one is near.
pub(crate) fn nearest(
    word: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn hint(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean {nearest:?}?"),
        None => "; `tracelab fault list` names all".to_owned(),
    }
}

fn known(nearest: &Option<&'static str>, parameters: &[&'static str]) -> String {
    match (nearest, parameters) {
        (Some(nearest), _) => format!("; did you mean {nearest:?}?"),
        (None, []) => "; it has none".to_owned(),
        (None, parameters) => format!("; it has {}", parameters.join(", ")),
    }
}
