//! [`Listener`]: accepts connections that have a place and send at once.

use std::{collections::HashMap, io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use crate::{Place, Places};

/// The pause after a failure to accept. Its usual cause is that too many files are open, which lasts until one is
/// closed.
const PAUSE: Duration = Duration::from_millis(50);

/// The number of connections that may wait to be accepted; the system has a limit of its own (`somaxconn`). The first
/// packet of a client that finds the queue full is dropped, and sent again after a second.
const QUEUE: i32 = 4_096;

/// The shortest time between two reports of the same failure.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// A listener whose connections have a [`Place`] each, and TCP_NODELAY.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    places: Places,
    /// A connection that waits for its place.
    waiting: Option<TcpStream>,
    trouble: Trouble,
}

/// The failures to accept that were reported, by the number of the system's error.
#[derive(Debug, Default)]
struct Trouble(HashMap<Option<i32>, Said>);

#[derive(Debug)]
struct Said {
    at: Instant,
    /// The number of times since.
    since: u64,
}

// === impl Listener ===

impl Listener {
    /// Accepts the connections of `listener`, each with a place of this process.
    pub fn new(listener: TcpListener) -> Listener {
        Listener::with_places(listener, Places::of_process())
    }

    /// Accepts the connections of `listener`, each with one of these places.
    pub fn with_places(listener: TcpListener, places: Places) -> Listener {
        lengthen_queue(&listener);
        Listener {
            listener,
            places,
            waiting: None,
            trouble: Trouble::default(),
        }
    }

    /// Waits for the next connection and its place. No connection is lost if the future is dropped.
    ///
    /// A failure is logged, and accepting is tried again.
    pub async fn accept(&mut self) -> (TcpStream, Place) {
        if self.waiting.is_none() {
            self.waiting = Some(self.next().await);
        }
        let place = self.places.take().await;
        let connection = self.waiting.take().expect("it was put there above");
        (connection, place)
    }

    async fn next(&mut self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((connection, _)) => {
                    // The option cannot be set only where the peer has closed the connection already; the first
                    // read says so.
                    let _ = connection.set_nodelay(true);
                    return connection;
                }
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    if let Some(count) = self.trouble.is_news(&error, Instant::now()) {
                        let times = match count {
                            1 => String::new(),
                            count => format!(" ({count} times since this was last said)"),
                        };
                        tracing::warn!(
                            "a connection cannot be accepted, and it is tried again: {error}{times}"
                        );
                    }
                    self.places.make_room();
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Binds an address, with a long queue from the start: clients come as soon as the address is known.
///
/// # Errors
///
/// When the address cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    lengthen_queue(&listener);
    Ok(listener)
}

fn lengthen_queue(listener: &TcpListener) {
    // A second call of listen(2) sets the length of the queue alone. Where it fails the queue is short, no more.
    let _ = rustix::net::listen(listener, QUEUE);
}

/// Whether the client has closed its connection before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

// === impl Trouble ===

impl Trouble {
    /// How many times the error has happened since it was last reported, if it is to be reported now.
    fn is_news(&mut self, error: &io::Error, now: Instant) -> Option<u64> {
        let said = self.0.entry(error.raw_os_error());
        let mut is_first = false;
        let said = said.or_insert_with(|| {
            is_first = true;
            Said { at: now, since: 0 }
        });
        said.since += 1;
        if !is_first && now.duration_since(said.at) < SAID_EVERY {
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.since))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_connection_sends_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut listener = Listener::with_places(listener, Places::new(1));
        let _client = TcpStream::connect(address).await.unwrap();
        let (accepted, _place) = listener.accept().await;
        assert!(accepted.nodelay().unwrap());
    }

    #[test]
    fn a_failure_is_said_once_in_a_while_for_each_kind() {
        let (too_many, no_memory) = (
            io::Error::from_raw_os_error(24),
            io::Error::from_raw_os_error(12),
        );
        let mut trouble = Trouble::default();
        let now = Instant::now();
        assert_eq!(trouble.is_news(&too_many, now), Some(1));
        assert_eq!(trouble.is_news(&too_many, now), None);
        assert_eq!(trouble.is_news(&no_memory, now), Some(1));
        assert_eq!(trouble.is_news(&too_many, now), None);
        assert_eq!(trouble.is_news(&too_many, now + SAID_EVERY), Some(3));
    }
}
