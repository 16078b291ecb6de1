//! Why a load could not be driven, or its ledger cannot be relied on.

use std::io;

use plain::Plain;
use reqwest::Url;
use thiserror::Error;

/// Why a load could not be driven, or its ledger cannot be relied on.
///
/// A failed request is not such an error: it is a line of the ledger.
#[derive(Debug, Error)]
pub enum Error {
    /// The catalogue, which every journey chooses from, could not be read.
    #[error("cannot read the products of the shop at {target}: {}", Plain(reason))]
    Catalogue {
        /// The checkout service.
        target: Url,
        /// The answer of the service, or the error of the request.
        reason: String,
    },
    /// The shop sells fewer products than a cart needs lines.
    #[error("a cart of {wanted} lines needs as many products; the shop has {available}")]
    TooFewProducts {
        /// The number of cart lines, by the plan.
        wanted: usize,
        /// The number of products in the catalogue.
        available: usize,
    },
    /// The shop does not sell a product of the plan.
    #[error("the shop has no product {sku:?}")]
    UnknownProduct {
        /// The product, by the plan.
        sku: String,
    },
    /// Goose refused its configuration or failed.
    #[error("goose failed: {}", Plain(.0))]
    Goose(String),
    /// This process has a handler for Ctrl-C or ignores it, and goose would change that.
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
    /// The number of requests that goose counted differs from the number of ledger lines.
    #[error(
        "goose counted {goose} requests and the ledger has {ledger}: the ledger cannot be relied on"
    )]
    Disagreement {
        /// The number of requests that goose counted.
        goose: u64,
        /// The number of sent requests in the ledger.
        ledger: u64,
    },
}
