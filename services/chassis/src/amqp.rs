//! A connection to the broker that reconnects: a publisher or consumer asks for the current channel, and
//! gets `None` while the broker is away.
//!
//! On every new connection `setup` declares the topology again, so that a broker that lost its queues has
//! them again. This module does not know what is published.

use std::{future::Future, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::StreamExt;
use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind, Event,
    options::ConfirmSelectOptions,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    uri::{AMQPAuthority, AMQPUri},
};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long one attempt to connect may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The pauses between attempts to connect: they double from one to the next.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(LONGEST_PAUSE)
    .without_max_times();

/// How long a service waits for its broker before it serves without one.
const START_PATIENCE: Duration = Duration::from_secs(1);

/// The interval at which the channel's state is checked.
const LOOK: Duration = Duration::from_millis(10);

/// Why a broker cannot be used. The messages contain no user name or password of its address.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// The broker does not answer.
    #[error(
        "the broker at {address} cannot be reached: {why}; is it running, and is this its address?"
    )]
    Unreachable {
        /// The broker's address.
        address: String,
        /// The error of the attempt.
        why: String,
    },
    /// The broker refuses the user, or refuses what the shop needs.
    #[error(
        "the broker at {address} refuses: {why}; are user and password right, and may the user declare \
         queues there?"
    )]
    Refused {
        /// The broker's address.
        address: String,
        /// The broker's reply.
        why: String,
    },
    /// The virtual host does not exist, or the user may not use it.
    #[error(
        "the broker at {address} refuses the virtual host: {why}; is it there, and may the user \
         use it? (rabbitmqctl add_vhost NAME makes one)"
    )]
    VirtualHost {
        /// The broker's address, with the virtual host.
        address: String,
        /// The broker's reply.
        why: String,
    },
    /// A queue or an exchange of the shop exists with other properties than the shop needs.
    #[error(
        "the broker at {address} has a queue or an exchange that is declared otherwise: {why}; \
         delete it there, or name a virtual host of its own for the shop"
    )]
    DeclaredOtherwise {
        /// The broker's address.
        address: String,
        /// The broker's reply, which names the queue or exchange and the property.
        why: String,
    },
}

/// A service's connection to the broker.
#[derive(Clone, Debug)]
pub struct Broker {
    channel: watch::Receiver<Option<Channel>>,
}

// === impl Broker ===

impl Broker {
    /// Connects in the background and stays connected until `shutdown`. `name` is what the broker
    /// shows for the connection; `setup` declares what the service needs on a new channel, which is
    /// in confirm mode.
    pub fn connect<F, Fut>(
        url: String,
        name: &'static str,
        setup: F,
        shutdown: CancellationToken,
    ) -> Broker
    where
        F: Fn(Channel) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = lapin::Result<()>> + Send,
    {
        let (current, channel) = watch::channel(None);
        tokio::spawn(async move {
            tokio::select! {
                () = stay_connected(&url, name, setup, &current) => {}
                () = shutdown.cancelled() => {}
            }
        });
        Broker { channel }
    }

    /// Waits for the first channel, at most for a fixed time: a service also serves while its broker is
    /// away. With the wait, the first message of a new shop finds its queues declared.
    pub async fn started(&self) {
        let mut channel = self.channel.clone();
        let first = channel.wait_for(Option::is_some);
        // After this time the service starts without a channel; the background task has reported the reason.
        let _ = timeout(START_PATIENCE, first).await;
    }

    /// The current channel; `None` while the broker is away.
    pub fn channel(&self) -> Option<Channel> {
        self.channel
            .borrow()
            .clone()
            .filter(|channel| channel.status().connected())
    }

    /// Waits for a new channel: the first one, or the next. `None` when the background task has ended.
    pub async fn next_channel(&mut self) -> Option<Channel> {
        loop {
            self.channel.changed().await.ok()?;
            if let Some(channel) = self.channel.borrow_and_update().clone() {
                return Some(channel);
            }
        }
    }
}

// === impl BrokerError ===

impl BrokerError {
    fn new(url: &str, error: &lapin::Error) -> BrokerError {
        let address = without_credentials(url);
        let ErrorKind::ProtocolError(said) = error.kind() else {
            let why = error.to_string();
            return BrokerError::Unreachable { address, why };
        };
        let why = said.get_message().to_string();
        match said.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => {
                BrokerError::Refused { address, why }
            }
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                BrokerError::VirtualHost { address, why }
            }
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => {
                BrokerError::DeclaredOtherwise { address, why }
            }
            _ => BrokerError::Unreachable { address, why },
        }
    }
}

async fn stay_connected<F, Fut>(
    url: &str,
    name: &'static str,
    setup: F,
    current: &watch::Sender<Option<Channel>>,
) where
    F: Fn(Channel) -> Fut,
    Fut: Future<Output = lapin::Result<()>>,
{
    let mut pauses = PAUSES.build();
    // The last error that was reported: an equal one is not reported again.
    let mut trouble = None;
    loop {
        match open(url, name, &setup).await {
            Ok((connection, channel)) => {
                if trouble.take().is_some() {
                    tracing::warn!("the broker at {} can be used now", without_credentials(url));
                }
                pauses = PAUSES.build();
                current.send_replace(Some(channel.clone()));
                let why = until_lost(&connection, &channel).await;
                current.send_replace(None);
                let told = format!(
                    "the broker at {} went away: {why}",
                    without_credentials(url)
                );
                tracing::warn!("{told}");
                trouble = Some(told);
            }
            Err(error) => {
                let told = error.to_string();
                if trouble.as_ref() != Some(&told) {
                    tracing::warn!(
                        "{told}; trying again until it works (--amqp-url is its address)"
                    );
                }
                trouble = Some(told);
                sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
            }
        }
    }
}

/// Connects once, and declares what `setup` does on a new channel, which is in confirm mode.
///
/// # Errors
///
/// When the broker cannot be reached within five seconds, and when it refuses the user or a declaration.
pub async fn open<F, Fut>(
    url: &str,
    name: &'static str,
    setup: F,
) -> Result<(Connection, Channel), BrokerError>
where
    F: Fn(Channel) -> Fut,
    Fut: Future<Output = lapin::Result<()>>,
{
    let opened = async {
        reach(url).await?;
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connection = Connection::connect(url, properties).await?;
        let channel = connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        setup(channel.clone()).await?;
        Ok((connection, channel))
    };
    match timeout(PATIENCE, opened).await {
        Ok(opened) => opened.map_err(|error| BrokerError::new(url, &error)),
        Err(_) => Err(BrokerError::Unreachable {
            address: without_credentials(url),
            why: format!("no answer in {PATIENCE:?}"),
        }),
    }
}

/// Connects to the broker's address, and closes that again. lapin (4.12) is not asked first: about once in 150 times
/// its own attempt never ends where the connection is refused at once.
async fn reach(url: &str) -> lapin::Result<()> {
    // lapin reports what is wrong with a URL.
    if let Ok(uri) = url.parse::<AMQPUri>() {
        let AMQPAuthority { host, port, .. } = uri.authority;
        let reached = TcpStream::connect((host.as_str(), port)).await;
        reached.map_err(|error| lapin::Error::from(ErrorKind::IOError(Arc::new(error))))?;
    }
    Ok(())
}

/// Returns the reason when the connection or its channel can no longer be used.
async fn until_lost(connection: &Connection, channel: &Channel) -> String {
    let mut events = connection.events_listener();
    // A closed channel causes no event on the connection.
    let mut look = interval(LOOK);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::Error(error)) => return error.to_string(),
                Some(Event::ConnectionBlocked(why)) => {
                    tracing::warn!("the broker takes no messages for now: {why}");
                }
                Some(_) => {}
                None => return "the connection ended".to_owned(),
            },
            _ = look.tick() => {
                if !connection.status().connected() || !channel.status().connected() {
                    return "the channel was closed".to_owned();
                }
            }
        }
    }
}

/// An AMQP URL without user and password, for messages.
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, address))) => format!("{scheme}://{address}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_never_end() {
        let pauses: Vec<u128> = PAUSES.build().take(8).map(|it| it.as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }
}
