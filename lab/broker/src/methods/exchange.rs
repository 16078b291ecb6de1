//! The methods of the exchange class, and bindings.

use std::sync::Arc;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::exchange::{
    AMQPMethod, Bind, BindOk, Declare, DeclareOk, Delete, DeleteOk, Unbind, UnbindOk,
};
use amq_protocol::types::{AMQPValue, FieldTable};

use super::unimplemented;
use crate::channel::ChannelKey;
use crate::exchange::{Destination, Exchange, Kind, Settings};
use crate::field_value::{shown, type_name, with_type};
use crate::header_match::Rule;
use crate::journal::{BoundTo, Change};
use crate::reply_code::{Refusal, ReplyCode};
use crate::state::State;

pub(super) fn answer(state: &mut State, at: ChannelKey, method: AMQPMethod) -> Result<(), Refusal> {
    match method {
        AMQPMethod::Declare(declare) => {
            self::declare(state, &declare)?;
            reply_unless(
                declare.nowait,
                state,
                at,
                AMQPMethod::DeclareOk(DeclareOk {}),
            );
        }
        AMQPMethod::Delete(delete) => {
            self::delete(state, &delete)?;
            reply_unless(delete.nowait, state, at, AMQPMethod::DeleteOk(DeleteOk {}));
        }
        AMQPMethod::Bind(bind) => {
            let nowait = bind.nowait;
            self::bind(state, bind)?;
            reply_unless(nowait, state, at, AMQPMethod::BindOk(BindOk {}));
        }
        AMQPMethod::Unbind(unbind) => {
            self::unbind(state, &unbind)?;
            reply_unless(unbind.nowait, state, at, AMQPMethod::UnbindOk(UnbindOk {}));
        }
        _ => return Err(unimplemented()),
    }
    Ok(())
}

/// Refuses operations that are not allowed on the default exchange.
pub(super) fn check_not_default(exchange: &str) -> Result<(), Refusal> {
    if exchange.is_empty() {
        let text = "operation not permitted on the default exchange";
        return Err(Refusal::new(ReplyCode::AccessRefused, text));
    }
    Ok(())
}

/// The refusal of an exchange that does not exist.
pub(super) fn not_found(exchange: &str) -> Refusal {
    Refusal::new(ReplyCode::NotFound, format!("no {}", described(exchange)))
}

fn declare(state: &mut State, declare: &Declare) -> Result<(), Refusal> {
    let name = declare.exchange.as_str();
    check_not_default(name)?;
    let existing = state.exchanges.get(name);
    if declare.passive {
        return existing.map(|_| ()).ok_or_else(|| not_found(name));
    }
    let kind = kind(declare.kind.as_str())?;
    let settings = Settings {
        kind,
        durable: declare.durable,
        auto_delete: declare.auto_delete,
        internal: declare.internal,
        alternate: alternate(name, &declare.arguments)?,
    };
    if let Some(existing) = existing {
        return check_equivalent(&existing.settings, &settings, name);
    }
    if name.starts_with("amq.") {
        let text = format!("exchange name '{name}' contains reserved prefix 'amq.*'");
        return Err(Refusal::new(ReplyCode::AccessRefused, text));
    }
    state.check_room("an exchange")?;
    if settings.durable {
        state.journal.note(Change::DeclareExchange {
            name: name.to_owned(),
            settings: settings.clone(),
        });
    }
    let held = state.memory.hold(Exchange::weight(name));
    let exchange = Exchange::new(settings, held);
    state.exchanges.insert(name.to_owned(), exchange);
    Ok(())
}

/// Reads the alternate exchange, which need not exist.
fn alternate(name: &str, arguments: &FieldTable) -> Result<Option<String>, Refusal> {
    match arguments.inner().get("alternate-exchange") {
        None => Ok(None),
        Some(value @ AMQPValue::LongString(_)) => Ok(Some(shown(value))),
        Some(other) => {
            let text = format!(
                "invalid type '{}' for arg 'alternate-exchange' in {}",
                type_name(other),
                described(name)
            );
            Err(Refusal::new(ReplyCode::PreconditionFailed, text))
        }
    }
}

fn kind(name: &str) -> Result<Kind, Refusal> {
    Kind::from_name(name).ok_or_else(|| {
        let text = format!("unknown exchange type '{name}'");
        Refusal::new(ReplyCode::CommandInvalid, text)
    })
}

fn check_equivalent(current: &Settings, received: &Settings, name: &str) -> Result<(), Refusal> {
    let rows = |it: &Settings| {
        [
            ("type", it.kind.name().to_owned()),
            ("durable", it.durable.to_string()),
            ("auto_delete", it.auto_delete.to_string()),
            ("internal", it.internal.to_string()),
        ]
    };
    for ((what, received), (_, current)) in rows(received).into_iter().zip(rows(current)) {
        if received != current {
            let difference = format!("received '{received}' but current is '{current}'");
            return Err(inequivalent(what, name, &difference));
        }
    }
    let difference = match (&received.alternate, &current.alternate) {
        (received, current) if received == current => return Ok(()),
        (Some(received), Some(current)) => {
            format!("received '{received}' but current is '{current}'")
        }
        (received, current) => {
            let typed = |name: &Option<String>| {
                let value = name.as_deref().map(|it| AMQPValue::LongString(it.into()));
                with_type(value.as_ref())
            };
            format!(
                "received {} but current is {}",
                typed(received),
                typed(current)
            )
        }
    };
    Err(inequivalent("alternate-exchange", name, &difference))
}

fn inequivalent(what: &str, name: &str, difference: &str) -> Refusal {
    let text = format!(
        "inequivalent arg '{what}' for {}: {difference}",
        described(name)
    );
    Refusal::new(ReplyCode::PreconditionFailed, text)
}

fn bind(state: &mut State, bind: Bind) -> Result<(), Refusal> {
    let names = (bind.source.as_str(), bind.destination.as_str());
    check_not_default(names.1)?;
    check_not_default(names.0)?;
    let Some((to, it)) = state.exchanges.get_key_value(names.1) else {
        return Err(not_found(names.1));
    };
    let is_lasting = it.settings.durable;
    let to = Destination::Exchange(Arc::from(to.as_str()));
    let kept = is_lasting.then(|| BoundTo::Exchange(names.1.to_owned()));
    add_binding(
        state,
        names.0,
        to,
        kept,
        bind.routing_key.as_str(),
        bind.arguments,
    )
}

fn unbind(state: &mut State, unbind: &Unbind) -> Result<(), Refusal> {
    let (source, destination) = (unbind.source.as_str(), unbind.destination.as_str());
    check_not_default(destination)?;
    check_not_default(source)?;
    let to = Destination::Exchange(Arc::from(destination));
    let kept = Some(BoundTo::Exchange(destination.to_owned()));
    remove_binding(
        state,
        source,
        &to,
        kept,
        unbind.routing_key.as_str(),
        &unbind.arguments,
    );
    Ok(())
}

/// Binds a queue or an exchange, `to`, to the exchange `source`. `kept` names it in the store, if it is
/// durable. A binding that exists already changes nothing.
pub(super) fn add_binding(
    state: &mut State,
    source: &str,
    to: Destination,
    kept: Option<BoundTo>,
    key: &str,
    arguments: FieldTable,
) -> Result<(), Refusal> {
    let Some(exchange) = state.exchanges.get(source) else {
        return Err(not_found(source));
    };
    if exchange.settings.kind == Kind::Headers {
        Rule::parse(&arguments)?;
    }
    if exchange.is_bound(&to, key, &arguments) {
        return Ok(());
    }
    state.check_room("a binding")?;
    let held = state
        .memory
        .hold(Exchange::weight_of_binding(key, &arguments));
    let Some(exchange) = state.exchanges.get_mut(source) else {
        return Err(not_found(source));
    };
    if let Some(to) = kept.filter(|_| exchange.settings.durable) {
        state.journal.note(Change::Bind {
            exchange: source.to_owned(),
            to,
            key: key.to_owned(),
            arguments: arguments.clone(),
        });
    }
    exchange.bind(to, key, arguments, held);
    Ok(())
}

/// Removes a binding, and an auto-delete exchange whose last binding it was. Like RabbitMQ it is no error if
/// the binding does not exist.
pub(super) fn remove_binding(
    state: &mut State,
    source: &str,
    to: &Destination,
    kept: Option<BoundTo>,
    key: &str,
    arguments: &FieldTable,
) {
    let exchange = state.exchanges.get_mut(source);
    if !exchange.is_some_and(|it| it.unbind(to, key, arguments)) {
        return;
    }
    if let Some(to) = kept {
        state.journal.note(Change::Unbind {
            exchange: source.to_owned(),
            to,
            key: key.to_owned(),
            arguments: arguments.clone(),
        });
    }
    state.delete_exchange_if_done(source);
}

fn delete(state: &mut State, delete: &Delete) -> Result<(), Refusal> {
    let name = delete.exchange.as_str();
    check_not_default(name)?;
    if name.starts_with("amq.") {
        let text = format!("deletion of system {} not allowed", described(name));
        return Err(Refusal::new(ReplyCode::AccessRefused, text));
    }
    if delete.if_unused
        && state
            .exchanges
            .get(name)
            .is_some_and(|exchange| !exchange.is_unused())
    {
        let text = format!("{} in use", described(name));
        return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
    }
    // Like RabbitMQ it is no error if the exchange does not exist.
    state.delete_exchange(name);
    Ok(())
}

fn described(name: &str) -> String {
    format!("exchange '{name}' in vhost '/'")
}

fn reply_unless(nowait: bool, state: &State, at: ChannelKey, method: AMQPMethod) {
    if !nowait {
        state.reply(at, AMQPClass::Exchange(method));
    }
}
