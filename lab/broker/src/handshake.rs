//! The start of a connection: protocol header, authentication, tuning, virtual host (AMQP 0-9-1,
//! 2.2.4 and 4.2.2).
//!
//! Before its end the client may not use the broker, so the handshake is a simple sequence of messages on the
//! bare socket, with one time limit for the whole.

use std::time::Duration;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::{
    AMQPMethod, Close, CloseOk, OpenOk, Start, StartOk, Tune, TuneOk,
};
use amq_protocol::types::{AMQPValue, FieldTable, parsing};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Config;
use crate::reply_code::{Refusal, ReplyCode};
use crate::wire::{self, Frame};

/// The longest time for the whole handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time that a refused client may take to acknowledge the refusal.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// The lowest allowed `frame_max` (AMQP 0-9-1, 4.2.3). The codec's constant is that of RabbitMQ 4.1, which
/// requires twice as much.
const FRAME_MIN_SIZE: u32 = 4096;
/// The protocol header: every connection starts with it, and it is the answer to anything else.
const PROTOCOL_HEADER: &[u8; 8] = b"AMQP\0\0\x09\x01";

/// The result of a successful handshake.
#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) frame_max: u32,
    pub(crate) channel_max: u16,
    /// The heartbeat interval; `None` if the client wants no heartbeats.
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) user: String,
    /// Whether the client understands `connection.blocked`.
    pub(crate) understands_blocked: bool,
    /// Whether the client understands a `basic.cancel` from the broker.
    pub(crate) understands_cancel: bool,
    /// Octets that the client has sent after the handshake.
    pub(crate) rest: BytesMut,
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the client is gone: {0}")]
    Io(#[from] std::io::Error),
    #[error("the client does not speak AMQP 0-9-1")]
    WrongProtocol,
    #[error("the client has not finished the handshake within {PATIENCE:?}")]
    TooSlow,
    #[error("{}", .0.reply_text())]
    Refused(Refusal),
}

/// Performs the handshake. If it fails, the client has received the reason.
pub(crate) async fn agree(stream: &mut TcpStream, config: &Config) -> Result<Agreement, Failure> {
    let mut talk = Talk {
        stream,
        octets: BytesMut::new(),
        frame_max: config.frame_max.max(FRAME_MIN_SIZE),
    };
    let agreed = timeout(PATIENCE, talk.through(config))
        .await
        .unwrap_or(Err(Failure::TooSlow));
    match &agreed {
        Err(Failure::WrongProtocol) => talk.stream.write_all(PROTOCOL_HEADER).await?,
        Err(Failure::Refused(refusal)) => {
            let _ = timeout(CLOSE_PATIENCE, talk.close(refusal)).await;
        }
        _ => {}
    }
    let mut agreement = agreed?;
    agreement.rest = talk.octets;
    Ok(agreement)
}

/// Makes a `connection.close` for a refusal.
pub(crate) fn close_method(refusal: &Refusal) -> AMQPClass {
    let (class_id, method_id) = refusal.cause;
    let reply_text = refusal.reply_text().into();
    let close = Close {
        reply_code: refusal.code.number(),
        reply_text,
        class_id,
        method_id,
    };
    AMQPClass::Connection(AMQPMethod::Close(close))
}

/// The handshake with one client.
struct Talk<'a> {
    stream: &'a mut TcpStream,
    octets: BytesMut,
    frame_max: u32,
}

impl Talk<'_> {
    async fn through(&mut self, config: &Config) -> Result<Agreement, Failure> {
        self.protocol_header().await?;
        self.send(AMQPMethod::Start(start())).await?;
        let start_ok = match self.next().await? {
            AMQPMethod::StartOk(start_ok) => start_ok,
            other => return Err(out_of_turn("start-ok", &other)),
        };
        let user = user(&start_ok)?;
        let client = capabilities(&start_ok.client_properties);

        let heartbeat = u16::try_from(config.heartbeat.as_secs()).unwrap_or(u16::MAX);
        let tune = Tune {
            channel_max: config.channel_max,
            frame_max: self.frame_max,
            heartbeat,
        };
        self.send(AMQPMethod::Tune(tune.clone())).await?;
        let tune_ok = match self.next().await? {
            AMQPMethod::TuneOk(tune_ok) => tune_ok,
            other => return Err(out_of_turn("tune-ok", &other)),
        };
        let (channel_max, frame_max) = limits(&tune, &tune_ok)?;

        match self.next().await? {
            AMQPMethod::Open(open) if open.virtual_host.as_str() == "/" => {}
            AMQPMethod::Open(open) => {
                let text = format!("vhost {} not found", open.virtual_host);
                return Err(Failure::Refused(
                    Refusal::new(ReplyCode::NotAllowed, text).caused_by(10, 40),
                ));
            }
            other => return Err(out_of_turn("open", &other)),
        }
        self.send(AMQPMethod::OpenOk(OpenOk {})).await?;
        Ok(Agreement {
            frame_max,
            channel_max,
            heartbeat: (tune_ok.heartbeat > 0)
                .then(|| Duration::from_secs(tune_ok.heartbeat.into())),
            user,
            understands_blocked: has(&client, "connection.blocked"),
            understands_cancel: has(&client, "consumer_cancel_notify"),
            rest: BytesMut::new(),
        })
    }

    /// Waits for the protocol header. A wrong header is refused at its first wrong octet.
    async fn protocol_header(&mut self) -> Result<(), Failure> {
        loop {
            let seen = self.octets.len().min(PROTOCOL_HEADER.len());
            if self.octets[..seen] != PROTOCOL_HEADER[..seen] {
                return Err(Failure::WrongProtocol);
            }
            if seen == PROTOCOL_HEADER.len() {
                self.octets.advance(seen);
                return Ok(());
            }
            self.read().await?;
        }
    }

    /// Reads the next method, which must be of the connection class.
    async fn next(&mut self) -> Result<AMQPMethod, Failure> {
        loop {
            match wire::decode(&mut self.octets, self.frame_max).map_err(Failure::Refused)? {
                Some(Frame::Method(0, AMQPClass::Connection(method))) => return Ok(method),
                Some(Frame::Heartbeat) => {}
                Some(Frame::Method(_, method)) => {
                    let text = "method before the connection is open";
                    let refusal = Refusal::new(ReplyCode::CommandInvalid, text);
                    let (class, id) = (method.get_amqp_class_id(), method.get_amqp_method_id());
                    return Err(Failure::Refused(refusal.caused_by(class, id)));
                }
                Some(_) => {
                    let text = "expected method frame, got non method frame instead";
                    return Err(Failure::Refused(Refusal::new(
                        ReplyCode::UnexpectedFrame,
                        text,
                    )));
                }
                None => self.read().await?,
            }
        }
    }

    async fn read(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.octets).await? {
            0 => Err(Failure::Io(std::io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }

    async fn send(&mut self, method: AMQPMethod) -> Result<(), Failure> {
        let mut octets = Vec::new();
        wire::encode_method(&mut octets, 0, AMQPClass::Connection(method));
        Ok(self.stream.write_all(&octets).await?)
    }

    /// Sends the refusal to the client, and reads until the client acknowledges it: if a socket is closed
    /// with unread octets, the system discards sent data.
    async fn close(&mut self, refusal: &Refusal) -> Result<(), Failure> {
        let mut octets = Vec::new();
        wire::encode_method(&mut octets, 0, close_method(refusal));
        self.stream.write_all(&octets).await?;
        loop {
            match wire::decode(&mut self.octets, self.frame_max) {
                Ok(Some(Frame::Method(
                    0,
                    AMQPClass::Connection(AMQPMethod::CloseOk(CloseOk {})),
                ))) => return Ok(()),
                Ok(Some(_)) => {}
                Ok(None) => self.read().await?,
                Err(_) => {
                    self.octets.clear();
                    self.read().await?;
                }
            }
        }
    }
}

fn start() -> Start {
    // Only supported capabilities are `true`; the others are listed with `false`, so that a client need not
    // guess.
    let capabilities = [
        ("publisher_confirms", true),
        ("basic.nack", true),
        ("consumer_cancel_notify", true),
        ("connection.blocked", true),
        ("authentication_failure_close", true),
        ("per_consumer_qos", true),
        ("exchange_exchange_bindings", true),
        ("consumer_priorities", false),
        ("direct_reply_to", false),
    ];
    let mut table = FieldTable::default();
    for (name, is_true) in capabilities {
        table.insert(name.into(), AMQPValue::Boolean(is_true));
    }
    let mut server_properties = FieldTable::default();
    server_properties.insert("capabilities".into(), AMQPValue::FieldTable(table));
    let texts = [
        ("product", "tracelab broker"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("platform", "Rust"),
        ("information", "one node, for a laboratory"),
    ];
    for (name, text) in texts {
        server_properties.insert(name.into(), AMQPValue::LongString(text.into()));
    }
    Start {
        version_major: 0,
        version_minor: 9,
        server_properties,
        mechanisms: "AMQPLAIN PLAIN".into(),
        locales: "en_US".into(),
    }
}

/// The name of the user. Any password is accepted.
fn user(start_ok: &StartOk) -> Result<String, Failure> {
    let response = start_ok.response.as_bytes();
    let user = match start_ok.mechanism.as_str() {
        "PLAIN" => plain_user(response),
        "AMQPLAIN" => amqplain_user(response),
        _ => None,
    };
    user.filter(|user| !user.is_empty()).ok_or_else(|| {
        let mechanism = &start_ok.mechanism;
        let text = format!(
            "Login was refused using authentication mechanism {mechanism}. \
             The broker takes PLAIN and AMQPLAIN with a user name and any password."
        );
        Failure::Refused(Refusal::new(ReplyCode::AccessRefused, text))
    })
}

/// `authorization NUL user NUL password` (RFC 4616).
fn plain_user(response: &[u8]) -> Option<String> {
    let fields: Vec<_> = response.split(|octet| *octet == 0).collect();
    match fields[..] {
        [_, user, _] => String::from_utf8(user.to_vec()).ok(),
        _ => None,
    }
}

/// A table with `LOGIN` and `PASSWORD`, without the length that tables have elsewhere.
fn amqplain_user(response: &[u8]) -> Option<String> {
    wire::check_nesting(response).ok()?;
    let length = u32::try_from(response.len()).ok()?;
    let table = [&length.to_be_bytes(), response].concat();
    let (_, table) = parsing::parse_field_table(table.as_slice()).ok()?;
    table.inner().get("PASSWORD")?.as_long_string()?;
    let login = table.inner().get("LOGIN")?.as_long_string()?;
    String::from_utf8(login.as_bytes().to_vec()).ok()
}

fn capabilities(client_properties: &FieldTable) -> FieldTable {
    let table = client_properties
        .inner()
        .get("capabilities")
        .and_then(AMQPValue::as_field_table);
    table.cloned().unwrap_or_default()
}

fn has(capabilities: &FieldTable, name: &str) -> bool {
    capabilities
        .inner()
        .get(name)
        .and_then(AMQPValue::as_bool)
        .unwrap_or(false)
}

/// The channel-max and frame-max that the client wants, which may be lower than offered. Zero means no limit,
/// which is more than is offered and so is refused.
fn limits(offered: &Tune, wanted: &TuneOk) -> Result<(u16, u32), Failure> {
    let (channels, frame) = (wanted.channel_max, wanted.frame_max);
    check_limit(
        "channel_max",
        channels.into(),
        1,
        offered.channel_max.into(),
    )?;
    check_limit("frame_max", frame, FRAME_MIN_SIZE, offered.frame_max)?;
    Ok((channels, frame))
}

fn check_limit(what: &str, wanted: u32, least: u32, most: u32) -> Result<(), Failure> {
    let why = match wanted {
        0 => format!("0 (no limit) is higher than the maximum allowed value ({most})"),
        _ if wanted > most => {
            format!("{wanted} is higher than the maximum allowed value ({most})")
        }
        _ if wanted < least => {
            format!("{wanted} is lower than the minimum allowed value ({least})")
        }
        _ => return Ok(()),
    };
    let text = format!("negotiated {what} = {why}");
    let refusal = Refusal::new(ReplyCode::NotAllowed, text);
    Err(Failure::Refused(refusal.caused_by(10, 31)))
}

fn out_of_turn(expected: &str, got: &AMQPMethod) -> Failure {
    let method = AMQPClass::Connection(got.clone());
    let text = format!("expected connection.{expected}");
    let refusal = Refusal::new(ReplyCode::CommandInvalid, text);
    Failure::Refused(refusal.caused_by(method.get_amqp_class_id(), method.get_amqp_method_id()))
}
