//! [`Session`]: one connection's protocol: reads frames, tracks the phases of the channels, answers.
//!
//! Its data belongs to this connection alone; shared data is behind [`Broker::with`]. It must not know what a
//! queue is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use amq_protocol::protocol::{AMQPClass, basic, channel, connection};
use bytes::BytesMut;
use tcp::Progress;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::broker::Broker;
use crate::channel::{ChannelKey, ConnectionId};
use crate::content::{Partial, Step};
use crate::halves::{Account, Overdrawn};
use crate::handshake::{self, Agreement};
use crate::methods;
use crate::outbox::Outbox;
use crate::reply_code::{Refusal, ReplyCode, Scope};
use crate::wire::{self, Frame};

/// The highest number of octets in one read.
const READ_SIZE: usize = 64 << 10;

/// The protocol state of a connection.
pub(crate) struct Session {
    broker: Arc<Broker>,
    id: ConnectionId,
    outbox: Arc<Outbox>,
    frame_max: u32,
    channel_max: u16,
    heartbeat: Option<Duration>,
    understands_blocked: bool,
    reader: OwnedReadHalf,
    octets: BytesMut,
    phases: HashMap<u16, Phase>,
    /// The messages of the phases that are half received.
    account: Account,
    /// Whether messages were published whose confirms may be due.
    has_published: bool,
    progress: Arc<Progress>,
    /// Whether the connection has channels, so that it must not make room for another.
    has_channels: bool,
}

/// What a channel waits for. A channel without an entry is not open.
enum Phase {
    /// A method.
    Open,
    /// The rest of a message.
    Publishing(Box<Partial>),
    /// The acknowledgement that the broker has closed it; everything else is ignored until then.
    Closing,
}

/// How a connection ends.
pub(crate) enum End {
    ClosedByClient,
    Refused(Refusal),
    Gone,
}

// === impl Session ===

impl Session {
    pub(crate) fn new(
        broker: Arc<Broker>,
        id: ConnectionId,
        outbox: Arc<Outbox>,
        agreement: Agreement,
        reader: OwnedReadHalf,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            account: broker.halves.open_account(),
            broker,
            id,
            outbox,
            frame_max: agreement.frame_max,
            channel_max: agreement.channel_max,
            heartbeat: agreement.heartbeat,
            understands_blocked: agreement.understands_blocked,
            reader,
            octets: agreement.rest,
            phases: HashMap::new(),
            has_published: false,
            progress,
            has_channels: false,
        }
    }

    /// Answers the client until the end.
    pub(crate) async fn run(&mut self) -> End {
        let overdrawn = self.account.overdrawn().clone();
        tokio::select! {
            end = self.answer() => end,
            () = overdrawn.cancelled() => End::Refused(Overdrawn.into()),
        }
    }

    async fn answer(&mut self) -> End {
        loop {
            loop {
                match self.next_frame() {
                    Ok(Some(frame)) => match self.take(frame) {
                        Ok(None) => {}
                        Ok(Some(end)) => return end,
                        Err(refusal) => return End::Refused(refusal),
                    },
                    Ok(None) => break,
                    Err(refusal) => return End::Refused(refusal),
                }
                self.wait_for_memory().await;
                self.outbox.replies_fit().await;
            }
            self.send_confirms();
            self.note_progress();
            if let Err(why) = self.read().await {
                debug!(connection = self.id.0, %why, "the client is gone");
                return End::Gone;
            }
        }
    }

    fn note_progress(&mut self) {
        let has_channels = !self.phases.is_empty();
        match (self.has_channels, has_channels) {
            (false, true) => self.progress.work(),
            (true, false) => self.progress.rest(),
            _ => self.progress.moved(),
        }
        self.has_channels = has_channels;
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Refusal> {
        wire::decode(&mut self.octets, self.frame_max)
    }

    /// Reads the next octets. A client that is silent for two heartbeat intervals counts as gone.
    async fn read(&mut self) -> std::io::Result<()> {
        self.octets.reserve(READ_SIZE);
        let read = self.reader.read_buf(&mut self.octets);
        let read = match self.heartbeat {
            Some(interval) => timeout(interval * 2, read)
                .await
                .map_err(|_| std::io::ErrorKind::TimedOut)??,
            None => read.await?,
        };
        if read == 0 {
            Err(std::io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        }
    }

    /// Stops reading from a client that has published, or is about to, until there is memory again.
    async fn wait_for_memory(&mut self) {
        if !self.broker.memory.is_short() || !(self.has_published || self.is_publishing()) {
            return;
        }
        self.send_confirms();
        if self.understands_blocked {
            let reason = "low on memory".into();
            self.send(
                0,
                connection::AMQPMethod::Blocked(connection::Blocked { reason }),
            );
        }
        self.broker.memory.relieved().await;
        if self.understands_blocked {
            self.send(
                0,
                connection::AMQPMethod::Unblocked(connection::Unblocked {}),
            );
        }
    }

    fn is_publishing(&self) -> bool {
        let mut phases = self.phases.values();
        phases.any(|phase| matches!(phase, Phase::Publishing(_)))
    }

    fn send_confirms(&mut self) {
        if std::mem::take(&mut self.has_published) {
            self.broker.with(|state, _| state.send_confirms(self.id));
        }
    }

    fn send(&self, channel: u16, method: connection::AMQPMethod) {
        self.outbox.send(channel, AMQPClass::Connection(method));
    }

    /// Handles a frame. A refusal that concerns only its channel is handled here.
    fn take(&mut self, frame: Frame) -> Result<Option<End>, Refusal> {
        let number = match frame {
            Frame::Heartbeat => return Ok(None),
            Frame::Method(0, AMQPClass::Connection(method)) => return self.on_connection(&method),
            Frame::Method(number, _) | Frame::Header(number, _) | Frame::Body(number, _) => number,
        };
        match self.on_channel(number, frame) {
            Err(refusal) if refusal.code.scope() == Scope::Channel => {
                self.close_channel(number, &refusal);
                Ok(None)
            }
            Err(refusal) => Err(refusal),
            Ok(()) => Ok(None),
        }
    }

    fn on_connection(&mut self, method: &connection::AMQPMethod) -> Result<Option<End>, Refusal> {
        match method {
            connection::AMQPMethod::Close(_) => Ok(Some(End::ClosedByClient)),
            // Any password is accepted, and so is any change of it.
            connection::AMQPMethod::UpdateSecret(_) => {
                let ok = connection::UpdateSecretOk {};
                self.send(0, connection::AMQPMethod::UpdateSecretOk(ok));
                Ok(None)
            }
            other => Err(unexpected(&AMQPClass::Connection(other.clone()))),
        }
    }

    fn on_channel(&mut self, number: u16, frame: Frame) -> Result<(), Refusal> {
        if number == 0 {
            return Err(on_channel_zero(&frame));
        }
        let at = ChannelKey {
            connection: self.id,
            number,
        };
        match self.phases.remove(&number) {
            None => self.open(at, &frame),
            Some(Phase::Closing) => {
                self.while_closing(number, &frame);
                Ok(())
            }
            Some(Phase::Open) => {
                self.phases.insert(number, Phase::Open);
                self.on_open_channel(at, frame)
            }
            Some(Phase::Publishing(partial)) => {
                // In any case the channel waits for a method again, if it stays open.
                self.phases.insert(number, Phase::Open);
                self.go_on_publishing(at, *partial, frame)
            }
        }
    }

    fn open(&mut self, at: ChannelKey, frame: &Frame) -> Result<(), Refusal> {
        let Frame::Method(number, AMQPClass::Channel(channel::AMQPMethod::Open(_))) = *frame else {
            return Err(Refusal::new(
                ReplyCode::ChannelError,
                "expected 'channel.open'",
            ));
        };
        if number > self.channel_max {
            let text = format!(
                "channel {number} is above the negotiated channel_max ({})",
                self.channel_max
            );
            return Err(Refusal::new(ReplyCode::ChannelError, text).caused_by(20, 10));
        }
        self.phases.insert(number, Phase::Open);
        self.broker.with(|state, _| state.open_channel(at));
        let ok = channel::AMQPMethod::OpenOk(channel::OpenOk {});
        self.outbox.send(number, AMQPClass::Channel(ok));
        Ok(())
    }

    fn on_open_channel(&mut self, at: ChannelKey, frame: Frame) -> Result<(), Refusal> {
        let Frame::Method(number, method) = frame else {
            let text = "expected method frame, got non method frame instead";
            return Err(Refusal::new(ReplyCode::UnexpectedFrame, text));
        };
        match method {
            AMQPClass::Basic(basic::AMQPMethod::Publish(publish)) => {
                self.phases
                    .insert(number, Phase::Publishing(Box::new(Partial::new(publish))));
                Ok(())
            }
            AMQPClass::Channel(channel::AMQPMethod::Open(_)) => Err(Refusal::new(
                ReplyCode::ChannelError,
                "second 'channel.open' seen",
            )
            .caused_by(20, 10)),
            AMQPClass::Channel(channel::AMQPMethod::Close(_)) => {
                self.phases.remove(&number);
                self.broker.with(|state, now| state.close_channel(at, now));
                self.outbox.send(
                    number,
                    AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {})),
                );
                Ok(())
            }
            method => self
                .broker
                .with(|state, now| methods::answer(state, at, method, now)),
        }
    }

    fn go_on_publishing(
        &mut self,
        at: ChannelKey,
        partial: Partial,
        frame: Frame,
    ) -> Result<(), Refusal> {
        let step = match frame {
            Frame::Header(_, header) => {
                partial.header(header, &self.account, self.broker.config.max_message_bytes)?
            }
            Frame::Body(_, piece) => partial.body(&piece)?,
            Frame::Method(..) | Frame::Heartbeat => return Err(partial.interrupted()),
        };
        match step {
            Step::More(partial) => {
                let phase = Phase::Publishing(Box::new(partial));
                self.phases.insert(at.number, phase);
                Ok(())
            }
            Step::Whole(content) => {
                self.has_published = true;
                let published = self
                    .broker
                    .with(|state, now| state.publish(at, content, now));
                published.map_err(|refusal| refusal.caused_by(60, 40))
            }
        }
    }

    fn close_channel(&mut self, number: u16, refusal: &Refusal) {
        let at = ChannelKey {
            connection: self.id,
            number,
        };
        self.broker.with(|state, now| state.close_channel(at, now));
        self.phases.insert(number, Phase::Closing);
        let (class_id, method_id) = refusal.cause;
        let reply_text = refusal.reply_text().into();
        let close = channel::Close {
            reply_code: refusal.code.number(),
            reply_text,
            class_id,
            method_id,
        };
        self.outbox.send(
            number,
            AMQPClass::Channel(channel::AMQPMethod::Close(close)),
        );
    }

    fn while_closing(&mut self, number: u16, frame: &Frame) {
        match frame {
            Frame::Method(_, AMQPClass::Channel(channel::AMQPMethod::CloseOk(_))) => return,
            Frame::Method(_, AMQPClass::Channel(channel::AMQPMethod::Close(_))) => {
                // Both sides have closed it at the same time.
                let ok = channel::AMQPMethod::CloseOk(channel::CloseOk {});
                self.outbox.send(number, AMQPClass::Channel(ok));
            }
            _ => {}
        }
        self.phases.insert(number, Phase::Closing);
    }

    /// Sends the end of the connection to the client, and waits for its acknowledgement, at most until `until`: if a
    /// socket is closed with unread octets, the system discards sent data.
    pub(crate) async fn part(&mut self, end: End, until: Instant) {
        // The client may take its time, and needs no memory of half received messages for that.
        self.phases.clear();
        self.note_progress();
        match end {
            End::Gone => {}
            End::ClosedByClient => {
                self.send(0, connection::AMQPMethod::CloseOk(connection::CloseOk {}))
            }
            End::Refused(refusal) => {
                debug!(
                    connection = self.id.0,
                    refusal = refusal.reply_text(),
                    "closing the connection"
                );
                self.outbox.send(0, handshake::close_method(&refusal));
                let _ = timeout_at(until, self.read_until_closed()).await;
            }
        }
    }

    /// Reads until the client closes its socket, and drops what it reads.
    pub(crate) async fn read_to_end(&mut self) -> std::io::Result<()> {
        loop {
            self.octets.clear();
            self.octets.reserve(READ_SIZE);
            if self.reader.read_buf(&mut self.octets).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn read_until_closed(&mut self) -> std::io::Result<()> {
        loop {
            match self.next_frame() {
                Ok(Some(Frame::Method(
                    0,
                    AMQPClass::Connection(connection::AMQPMethod::CloseOk(_)),
                ))) => return Ok(()),
                Ok(Some(Frame::Method(
                    0,
                    AMQPClass::Connection(connection::AMQPMethod::Close(_)),
                ))) => {
                    self.send(0, connection::AMQPMethod::CloseOk(connection::CloseOk {}));
                    return Ok(());
                }
                Ok(Some(_)) => {}
                Ok(None) => self.read().await?,
                Err(_) => {
                    // After a framing error the following octets cannot be read.
                    self.octets.clear();
                    self.read().await?;
                }
            }
        }
    }
}

/// The refusal of a frame that belongs on another channel.
fn on_channel_zero(frame: &Frame) -> Refusal {
    match frame {
        Frame::Method(_, method) => unexpected(method),
        _ => Refusal::new(
            ReplyCode::UnexpectedFrame,
            "expected method frame, got non method frame instead",
        ),
    }
}

/// The refusal of a method that is not allowed on channel 0, in RabbitMQ's words.
fn unexpected(method: &AMQPClass) -> Refusal {
    let (class, id) = (method.get_amqp_class_id(), method.get_amqp_method_id());
    let text = "unexpected method in connection state running";
    Refusal::new(ReplyCode::ChannelError, text).caused_by(class, id)
}
