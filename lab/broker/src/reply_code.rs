//! The reply codes of AMQP 0-9-1 (1.1 "Constants"), and a refusal that carries one.
//!
//! The code of an error decides whether it ends the channel or the whole connection, not the place that
//! raises it: see `Scope`.

/// The reply codes that this broker uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyCode {
    NoRoute = 312,
    ConnectionForced = 320,
    AccessRefused = 403,
    NotFound = 404,
    ResourceLocked = 405,
    PreconditionFailed = 406,
    FrameError = 501,
    SyntaxError = 502,
    CommandInvalid = 503,
    ChannelError = 504,
    UnexpectedFrame = 505,
    ResourceError = 506,
    NotAllowed = 530,
    NotImplemented = 540,
}

/// What an error ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Channel,
    Connection,
}

/// An error for the client, with the method that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ReplyCode,
    pub(crate) text: String,
    /// Class and method id of the cause; zeros if it was not a method.
    pub(crate) cause: (u16, u16),
}

// === impl ReplyCode ===

impl ReplyCode {
    /// The number on the wire.
    pub(crate) fn number(self) -> u16 {
        self as u16
    }

    /// The name that starts the reply text.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "NO_ROUTE",
            Self::ConnectionForced => "CONNECTION_FORCED",
            Self::AccessRefused => "ACCESS_REFUSED",
            Self::NotFound => "NOT_FOUND",
            Self::ResourceLocked => "RESOURCE_LOCKED",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::FrameError => "FRAME_ERROR",
            Self::SyntaxError => "SYNTAX_ERROR",
            Self::CommandInvalid => "COMMAND_INVALID",
            Self::ChannelError => "CHANNEL_ERROR",
            Self::UnexpectedFrame => "UNEXPECTED_FRAME",
            Self::ResourceError => "RESOURCE_ERROR",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::NotImplemented => "NOT_IMPLEMENTED",
        }
    }

    /// The 3xx and 40x codes are soft errors; the others, and a forced close, are hard.
    pub(crate) fn scope(self) -> Scope {
        match self {
            Self::NoRoute
            | Self::AccessRefused
            | Self::NotFound
            | Self::ResourceLocked
            | Self::PreconditionFailed => Scope::Channel,
            _ => Scope::Connection,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn new(code: ReplyCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            cause: (0, 0),
        }
    }

    /// Sets the method that caused it.
    pub(crate) fn caused_by(mut self, class: u16, method: u16) -> Self {
        self.cause = (class, method);
        self
    }

    /// The text on the wire, `NAME - text`. It is cut at the 255 octets of a short string as in RabbitMQ, but
    /// never within a character.
    pub(crate) fn reply_text(&self) -> String {
        let mut text = format!("{} - {}", self.code.name(), self.text);
        if text.len() > 255 {
            text.truncate(text.floor_char_boundary(252));
            text.push_str("...");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let refusal = Refusal::new(ReplyCode::NotFound, "ü".repeat(300));
        let text = refusal.reply_text();
        assert_eq!(text.len(), 255);
        assert!(text.starts_with("NOT_FOUND - ü") && text.ends_with("ü..."));
    }

    #[test]
    fn soft_errors_end_the_channel_only() {
        assert_eq!(ReplyCode::PreconditionFailed.scope(), Scope::Channel);
        assert_eq!(ReplyCode::NotImplemented.scope(), Scope::Connection);
        assert_eq!(ReplyCode::ConnectionForced.scope(), Scope::Connection);
    }
}
