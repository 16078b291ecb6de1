//! Publishing: checks a message and puts it into its queues.

use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, basic};
use tokio::time::Instant;

use crate::arguments::{self, Overflow};
use crate::channel::ChannelKey;
use crate::clock;
use crate::content::Content;
use crate::copies;
use crate::dead_letter::{DeadLetter, Reason};
use crate::message::{Message, Parts};
use crate::reply_code::{Refusal, ReplyCode};
use crate::routing::Envelope;
use crate::state::State;
use crate::wire;

/// The result of publishing a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    by_all: bool,
    /// Whether the message is in the journal.
    is_kept: bool,
}

impl State {
    /// Publishes a message: routes it, returns it if it is `mandatory` and no queue receives it, and counts
    /// it for the confirms.
    pub(crate) fn publish(
        &mut self,
        at: ChannelKey,
        content: Content,
        now: Instant,
    ) -> Result<(), Refusal> {
        let Content {
            publish,
            header,
            body,
        } = content;
        if publish.immediate {
            return Err(Refusal::new(ReplyCode::NotImplemented, "immediate=true"));
        }
        let (exchange, routing_key) = (publish.exchange, publish.routing_key);
        if self
            .exchanges
            .get(exchange.as_str())
            .is_some_and(|exchange| exchange.settings.internal)
        {
            let text = format!("cannot publish to internal exchange '{exchange}' in vhost '/'");
            return Err(Refusal::new(ReplyCode::AccessRefused, text));
        }
        if !exchange.as_str().is_empty() && !self.exchanges.contains_key(exchange.as_str()) {
            return Err(Refusal::new(
                ReplyCode::NotFound,
                format!("no exchange '{exchange}' in vhost '/'"),
            ));
        }
        let expiration = header
            .expiration
            .as_ref()
            .map(|text| arguments::expiration(text.as_str()))
            .transpose()?;
        if let Some(user_id) = &header.user_id {
            self.check_user_id(at, user_id.as_str())?;
        }

        let is_persistent = is_persistent(header.delivery_mode)?;
        let copies = header.copying.as_ref().map(copies::keys).transpose()?;
        let copies = copies.unwrap_or_default();
        let payload = match &header.copying {
            Some(headers) if copies::are_blind_in(headers) => {
                let headers = copies::without_bcc(headers);
                let properties = wire::properties_of(&header.payload).with_headers(headers);
                wire::header_payload(body.len(), &properties)
            }
            _ => header.payload,
        };
        let envelope = Envelope::new(routing_key.as_str(), &copies, &payload);
        let queues = self.route(exchange.as_str(), &envelope).unwrap_or_default();

        let parts = Parts {
            exchange,
            routing_key,
            copies,
            header: payload,
            body,
            expiration,
            is_persistent,
        };
        let message = Arc::new(Message::new(parts, &self.memory));
        if queues.is_empty() && publish.mandatory {
            self.return_unroutable(at, &message);
        }
        let taken = self.enqueue(&queues, message, now);
        self.confirm(at, taken);
        Ok(())
    }

    /// Adds a message to queues.
    pub(crate) fn enqueue(
        &mut self,
        queues: &[Arc<str>],
        message: Arc<Message>,
        now: Instant,
    ) -> Taken {
        let mut taken = Taken {
            by_all: true,
            is_kept: false,
        };
        for name in queues {
            let Some(queue) = self.queues.get_mut(name) else {
                continue;
            };
            if queue.rejects(&message) {
                taken.by_all = false;
                if queue.arguments.overflow == Overflow::RejectPublishDeadLetter
                    && let Some(to) = queue.arguments.dead_letter.clone()
                {
                    let (message, queue) = (Arc::clone(&message), Arc::clone(name));
                    self.dead_letters.push_back(DeadLetter {
                        message,
                        queue,
                        reason: Reason::MaxLength,
                        to,
                    });
                }
                continue;
            }
            let expires_at = queue.expiry_of(&message, now);
            let kept = if queue.keeps(&message) {
                let expires_ms = expires_at.map(|at| clock::since_epoch_ms(at, now));
                self.journal.keep(queue.id, &message, expires_ms)
            } else {
                None
            };
            taken.is_kept |= kept.is_some();
            queue
                .ready
                .push(Arc::clone(&message), expires_at, kept, &self.memory);
            self.unsettled.insert(Arc::clone(name));
        }
        taken
    }

    /// Refuses a message whose `user_id` property names another user than the publisher.
    fn check_user_id(&mut self, at: ChannelKey, user_id: &str) -> Result<(), Refusal> {
        let user = &self.connection_mut(at.connection).user;
        if user == user_id {
            return Ok(());
        }
        let text =
            format!("user_id property set to '{user_id}' but authenticated user was '{user}'");
        Err(Refusal::new(ReplyCode::PreconditionFailed, text))
    }

    fn return_unroutable(&mut self, at: ChannelKey, message: &Message) {
        let returned = basic::Return {
            reply_code: ReplyCode::NoRoute.number(),
            reply_text: ReplyCode::NoRoute.name().into(),
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
        };
        let method = AMQPClass::Basic(basic::AMQPMethod::Return(returned));
        let outbox = &self.connection_mut(at.connection).outbox;
        outbox.send_message(at.number, method, &message.header, &message.body);
    }

    fn confirm(&mut self, at: ChannelKey, taken: Taken) {
        let ticket = if taken.is_kept {
            self.journal.ticket()
        } else {
            0
        };
        if let Some(confirms) = &mut self.channel_mut(at).confirms {
            confirms.count(taken.by_all, ticket);
        }
    }
}

/// Whether a message with this delivery mode is persistent (AMQP 0-9-1, 1.8.3.8).
fn is_persistent(delivery_mode: Option<u8>) -> Result<bool, Refusal> {
    match delivery_mode {
        None | Some(1) => Ok(false),
        Some(2) => Ok(true),
        Some(other) => Err(Refusal::new(
            ReplyCode::PreconditionFailed,
            format!("invalid message: {{delivery_mode_unknown,{other}}}"),
        )),
    }
}
