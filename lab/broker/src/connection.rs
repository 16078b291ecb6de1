//! One connection, from its handshake to its end, and its two tasks: the session, which reads and answers,
//! and the sender of the outbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tcp::Place;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::broker::Broker;
use crate::channel::ConnectionId;
use crate::handshake::{self, Agreement};
use crate::outbox::{self, Outbox};
use crate::reply_code::{Refusal, ReplyCode};
use crate::session::{End, Session};
use crate::state::Connection;

/// The longest time that a client may take to receive the rest of the outbox and to acknowledge that its
/// connection is closed.
const CLOSE_PATIENCE: Duration = Duration::from_secs(3);

/// The longest time that a client may take to close its socket after it has closed its connection, as in
/// RabbitMQ. Clients that still read or write then would report a failure if the broker closed the socket.
const LEFT_TO_CLIENT: Duration = Duration::from_secs(30);

/// Serves a client until it closes, fails, or the broker shuts down.
pub(crate) async fn serve(
    mut stream: TcpStream,
    place: Place,
    broker: Arc<Broker>,
    shutdown: CancellationToken,
) {
    let agreed = tokio::select! {
        agreed = handshake::agree(&mut stream, &broker.config) => agreed,
        () = place.lost() => {
            debug!("a silent client made room for another");
            return;
        }
        () = shutdown.cancelled() => return,
    };
    let agreement = match agreed {
        Ok(agreement) => agreement,
        Err(failure) => {
            debug!(%failure, "no connection");
            return;
        }
    };

    let outbox = Arc::new(Outbox::new(agreement.frame_max));
    let registration = Registration::new(&broker, &outbox, &agreement);
    let id = registration.id;
    let (reader, writer) = stream.into_split();
    let sender = tokio::spawn({
        let (outbox, broker, heartbeat) = (
            Arc::clone(&outbox),
            Arc::clone(&broker),
            agreement.heartbeat,
        );
        async move {
            let has_room = || broker.with(|state, _| state.unsettle_consumed_by(id));
            outbox::run(&outbox, writer, heartbeat, has_room).await
        }
    });

    let progress = Arc::clone(place.progress());
    progress.moved();
    let mut session = Session::new(broker, id, Arc::clone(&outbox), agreement, reader, progress);
    let end = tokio::select! {
        end = session.run() => end,
        () = place.lost() => End::Gone,
        () = outbox.broken() => End::Gone,
        () = shutdown.cancelled() => {
            End::Refused(Refusal::new(ReplyCode::ConnectionForced, "broker is shutting down"))
        }
    };
    // The connection is removed before the client learns of the end, so that its exclusive queues are deleted
    // by then.
    drop(registration);
    let is_left_to_client = matches!(end, End::ClosedByClient);
    let until = Instant::now() + CLOSE_PATIENCE;
    session.part(end, until).await;
    outbox.close();
    let abort = sender.abort_handle();
    match timeout_at(until, sender).await {
        Err(_) => abort.abort(),
        Ok(Ok(Ok(socket))) if is_left_to_client => {
            tokio::select! {
                _ = timeout(LEFT_TO_CLIENT, session.read_to_end()) => {}
                () = place.lost() => {}
                () = shutdown.cancelled() => {}
            }
            drop(socket);
        }
        Ok(_) => {}
    }
}

/// The connection's entry in the state. It is removed when this is dropped.
struct Registration {
    broker: Arc<Broker>,
    id: ConnectionId,
}

// === impl Registration ===

impl Registration {
    fn new(broker: &Arc<Broker>, outbox: &Arc<Outbox>, agreement: &Agreement) -> Self {
        let connection = Connection {
            outbox: Arc::clone(outbox),
            user: agreement.user.clone(),
            understands_cancel: agreement.understands_cancel,
            channels: HashMap::new(),
        };
        let id = broker.with(|state, _| state.connect(connection));
        Self {
            broker: Arc::clone(broker),
            id,
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.broker
            .with(|state, now| state.disconnect(self.id, now));
    }
}
