//! The load that makes a fault visible: the cart of its order, and the orders that are placed at the same
//! time.
//!
//! An N+1 needs a cart of many lines; a lock that one order keeps needs a second order that waits for it. A
//! user who asks for such a fault and gives no load gets this one.

use crate::{Fault, Faults, Setting, catalogue as all};

/// The load that makes a fault visible: the cart of its order, and the orders that are placed at the same
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Company {
    /// The least number of lines in the cart.
    pub lines: usize,
    /// The SKUs in the cart, for a fault that needs all orders to want the same products; empty: any
    /// products.
    pub skus: &'static [&'static str],
    /// The number of orders with the fault that are placed at once, this one included.
    pub orders: usize,
    /// The number of orders without the fault that are placed at the same time.
    pub healthy: usize,
}

/// The faults that need more than one order of one line, each with the load that it needs.
static NEEDED: [(&Fault, Company); 8] = [
    (
        &all::N_PLUS_ONE,
        Company {
            lines: 200,
            ..ALONE
        },
    ),
    (
        &all::LOCK_CONTENTION,
        Company {
            skus: &["MUG-BLU"],
            orders: 4,
            ..ALONE
        },
    ),
    (
        &all::DEADLOCK,
        Company {
            skus: &["MUG-BLU", "TENT-2P-GRN"],
            orders: 4,
            ..ALONE
        },
    ),
    (&all::BLOCKED_RUNTIME, Company { orders: 4, ..ALONE }),
    // Eight mails are sent one after another, so the last one waits longer than a second.
    (&all::SLOW_CONSUMER, Company { orders: 8, ..ALONE }),
    (&all::BATCH_CONSUME, Company { orders: 4, ..ALONE }),
    // A missing part of a trace is only noticed by comparison with a trace that has it.
    (
        &all::FLIPPED_SAMPLING,
        Company {
            healthy: 1,
            ..ALONE
        },
    ),
    // Span names that differ in every request are only noticed in many traces.
    (
        &all::UNBOUNDED_NAMES,
        Company {
            orders: 12,
            ..ALONE
        },
    ),
];

/// One order of one line, and no other order at the same time: enough for most faults.
const ALONE: Company = Company {
    lines: 1,
    skus: &[],
    orders: 1,
    healthy: 0,
};

/// Pairs of faults: the first has no effect without the second.
static COMPANIONS: [(&Fault, &Fault); 1] = [(&all::RETRY_STORM, &all::PROVIDER_ERROR)];

// === impl Company ===

impl Company {
    fn and(self, other: Company) -> Company {
        Company {
            lines: self.lines.max(other.lines),
            skus: match self.skus.len() >= other.skus.len() {
                true => self.skus,
                false => other.skus,
            },
            orders: self.orders.max(other.orders),
            healthy: self.healthy.max(other.healthy),
        }
    }
}

// === impl Fault ===

impl Fault {
    /// The load that makes this fault visible in a trace.
    pub fn company(&self) -> Company {
        let mut needed = NEEDED.iter();
        needed
            .find(|(fault, _)| *fault == self)
            .map_or(ALONE, |(_, company)| *company)
    }

    /// The fault without which this one has no effect.
    pub fn companion(&self) -> Option<&'static Fault> {
        let mut companions = COMPANIONS.iter();
        let (_, companion) = companions.find(|(fault, _)| *fault == self)?;
        Some(companion)
    }
}

// === impl Faults ===

impl Faults {
    /// The load that makes all of these faults visible.
    pub fn company(&self) -> Company {
        self.iter()
            .map(|setting| setting.fault().company())
            .fold(ALONE, Company::and)
    }

    /// The faults without which some of these have no effect, except those that are switched on already.
    pub fn companions(&self) -> impl Iterator<Item = Setting> + '_ {
        self.iter()
            .filter_map(|setting| setting.fault().companion())
            .filter(|companion| self.get(companion).is_none())
            .map(Setting::new)
    }
}
