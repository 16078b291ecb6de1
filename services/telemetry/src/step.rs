//! [`step`]: one step of the business in a span of its own, which records the error that it ends with.
//!
//! An error is recorded once, on the span of the step in which it was born: as an exception, and in the
//! status. On the way up, the spans of the steps above get the status alone. [`Failed`] is how a step
//! knows which of the two it is.

use std::error::Error;

use tracing::{Instrument, Span};

use crate::exception;

/// An error on its way up through the steps. It knows whether a span has recorded it.
///
/// The operator `?` makes one of any error that can become an `E`. It is not itself an [`Error`]: where
/// the steps end, [`into_error`](Failed::into_error) gives back the plain one.
#[derive(Debug)]
pub struct Failed<E> {
    error: E,
    /// What it said when it was recorded, on the span of the deepest step that it went through.
    recorded: Option<String>,
}

/// Does `work` in `span`. If it fails, the span records the error.
///
/// ```
/// use telemetry::{Failed, step};
/// use tracing::info_span;
///
/// async fn read_cart(text: &str) -> Result<u32, Failed<std::num::ParseIntError>> {
///     step(info_span!("read cart"), async {
///         let quantity: u32 = text.parse()?;
///         Ok(quantity)
///     })
///     .await
/// }
/// # assert!(futures::executor::block_on(read_cart("two")).is_err());
/// ```
///
/// # Errors
///
/// Those of `work`.
pub async fn step<T, E: Error>(
    span: Span,
    work: impl Future<Output = Result<T, Failed<E>>>,
) -> Result<T, Failed<E>> {
    step_within(work).instrument(span).await
}

/// Does `work` in the current span, such as that of a message that is processed. If it fails, the span
/// records the error.
///
/// # Errors
///
/// Those of `work`.
pub async fn step_within<T, E: Error>(
    work: impl Future<Output = Result<T, Failed<E>>>,
) -> Result<T, Failed<E>> {
    work.await.map_err(Failed::record)
}

// === impl Failed ===

impl<E> Failed<E> {
    /// The error, for code that is no step.
    pub fn into_error(self) -> E {
        self.error
    }

    /// The error.
    pub fn error(&self) -> &E {
        &self.error
    }

    /// What a step makes of the error of a step below. It stays recorded, under what it said there.
    pub fn map<F>(self, change: impl FnOnce(E) -> F) -> Failed<F> {
        Failed {
            error: change(self.error),
            recorded: self.recorded,
        }
    }

    /// Records the error on the current span: all of it the first time, then only the status.
    fn record(self) -> Failed<E>
    where
        E: Error,
    {
        let recorded = match self.recorded {
            Some(text) => {
                exception::propagate::<E>(&text);
                text
            }
            None => {
                exception::record(&self.error);
                self.error.to_string()
            }
        };
        Failed {
            error: self.error,
            recorded: Some(recorded),
        }
    }
}

impl<E, S> From<S> for Failed<E>
where
    E: From<S>,
    S: Error,
{
    fn from(error: S) -> Failed<E> {
        Failed {
            error: error.into(),
            recorded: None,
        }
    }
}
