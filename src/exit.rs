//! The exit codes of the process: 0 all passed, 1 an expectation failed, 2 the input was wrong, 3 the
//! environment failed, 130 interrupted.

use std::process::ExitCode;

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

/// The exit code of a command. If an error stopped the command, one message goes to standard error.
pub(crate) fn code(outcome: anyhow::Result<Outcome>) -> ExitCode {
    let error = match outcome {
        Ok(Outcome::Passed) => return ExitCode::from(0),
        Ok(Outcome::Failed) => return ExitCode::from(1),
        Ok(Outcome::Interrupted) => return ExitCode::from(130),
        Err(error) => error,
    };
    stderr::say(format_args!("error: {error:#}"));
    ExitCode::from(code_of(&error))
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
