//! Mails: built with lettre, and stored as `.eml` files or sent through a mail server.
//!
//! The `Message-ID` of a mail is derived from the id of the message that asked for it, so one mail that was
//! sent twice can be told from two mails. A file is named after it, so writing the mail twice leaves one
//! file.

use std::{fmt::Write, io, path::PathBuf};

use api::OrderPlaced;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use plain::Plain;
use thiserror::Error;

/// The sender of the shop's mails, and the domain of their ids.
const SENDER: &str = "Tracelab Outfitters <orders@shop.example>";
const DOMAIN: &str = "shop.example";

/// A mail that is ready to be sent.
#[derive(Debug)]
pub struct Letter {
    message_id: String,
    mail: Message,
}

/// The way in which mails are sent.
#[derive(Clone, Debug)]
pub enum Mailer {
    /// Each mail is written to its own file.
    Folder(PathBuf),
    /// Through a mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

/// Why a mail was not sent.
#[derive(Debug, Error)]
pub enum MailError {
    /// No way to send mails is given, or two.
    #[error("say where mails go: --mail-dir FOLDER or --smtp-url URL")]
    Nowhere,
    /// The folder cannot be used.
    #[error("cannot use the folder {folder} for mails (--mail-dir): {why}", folder = Plain(folder.display()))]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The error of the operating system.
        why: io::Error,
    },
    /// The address of the mail server is malformed.
    #[error("{url:?} is no address of a mail server (--smtp-url), such as smtp://127.0.0.1:1025")]
    Url {
        /// The address.
        url: String,
    },
    /// The id of the message cannot be part of a mail's id and of a file name.
    #[error("{id:?} cannot be the id of a message: letters, digits and dashes can")]
    MessageId {
        /// The id.
        id: String,
    },
    /// The address of the recipient is malformed.
    #[error("{address:?} is no address that a mail can be sent to: {why}")]
    Recipient {
        /// The address.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The mail cannot be built.
    #[error("the mail cannot be written: {0}")]
    Compose(#[from] lettre::error::Error),
    /// The file cannot be written.
    #[error("the mail cannot be kept: {0}")]
    Keep(#[from] io::Error),
    /// The mail server refused the mail.
    #[error("the mail server did not take the mail: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
}

// === impl Letter ===

impl Letter {
    /// Builds the mail that confirms an order.
    ///
    /// # Errors
    ///
    /// When the id of the message or the address of the order cannot be used in a mail.
    pub fn confirming(order: &OrderPlaced) -> Result<Self, MailError> {
        let recipient = order
            .email
            .parse::<Mailbox>()
            .map_err(|why| MailError::Recipient {
                address: order.email.clone(),
                why: why.to_string(),
            })?;
        let id = &order.message_id;
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(MailError::MessageId { id: id.clone() });
        }
        let sender = SENDER
            .parse::<Mailbox>()
            .expect("the shop's own address is well formed");
        let mail = Message::builder()
            .from(sender)
            .to(recipient)
            .subject(format!("Your order {}", order.order_id))
            .message_id(Some(format!("<{}@{DOMAIN}>", order.message_id)))
            .header(ContentType::TEXT_PLAIN)
            .body(text(order))?;
        Ok(Letter {
            message_id: order.message_id.clone(),
            mail,
        })
    }
}

fn text(order: &OrderPlaced) -> String {
    let mut text = format!("Thank you for your order {}.\n\n", order.order_id);
    for line in &order.lines {
        let cents = i64::from(line.quantity) * line.price_cents;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:>4} × {:<44} {:>10}",
            line.quantity,
            line.name,
            euros(cents)
        );
    }
    if order.discount_cents > 0 {
        let _ = writeln!(
            text,
            "{:>51} {:>10}",
            "Discount",
            euros(-order.discount_cents)
        );
    }
    let _ = writeln!(text, "{:>51} {:>10}", "Total", euros(order.total_cents));
    text
}

fn euros(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02} €", cents.abs() / 100, cents.abs() % 100)
}

// === impl Mailer ===

impl Mailer {
    /// The way to send mails that the arguments choose.
    ///
    /// # Errors
    ///
    /// When no way or two ways are given, or the given one cannot be used.
    pub fn new(folder: Option<PathBuf>, smtp_url: Option<&str>) -> Result<Self, MailError> {
        match (folder, smtp_url) {
            (Some(folder), None) => match std::fs::create_dir_all(&folder) {
                Ok(()) => Ok(Mailer::Folder(folder)),
                Err(why) => Err(MailError::Folder { folder, why }),
            },
            (None, Some(url)) => {
                let (host, port) = host_and_port(url).ok_or_else(|| MailError::Url {
                    url: url.to_owned(),
                })?;
                // Without encryption, which is safe only within one machine or a private network.
                let server =
                    AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port);
                Ok(Mailer::Smtp(server.build()))
            }
            _ => Err(MailError::Nowhere),
        }
    }

    /// Sends a mail.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or the mail server does not take the mail.
    pub async fn send(&self, letter: Letter) -> Result<(), MailError> {
        match self {
            Mailer::Folder(folder) => keep(folder.clone(), letter).await?,
            Mailer::Smtp(server) => {
                server.send(letter.mail).await?;
            }
        }
        Ok(())
    }
}

/// The host and the port of `smtp://HOST:PORT`.
fn host_and_port(url: &str) -> Option<(String, u16)> {
    let uri: axum::http::Uri = url.parse().ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    (uri.scheme_str() == Some("smtp")).then(|| (host.to_owned(), uri.port_u16().unwrap_or(25)))
}

/// Writes a temporary file beside the path and renames it, so that a reader sees the whole file or none.
async fn keep(folder: PathBuf, letter: Letter) -> io::Result<()> {
    let written = folder.join(format!(".{}.part", letter.message_id));
    let kept = folder.join(format!("{}.eml", letter.message_id));
    tokio::fs::write(&written, letter.mail.formatted()).await?;
    tokio::fs::rename(&written, &kept).await
}
