//! [`step`]: one step of the business in its own span, which records the error of the step.
//!
//! An error is recorded once, on the span of the step in which it occurred: as an exception, and in the
//! status. The spans of the steps above get the status only. [`Failed`] tells a step whether the error is
//! recorded already.

use std::error::Error;

use tracing::{Instrument, Span};

use crate::exception;

/// An error on its way up through the steps. It remembers whether a span has recorded it.
///
/// The operator `?` converts any error that can become an `E`. The type itself is not an [`Error`]: above
/// the last step, [`into_error`](Failed::into_error) returns the plain error.
#[derive(Debug)]
pub struct Failed<E> {
    error: E,
    /// The text with which it was recorded, on the span of the deepest step that it passed.
    recorded: Option<String>,
}

/// Does `work` in `span`. The span records an error of `work`.
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
/// The errors of `work`.
pub fn step<T, E: Error>(
    span: Span,
    work: impl Future<Output = Result<T, Failed<E>>>,
) -> impl Future<Output = Result<T, Failed<E>>> {
    step_within(work).instrument(span)
}

/// Does `work` in the current span, such as the span of a message that is processed. The span records an
/// error of `work`.
///
/// # Errors
///
/// The errors of `work`.
pub fn step_within<T, E: Error>(
    work: impl Future<Output = Result<T, Failed<E>>>,
) -> impl Future<Output = Result<T, Failed<E>>> {
    // On the heap: steps are nested, and otherwise each layer multiplies the size of the future. Without
    // optimization, three layers with their database calls overflowed the stack of a thread.
    let work = Box::pin(work);
    async move { work.await.map_err(Failed::record) }
}

// === impl Failed ===

impl<E> Failed<E> {
    /// Takes the plain error out, for code that is not a step.
    pub fn into_error(self) -> E {
        self.error
    }

    /// The error.
    pub fn error(&self) -> &E {
        &self.error
    }

    /// Converts the error of a step below. It stays recorded, with its original text.
    pub fn map<F>(self, change: impl FnOnce(E) -> F) -> Failed<F> {
        Failed {
            error: change(self.error),
            recorded: self.recorded,
        }
    }

    /// Records the error on the current span: with an exception the first time, later only in the status.
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
