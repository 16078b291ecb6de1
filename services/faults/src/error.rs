//! Why a fault cannot be switched on, and what would be right.

/// Why a fault cannot be switched on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is no fault of this name.
    #[error("there is no fault {name:?}{}", hint(.nearest))]
    UnknownFault {
        /// What was asked for.
        name: String,
        /// The known name that is nearest, if one is near.
        nearest: Option<&'static str>,
    },
    /// The fault has no parameter of this name.
    #[error("the fault {fault} has no parameter {name:?}{}", known(.nearest, .parameters))]
    UnknownParameter {
        /// The fault.
        fault: &'static str,
        /// What was asked for.
        name: String,
        /// The known name that is nearest, if one is near.
        nearest: Option<&'static str>,
        /// Those that it has.
        parameters: Vec<&'static str>,
    },
    /// A parameter is not what it may be.
    #[error("{parameter} of the fault {fault} is {value:?}; it must be {range}")]
    OutOfRange {
        /// The fault.
        fault: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What was asked for.
        value: String,
        /// What it may be, in words.
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
        /// What was given first.
        first: String,
        /// What was given then.
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
        /// What was asked for first, as the command line has it.
        first: String,
        /// What was asked for then.
        second: String,
    },
    /// A text of JSON says of no faults, or says it wrong.
    #[error("{why}; faults are written as {example}")]
    Json {
        /// What is wrong, and where.
        why: String,
        /// What would be right.
        example: &'static str,
    },
    /// A text is none that stands for a fault.
    #[error("{text:?} does not switch on a fault; write {example}")]
    Syntax {
        /// The text.
        text: String,
        /// What would be right.
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
