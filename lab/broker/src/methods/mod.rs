//! Answers one method of an open channel on the broker's state.
//!
//! A refusal names the method that it refuses; its code says whether it ends the channel or the connection.
//! The methods that open and close channels and connections are in [`crate::connection`].

mod basic;
mod exchange;
mod queue;

use amq_protocol::protocol::{AMQPClass, access, channel, confirm};
use tokio::time::Instant;

use crate::channel::{ChannelKey, Confirms};
use crate::reply_code::{Refusal, ReplyCode};
use crate::state::State;

/// Answers a method.
pub(crate) fn answer(
    state: &mut State,
    at: ChannelKey,
    method: AMQPClass,
    now: Instant,
) -> Result<(), Refusal> {
    let (class, id) = (method.get_amqp_class_id(), method.get_amqp_method_id());
    let answered = match method {
        AMQPClass::Basic(method) => basic::answer(state, at, method, now),
        AMQPClass::Exchange(method) => exchange::answer(state, at, method),
        AMQPClass::Queue(method) => queue::answer(state, at, method, now),
        AMQPClass::Confirm(confirm::AMQPMethod::Select(select)) => {
            select_confirms(state, at, &select);
            Ok(())
        }
        AMQPClass::Channel(channel::AMQPMethod::Flow(flow)) => keep_flow(state, at, &flow),
        AMQPClass::Access(access::AMQPMethod::Request(_)) => {
            // Realms were removed in AMQP 0-9-1; old clients still request them, and accept any answer.
            let ok = access::RequestOk {};
            state.reply(at, AMQPClass::Access(access::AMQPMethod::RequestOk(ok)));
            Ok(())
        }
        AMQPClass::Tx(_) => Err(Refusal::new(ReplyCode::NotImplemented, "transactions")),
        AMQPClass::Connection(_)
        | AMQPClass::Channel(_)
        | AMQPClass::Access(_)
        | AMQPClass::Confirm(_) => Err(unimplemented()),
    };
    answered.map_err(|refusal| refusal.caused_by(class, id))
}

/// The refusal of a method that a client must not send, in RabbitMQ's words.
pub(crate) fn unimplemented() -> Refusal {
    Refusal::new(ReplyCode::CommandInvalid, "unimplemented method")
}

fn select_confirms(state: &mut State, at: ChannelKey, select: &confirm::Select) {
    state
        .channel_mut(at)
        .confirms
        .get_or_insert_with(Confirms::default);
    if !select.nowait {
        state.reply(
            at,
            AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(confirm::SelectOk {})),
        );
    }
}

/// Refuses to stop deliveries by `channel.flow`, as RabbitMQ does. A client that wants no more deliveries
/// cancels its consumers, or sets a prefetch.
fn keep_flow(state: &State, at: ChannelKey, flow: &channel::Flow) -> Result<(), Refusal> {
    if !flow.active {
        return Err(Refusal::new(ReplyCode::NotImplemented, "active=false"));
    }
    let ok = channel::FlowOk { active: true };
    state.reply(at, AMQPClass::Channel(channel::AMQPMethod::FlowOk(ok)));
    Ok(())
}
