//! The methods of the queue class.

use std::collections::VecDeque;
use std::sync::Arc;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::queue::{
    AMQPMethod, Bind, BindOk, Declare, DeclareOk, Delete, DeleteOk, PurgeOk, Unbind, UnbindOk,
};
use tokio::time::Instant;

use super::exchange::{add_binding, check_not_default, not_found, remove_binding};
use super::unimplemented;
use crate::arguments::{Arguments, Kind};
use crate::channel::ChannelKey;
use crate::delivery::count;
use crate::exchange::Destination;
use crate::journal::{BoundTo, Change};
use crate::queue::{Queue, Settings};
use crate::ready::Ready;
use crate::reply_code::{Refusal, ReplyCode};
use crate::state::State;

pub(super) fn answer(
    state: &mut State,
    at: ChannelKey,
    method: AMQPMethod,
    now: Instant,
) -> Result<(), Refusal> {
    match method {
        AMQPMethod::Declare(declare) => {
            let nowait = declare.nowait;
            let declared = self::declare(state, at, declare, now)?;
            reply_unless(nowait, state, at, AMQPMethod::DeclareOk(declared));
        }
        AMQPMethod::Bind(bind) => {
            let nowait = bind.nowait;
            self::bind(state, at, bind)?;
            reply_unless(nowait, state, at, AMQPMethod::BindOk(BindOk {}));
        }
        AMQPMethod::Unbind(unbind) => {
            self::unbind(state, at, &unbind)?;
            reply_unless(false, state, at, AMQPMethod::UnbindOk(UnbindOk {}));
        }
        AMQPMethod::Purge(purge) => {
            let name = state.channel_mut(at).queue_meant(&purge.queue)?;
            let message_count = count(state.queue_mut(&name, at.connection)?.ready.clear());
            state.unsettled.insert(name);
            reply_unless(
                purge.nowait,
                state,
                at,
                AMQPMethod::PurgeOk(PurgeOk { message_count }),
            );
        }
        AMQPMethod::Delete(delete) => {
            let message_count = self::delete(state, at, &delete)?;
            reply_unless(
                delete.nowait,
                state,
                at,
                AMQPMethod::DeleteOk(DeleteOk { message_count }),
            );
        }
        _ => return Err(unimplemented()),
    }
    Ok(())
}

fn declare(
    state: &mut State,
    at: ChannelKey,
    declare: Declare,
    now: Instant,
) -> Result<DeclareOk, Refusal> {
    let name = match (declare.queue.as_str(), declare.passive) {
        ("", true) => state.channel_mut(at).queue_meant(&declare.queue)?,
        ("", false) => generated_name(state),
        (name, _) => Arc::from(name),
    };
    let exists = state.queues.contains_key(&name);
    if declare.passive || exists {
        let queue = state.queue_mut(&name, at.connection)?;
        if !declare.passive {
            check_equivalent(queue, &declare)?;
        }
        queue.unused_since = now;
    } else {
        create(state, at, Arc::clone(&name), declare, now)?;
    }
    state.unsettled.insert(Arc::clone(&name));
    state.channel_mut(at).last_queue = Some(Arc::clone(&name));
    let queue = state.queue_mut(&name, at.connection)?;
    Ok(DeclareOk {
        queue: (&*name).into(),
        message_count: count(queue.ready.len()),
        consumer_count: count(queue.consumers.len()),
    })
}

fn create(
    state: &mut State,
    at: ChannelKey,
    name: Arc<str>,
    declare: Declare,
    now: Instant,
) -> Result<(), Refusal> {
    if declare.queue.as_str().starts_with("amq.") {
        let text = format!("queue name '{name}' contains reserved prefix 'amq.*'");
        return Err(Refusal::new(ReplyCode::AccessRefused, text));
    }
    let described = Queue::described(&name);
    let arguments = Arguments::parse(declare.arguments, &described)?;
    if arguments.kind == Kind::Quorum {
        let unfit = [
            ("auto-delete", declare.auto_delete),
            ("exclusive-owner", declare.exclusive),
            ("non-durable", !declare.durable),
        ];
        if let Some((property, _)) = unfit.iter().find(|(_, is_so)| *is_so) {
            let text = format!("invalid property '{property}' for {described}");
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        }
    }
    state.check_room("a queue")?;
    let held = state.memory.hold(Queue::weight(&name, &arguments));
    let settings = Settings {
        durable: declare.durable,
        auto_delete: declare.auto_delete,
        owner: declare.exclusive.then_some(at.connection),
    };
    let queue = Queue {
        name: Arc::clone(&name),
        id: state.next_id(),
        settings,
        arguments,
        ready: Ready::default(),
        consumers: VecDeque::new(),
        unused_since: now,
        deadline: None,
        _held: held,
    };
    if queue.settings.is_kept() {
        state.journal.note(Change::DeclareQueue {
            id: queue.id,
            name: Arc::clone(&name),
            auto_delete: settings.auto_delete,
            arguments: queue.arguments.declared().clone(),
        });
    }
    state.queues.insert(name, queue);
    Ok(())
}

fn generated_name(state: &mut State) -> Arc<str> {
    loop {
        let name = format!("amq.gen-{:016x}", state.next_id());
        if !state.queues.contains_key(name.as_str()) {
            return Arc::from(name);
        }
    }
}

fn check_equivalent(queue: &Queue, declare: &Declare) -> Result<(), Refusal> {
    if declare.exclusive != queue.settings.owner.is_some() {
        return Err(queue.locked());
    }
    let described = Queue::described(&queue.name);
    let differences = [
        ("durable", declare.durable, queue.settings.durable),
        (
            "auto_delete",
            declare.auto_delete,
            queue.settings.auto_delete,
        ),
    ];
    for (what, received, current) in differences {
        if received != current {
            let text = format!(
                "inequivalent arg '{what}' for {described}: received '{received}' but current is '{current}'"
            );
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        }
    }
    queue
        .arguments
        .check_equivalent(&declare.arguments, &described)
}

fn bind(state: &mut State, at: ChannelKey, bind: Bind) -> Result<(), Refusal> {
    let queue = state.channel_mut(at).queue_meant(&bind.queue)?;
    let exchange = bind.exchange.as_str();
    check_not_default(exchange)?;
    if !state.exchanges.contains_key(exchange) {
        return Err(not_found(exchange));
    }
    let bound = state.queue_mut(&queue, at.connection)?;
    let kept = bound.settings.is_kept().then_some(BoundTo::Queue(bound.id));
    let key = key_meant(&bind.queue, bind.routing_key.as_str(), &queue);
    let to = Destination::Queue(Arc::clone(&bound.name));
    add_binding(state, exchange, to, kept, &key, bind.arguments)
}

fn unbind(state: &mut State, at: ChannelKey, unbind: &Unbind) -> Result<(), Refusal> {
    let queue = state.channel_mut(at).queue_meant(&unbind.queue)?;
    let exchange = unbind.exchange.as_str();
    check_not_default(exchange)?;
    let bound = state.queues.get(&queue);
    if let Some(bound) = bound {
        bound.check_access(at.connection)?;
    }
    let kept = bound.map(|bound| BoundTo::Queue(bound.id));
    let key = key_meant(&unbind.queue, unbind.routing_key.as_str(), &queue);
    let to = Destination::Queue(queue);
    remove_binding(state, exchange, &to, kept, &key, &unbind.arguments);
    Ok(())
}

/// The routing key of a binding: the queue's name if the method names neither queue nor key.
fn key_meant(named: &amq_protocol::types::ShortString, key: &str, queue: &str) -> String {
    let is_unnamed = named.as_str().is_empty() && key.is_empty();
    if is_unnamed { queue } else { key }.to_owned()
}

fn delete(state: &mut State, at: ChannelKey, delete: &Delete) -> Result<u32, Refusal> {
    let name = state.channel_mut(at).queue_meant(&delete.queue)?;
    // Like RabbitMQ it is no error if the queue does not exist.
    let Some(queue) = state.queues.get(&name) else {
        return Ok(0);
    };
    queue.check_access(at.connection)?;
    let described = Queue::described(&name);
    let conditions = [
        ("if-unused", delete.if_unused),
        ("if-empty", delete.if_empty),
    ];
    if queue.arguments.kind == Kind::Quorum
        && let Some((flag, _)) = conditions.iter().find(|(_, is_set)| *is_set)
    {
        let text = format!(
            "cannot delete {described}. queue.delete operations with {flag} flag set are not \
             supported by quorum queues"
        );
        return Err(Refusal::new(ReplyCode::NotImplemented, text));
    }
    if delete.if_unused && !queue.consumers.is_empty() {
        return Err(Refusal::new(
            ReplyCode::PreconditionFailed,
            format!("{described} in use"),
        ));
    }
    if delete.if_empty && !queue.ready.is_empty() {
        return Err(Refusal::new(
            ReplyCode::PreconditionFailed,
            format!("{described} not empty"),
        ));
    }
    let message_count = count(queue.ready.len());
    state.delete_queue(&name);
    Ok(message_count)
}

fn reply_unless(nowait: bool, state: &State, at: ChannelKey, method: AMQPMethod) {
    if !nowait {
        state.reply(at, AMQPClass::Queue(method));
    }
}
