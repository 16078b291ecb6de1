//! What an order must have, and who must order beside it, for a fault to be seen in its trace.
//!
//! An N+1 needs a cart of many lines, and a lock that one order keeps needs another that waits for it.
//! Who asks for such a fault and says no more gets what it needs.

use crate::{Fault, Faults, Setting, catalogue as all};

/// What an order must have, and who must order beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Company {
    /// How many lines its cart has at least.
    pub lines: usize,
    /// The products in its cart, where all orders must want the same; empty: any.
    pub skus: &'static [&'static str],
    /// How many orders with the fault are placed at once, this one included.
    pub orders: usize,
    /// How many orders without it are placed beside them.
    pub healthy: usize,
}

/// What needs what, where it needs anything.
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
    // Eight mails, one after another: the last waits longer than a second.
    (&all::SLOW_CONSUMER, Company { orders: 8, ..ALONE }),
    (&all::BATCH_CONSUME, Company { orders: 4, ..ALONE }),
    // That a part of a trace is missing is only seen beside one that has it.
    (
        &all::FLIPPED_SAMPLING,
        Company {
            healthy: 1,
            ..ALONE
        },
    ),
    // Names that are different in every request are only seen in many.
    (
        &all::UNBOUNDED_NAMES,
        Company {
            orders: 12,
            ..ALONE
        },
    ),
];

/// One order of one line, and nobody beside it: what most faults need.
const ALONE: Company = Company {
    lines: 1,
    skus: &[],
    orders: 1,
    healthy: 0,
};

/// Faults that have nothing to act on without another.
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
    /// What an order must have, and who must order beside it, for this fault to be seen in its trace.
    pub fn company(&self) -> Company {
        let mut needed = NEEDED.iter();
        needed
            .find(|(fault, _)| *fault == self)
            .map_or(ALONE, |(_, company)| *company)
    }

    /// The fault without which this one has nothing to act on.
    pub fn companion(&self) -> Option<&'static Fault> {
        let mut companions = COMPANIONS.iter();
        let (_, companion) = companions.find(|(fault, _)| *fault == self)?;
        Some(companion)
    }
}

// === impl Faults ===

impl Faults {
    /// What an order must have, and who must order beside it, for all of these to be seen.
    pub fn company(&self) -> Company {
        self.iter()
            .map(|setting| setting.fault().company())
            .fold(ALONE, Company::and)
    }

    /// The faults without which some of these have nothing to act on, if they are not among them.
    pub fn companions(&self) -> impl Iterator<Item = Setting> + '_ {
        self.iter()
            .filter_map(|setting| setting.fault().companion())
            .filter(|companion| self.get(companion).is_none())
            .map(Setting::new)
    }
}
