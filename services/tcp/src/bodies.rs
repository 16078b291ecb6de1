//! The two bodies of a call: what comes from the client, and what goes to it. They note the progress of the call.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::Progress;

/// The number of bytes of a request that are read and dropped after its answer, so that its connection can be used
/// again.
const DROPPED: usize = 64 << 10;

/// The time for such bytes to be read. Those that were sent with the header are there already.
const SENT: Duration = Duration::from_millis(10);

/// One request and its answer. It is open until this is dropped.
#[derive(Debug)]
pub(crate) struct Call(Arc<State>);

#[derive(Debug)]
struct State {
    progress: Arc<Progress>,
    stage: AtomicU8,
    /// The rest of a body that was not read to its end.
    rest: Mutex<Option<Incoming>>,
}

/// The stages of a call, in their order.
const COMING: u8 = 0;
const WORKED_ON: u8 = 1;
const ANSWERED: u8 = 2;

/// The body of a request.
pub(crate) struct Coming {
    body: Option<Incoming>,
    call: Arc<State>,
}

/// The body of an answer.
pub(crate) struct Going {
    body: Body,
    call: Call,
}

// === impl Call ===

impl Call {
    pub(crate) fn begin(progress: Arc<Progress>, is_http1: bool) -> Call {
        progress.begin(is_http1);
        Call(Arc::new(State {
            progress,
            stage: AtomicU8::new(COMING),
            rest: Mutex::default(),
        }))
    }

    /// The body of the request, for the service.
    pub(crate) fn coming(&self, body: Incoming) -> Coming {
        let coming = Coming {
            body: Some(body),
            call: Arc::clone(&self.0),
        };
        coming.look_for_the_end();
        coming
    }

    /// Notes that the service has answered, and makes the body of the answer.
    pub(crate) fn going(self, body: Body) -> Going {
        self.0.answer();
        Going { body, call: self }
    }

    /// Whether the service has read the request to its end.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.rest.lock().is_none() && self.0.stage.load(Ordering::Acquire) != COMING
    }

    /// Whether the request has arrived whole, so that another can follow on its connection. What is there of a body
    /// that the service did not want is dropped; it is not waited for.
    pub(crate) async fn has_come(&self) -> bool {
        if self.is_whole() {
            return true;
        }
        let Some(mut body) = self.0.rest.lock().take() else {
            return false;
        };
        let read_to_the_end = async {
            let mut dropped = 0;
            while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
            {
                dropped += frame.ok()?.data_ref().map_or(0, Bytes::len);
                if dropped > DROPPED {
                    return None;
                }
            }
            Some(())
        };
        matches!(timeout(SENT, read_to_the_end).await, Ok(Some(())))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.answer();
        self.0.progress.end();
    }
}

// === impl State ===

impl State {
    fn work(&self) {
        let (from, to) = (COMING, WORKED_ON);
        let changed = self
            .stage
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        if changed.is_ok() {
            self.progress.work();
        }
    }

    fn answer(&self) {
        if self.stage.swap(ANSWERED, Ordering::AcqRel) == WORKED_ON {
            self.progress.rest();
        }
    }
}

// === impl Coming ===

impl Coming {
    fn look_for_the_end(&self) {
        if self.body.as_ref().is_none_or(Incoming::is_end_stream) {
            self.call.work();
        }
    }
}

impl hyper::body::Body for Coming {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(_))) => {
                self.call.progress.moved();
                self.look_for_the_end();
            }
            Poll::Ready(_) => self.call.work(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        // The service wants nothing more of it, so it works from here on.
        self.call.work();
        *self.call.rest.lock() = self.body.take().filter(|body| !body.is_end_stream());
    }
}

// === impl Going ===

impl hyper::body::Body for Going {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            self.call.0.progress.moved();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
