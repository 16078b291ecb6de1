//! The methods of the basic class, except `basic.publish`, whose content arrives in further frames.

use std::sync::Arc;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::basic::{
    AMQPMethod, Cancel, CancelOk, Consume, ConsumeOk, Qos, QosOk, RecoverOk,
};
use amq_protocol::types::ShortString;
use tokio::time::Instant;

use super::unimplemented;
use crate::arguments::Kind;
use crate::channel::ChannelKey;
use crate::delivery::Verdict;
use crate::field_value::as_integer;
use crate::queue::{Consumer, Queue};
use crate::reply_code::{Refusal, ReplyCode};
use crate::state::State;

pub(super) fn answer(
    state: &mut State,
    at: ChannelKey,
    method: AMQPMethod,
    now: Instant,
) -> Result<(), Refusal> {
    match method {
        AMQPMethod::Qos(qos) => set_prefetch(state, at, &qos),
        AMQPMethod::Consume(consume) => self::consume(state, at, consume)?,
        AMQPMethod::Cancel(cancel) => self::cancel(state, at, cancel, now),
        AMQPMethod::Get(get) => {
            let queue = state.channel_mut(at).queue_meant(&get.queue)?;
            state.get(at, &queue, get.no_ack, now)?;
        }
        AMQPMethod::Ack(ack) => {
            state.acknowledge(at, ack.delivery_tag, ack.multiple, Verdict::Done)?
        }
        AMQPMethod::Nack(nack) => {
            state.acknowledge(at, nack.delivery_tag, nack.multiple, verdict(nack.requeue))?;
        }
        AMQPMethod::Reject(reject) => {
            state.acknowledge(at, reject.delivery_tag, false, verdict(reject.requeue))?
        }
        AMQPMethod::Recover(recover) => {
            check_recover(recover.requeue)?;
            state.recover(at);
            state.reply(at, AMQPClass::Basic(AMQPMethod::RecoverOk(RecoverOk {})));
        }
        AMQPMethod::RecoverAsync(recover) => {
            check_recover(recover.requeue)?;
            state.recover(at);
        }
        _ => return Err(unimplemented()),
    }
    Ok(())
}

fn verdict(requeue: bool) -> Verdict {
    if requeue {
        Verdict::Requeue
    } else {
        Verdict::Reject
    }
}

/// Refuses `requeue` unset: returning messages to the same consumers is not implemented, as in RabbitMQ.
fn check_recover(requeue: bool) -> Result<(), Refusal> {
    if requeue {
        Ok(())
    } else {
        Err(Refusal::new(ReplyCode::NotImplemented, "requeue=false"))
    }
}

/// Sets the prefetch. With `global` all consumers of the channel share it; otherwise each later consumer has
/// its own. This is RabbitMQ's reading of the flag, which its clients expect.
fn set_prefetch(state: &mut State, at: ChannelKey, qos: &Qos) {
    let channel = state.channel_mut(at);
    if qos.global {
        channel.shared_prefetch = qos.prefetch_count;
    } else {
        channel.prefetch = qos.prefetch_count;
    }
    state.reply(at, AMQPClass::Basic(AMQPMethod::QosOk(QosOk {})));
    state.unsettle_consumed_by(at.connection);
}

fn consume(state: &mut State, at: ChannelKey, consume: Consume) -> Result<(), Refusal> {
    if consume.queue.as_str() == "amq.rabbitmq.reply-to" {
        return Err(Refusal::new(ReplyCode::NotImplemented, "direct reply-to"));
    }
    let name = state.channel_mut(at).queue_meant(&consume.queue)?;
    if consume
        .arguments
        .inner()
        .get("x-priority")
        .is_some_and(|priority| as_integer(priority) != Some(0))
    {
        return Err(Refusal::new(
            ReplyCode::NotImplemented,
            "consumer priorities",
        ));
    }
    if consume.arguments.contains_key("x-stream-offset") {
        let kind = state.queue_mut(&name, at.connection)?.arguments.kind;
        return Err(kind.refused("x-stream-offset", &Queue::described(&name)));
    }
    let tag = match consume.consumer_tag.as_str() {
        "" => ShortString::from(format!("amq.ctag-{:016x}", state.next_id())),
        _ => consume.consumer_tag,
    };
    if state.channel_mut(at).consumers.contains_key(&tag) {
        let text = format!("attempt to reuse consumer tag '{tag}'");
        return Err(Refusal::new(ReplyCode::NotAllowed, text));
    }
    let prefetch = state.channel_mut(at).prefetch;
    let has_shared_prefetch = state.channel_mut(at).shared_prefetch > 0;
    state.check_room("a consumer")?;
    let held = state.memory.hold(CONSUMER + 2 * tag.as_str().len());
    let queue = state.queue_mut(&name, at.connection)?;
    if has_shared_prefetch && queue.arguments.kind == Kind::Quorum {
        let text = format!("{} does not support global qos", Queue::described(&name));
        return Err(Refusal::new(ReplyCode::NotImplemented, text));
    }
    let is_taken = queue.consumers.iter().any(|consumer| consumer.exclusive);
    if is_taken || (consume.exclusive && !queue.consumers.is_empty()) {
        let text = format!("{} in exclusive use", Queue::described(&name));
        return Err(Refusal::new(ReplyCode::AccessRefused, text));
    }
    queue.consumers.push_back(Consumer {
        at,
        tag: tag.clone(),
        no_ack: consume.no_ack,
        exclusive: consume.exclusive,
        prefetch,
        unacked: 0,
        _held: held,
    });
    state
        .channel_mut(at)
        .consumers
        .insert(tag.clone(), Arc::clone(&name));
    state.unsettled.insert(name);
    if !consume.nowait {
        let ok = ConsumeOk { consumer_tag: tag };
        state.reply(at, AMQPClass::Basic(AMQPMethod::ConsumeOk(ok)));
    }
    Ok(())
}

/// The bytes that a consumer counts besides its tag.
const CONSUMER: usize = 256;

/// Cancels a consumer; its unacknowledged messages stay with the channel. It is no error if the tag does not
/// exist.
fn cancel(state: &mut State, at: ChannelKey, cancel: Cancel, now: Instant) {
    if let Some(queue) = state.channel_mut(at).consumers.remove(&cancel.consumer_tag) {
        state.remove_consumer(at, &cancel.consumer_tag, &queue, now);
    }
    if !cancel.nowait {
        let ok = CancelOk {
            consumer_tag: cancel.consumer_tag,
        };
        state.reply(at, AMQPClass::Basic(AMQPMethod::CancelOk(ok)));
    }
}
