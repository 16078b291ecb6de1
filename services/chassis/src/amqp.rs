//! A connection to the broker that comes back: who publishes or consumes asks for the channel of
//! the moment, and finds none while the broker is away.
//!
//! Each time the connection is opened, the topology is declared anew by `setup`, so a broker that
//! came back empty is whole again. It must not know what is published.

use std::{future::Future, time::Duration};

use futures::StreamExt;
use lapin::{Channel, Connection, ConnectionProperties, Event, options::ConfirmSelectOptions};
use tokio::{
    sync::watch,
    time::{interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long one attempt to connect may take.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a service waits for its broker before it serves without one.
const START_PATIENCE: Duration = Duration::from_secs(1);

/// How often it is looked whether the channel is still there.
const LOOK: Duration = Duration::from_millis(10);

/// The broker as a service sees it.
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

    /// Waits until there is a first channel, but not for long: a service whose broker is away serves all
    /// the same. So the first message of a shop that was just started finds everything in place.
    pub async fn started(&self) {
        let mut channel = self.channel.clone();
        let first = channel.wait_for(Option::is_some);
        // If it takes longer, whoever needs a channel will find none, and has said what that means.
        let _ = timeout(START_PATIENCE, first).await;
    }

    /// The channel of the moment, or `None` while the broker is away.
    pub fn channel(&self) -> Option<Channel> {
        self.channel
            .borrow()
            .clone()
            .filter(|channel| channel.status().connected())
    }

    /// Waits for a channel that is not the one before: the first one, or the next.
    pub async fn next_channel(&mut self) -> Option<Channel> {
        loop {
            self.channel.changed().await.ok()?;
            if let Some(channel) = self.channel.borrow_and_update().clone() {
                return Some(channel);
            }
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
    let mut pause = FIRST_PAUSE;
    let mut away = false;
    loop {
        let opened = timeout(PATIENCE, open(url, name, &setup)).await;
        match opened {
            Ok(Ok((connection, channel))) => {
                if away {
                    tracing::warn!("the broker at {} is back", without_credentials(url));
                }
                pause = FIRST_PAUSE;
                current.send_replace(Some(channel.clone()));
                let why = until_lost(&connection, &channel).await;
                current.send_replace(None);
                away = true;
                tracing::warn!(
                    "the broker at {} went away: {why}",
                    without_credentials(url)
                );
            }
            failed => {
                if !away {
                    let why = match failed {
                        Ok(Err(error)) => error.to_string(),
                        _ => format!("no answer in {PATIENCE:?}"),
                    };
                    tracing::warn!(
                        "the broker at {} cannot be reached: {why}; trying again until it can \
                         (is --amqp-url right, and is the broker running?)",
                        without_credentials(url)
                    );
                }
                away = true;
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn open<F, Fut>(
    url: &str,
    name: &'static str,
    setup: F,
) -> lapin::Result<(Connection, Channel)>
where
    F: Fn(Channel) -> Fut,
    Fut: Future<Output = lapin::Result<()>>,
{
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connection = Connection::connect(url, properties).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    setup(channel.clone()).await?;
    Ok((connection, channel))
}

/// Returns when the connection or its channel is no longer of use, with the reason.
async fn until_lost(connection: &Connection, channel: &Channel) -> String {
    let mut events = connection.events_listener();
    // A channel that was closed makes no event of the connection.
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

/// An AMQP URL as it may be shown: without user and password.
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, address))) => format!("{scheme}://{address}"),
        _ => url.to_owned(),
    }
}
