//! The exit codes of the process: 0 all passed, 1 an expectation failed, 2 the input was wrong, 3 the
//! environment failed or a benchmark says nothing, 130 interrupted.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use plain::{Message, Plain};

/// The result of a command that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything passed.
    Passed,
    /// An expectation failed.
    Failed,
    /// A signal ended the command before it was done.
    Interrupted,
}

/// An error in the input. The message says what is wrong, where, and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongInput(pub(crate) String);

/// The result of a benchmark says nothing. It was printed; the message says why.
#[derive(Debug, thiserror::Error)]
#[error("the result is INVALID: {0}")]
pub(crate) struct Invalid(pub(crate) String);

/// The exit code of a command. If an error stopped the command, one message goes to standard error.
pub(crate) fn code(outcome: anyhow::Result<Outcome>) -> ExitCode {
    let error = match outcome {
        Ok(Outcome::Passed) => return ExitCode::from(0),
        Ok(Outcome::Failed) => return ExitCode::from(1),
        Ok(Outcome::Interrupted) => return ExitCode::from(130),
        Err(error) => error,
    };
    stderr::say(format_args!(
        "error: {}",
        Message(format_args!("{error:#}"))
    ));
    ExitCode::from(code_of(&error))
}

/// The exit code of a command line that cannot be used, or that asks for help, after its message was printed.
pub(crate) fn of_arguments(mut error: clap::Error) -> ExitCode {
    // An argument may be the name of a file that another program chose.
    let hidden: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| Some((kind, escaped(value)?)))
        .collect();
    for (kind, value) in hidden {
        error.insert(kind, value);
    }
    // Without a reader nothing is printed, and the exit code is the same.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The value with escapes; `None` if it needs none.
fn escaped(value: &ContextValue) -> Option<ContextValue> {
    let plain = |text: &String| Plain(text).to_string();
    match value {
        ContextValue::String(text) if !plain::is_plain(text) => {
            Some(ContextValue::String(plain(text)))
        }
        ContextValue::Strings(texts) if texts.iter().any(|text| !plain::is_plain(text)) => {
            Some(ContextValue::Strings(texts.iter().map(plain).collect()))
        }
        _ => None,
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<chassis::Error>() {
            return error.exit_code();
        }
        if let Some(error) = cause.downcast_ref::<email::Error>() {
            return error.exit_code();
        }
        let wrong_input = cause.is::<WrongInput>()
            || cause.is::<scenario::Error>()
            || cause.is::<faults::Error>()
            || cause.is::<runner::SetError>()
            || cause.is::<runner::LabelsError>()
            || matches!(
                cause.downcast_ref(),
                Some(loadgen::Error::UnknownProduct { .. } | loadgen::Error::TooFewProducts { .. })
            )
            || matches!(
                cause.downcast_ref(),
                Some(supervisor::Error::PortBase(_) | supervisor::Error::DataInUse { .. })
            )
            || cause
                .downcast_ref()
                .is_some_and(collector::Error::is_of_input);
        if wrong_input {
            return 2;
        }
    }
    3
}
