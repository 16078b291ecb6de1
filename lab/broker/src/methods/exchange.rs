//! The methods of the exchange class.

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::exchange::{AMQPMethod, Declare, DeclareOk, Delete, DeleteOk};

use super::unimplemented;
use crate::channel::ChannelKey;
use crate::exchange::{Exchange, Kind};
use crate::journal::Change;
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
        AMQPMethod::Bind(_) | AMQPMethod::Unbind(_) => {
            return Err(Refusal::new(
                ReplyCode::NotImplemented,
                "bindings between exchanges",
            ));
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
    if declare.arguments.contains_key("alternate-exchange") {
        let text = format!("arg 'alternate-exchange' for {}", described(name));
        return Err(Refusal::new(ReplyCode::NotImplemented, text));
    }
    if let Some(existing) = existing {
        return check_equivalent(existing, declare, kind);
    }
    if name.starts_with("amq.") {
        let text = format!("exchange name '{name}' contains reserved prefix 'amq.*'");
        return Err(Refusal::new(ReplyCode::AccessRefused, text));
    }
    let exchange = Exchange::new(kind, declare.durable, declare.auto_delete, declare.internal);
    if exchange.durable {
        state.journal.note(Change::DeclareExchange {
            name: name.to_owned(),
            kind,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
        });
    }
    state.exchanges.insert(name.to_owned(), exchange);
    Ok(())
}

fn kind(name: &str) -> Result<Kind, Refusal> {
    Kind::from_name(name).ok_or_else(|| match name {
        "headers" => Refusal::new(ReplyCode::NotImplemented, "exchange type 'headers'"),
        _ => Refusal::new(
            ReplyCode::CommandInvalid,
            format!("unknown exchange type '{name}'"),
        ),
    })
}

fn check_equivalent(existing: &Exchange, declare: &Declare, kind: Kind) -> Result<(), Refusal> {
    let differences = [
        (
            "type",
            kind.name().to_owned(),
            existing.kind.name().to_owned(),
        ),
        (
            "durable",
            declare.durable.to_string(),
            existing.durable.to_string(),
        ),
        (
            "auto_delete",
            declare.auto_delete.to_string(),
            existing.auto_delete.to_string(),
        ),
        (
            "internal",
            declare.internal.to_string(),
            existing.internal.to_string(),
        ),
    ];
    for (what, received, current) in differences {
        if received != current {
            let exchange = described(declare.exchange.as_str());
            let text = format!(
                "inequivalent arg '{what}' for {exchange}: received '{received}' but current is '{current}'"
            );
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        }
    }
    Ok(())
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
