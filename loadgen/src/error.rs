//! Why a load could not be driven, or its ledger cannot be relied on.

use std::io;

use reqwest::Url;
use thiserror::Error;

/// Why a load could not be driven, or its ledger cannot be relied on.
///
/// A request that fails is no such error: it is a line of the ledger.
#[derive(Debug, Error)]
pub enum Error {
    /// The catalogue, which every journey chooses from, could not be read.
    #[error("cannot read the products of the shop at {target}: {reason}")]
    Catalogue {
        /// The checkout service that was asked.
        target: Url,
        /// What it said, or why it said nothing.
        reason: String,
    },
    /// The shop sells fewer products than a cart is to have lines.
    #[error("a cart of {wanted} lines needs as many products; the shop has {available}")]
    TooFewProducts {
        /// The lines of a cart, by the plan.
        wanted: usize,
        /// The products in the catalogue.
        available: usize,
    },
    /// A product that is to be bought is not sold.
    #[error("the shop has no product {sku:?}")]
    UnknownProduct {
        /// The product, by the plan.
        sku: String,
    },
    /// Goose refused its configuration or failed.
    #[error("goose failed: {0}")]
    Goose(String),
    /// Ctrl-C is listened for or ignored in this process, and goose would change that.
    #[error(
        "goose would take Ctrl-C away from this process: call loadgen::reserve_ctrl_c() before \
         anything listens for it"
    )]
    CtrlCTaken,
    /// Ctrl-C could not be reserved.
    #[error("cannot install a handler for Ctrl-C: {0}")]
    CtrlC(String),
    /// A line could not be written to the journal. The load was stopped at once.
    #[error("cannot write the ledger")]
    Journal(#[source] io::Error),
    /// Goose counted other requests than the ledger has lines for.
    #[error(
        "goose counted {goose} requests and the ledger has {ledger}: the ledger cannot be relied on"
    )]
    Disagreement {
        /// The requests that goose counted.
        goose: u64,
        /// The requests that were sent, by the ledger.
        ledger: u64,
    },
}
