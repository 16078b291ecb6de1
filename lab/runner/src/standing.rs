//! The faults that are switched on for everyone: checkout has them, and is asked here.

use faults::{Fault, Faults};
use serde_json::Value as Json;
use supervisor::Lab;
use thiserror::Error;

use crate::ground::checkout_url;

/// What is to be done with the standing faults.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// They are only read.
    Nothing,
    /// These take the place of all.
    All(Faults),
    /// This one is switched off.
    Without(&'static Fault),
}

/// Why the standing faults cannot be read or changed.
#[derive(Debug, Error)]
pub enum StandingError {
    /// Checkout is away.
    #[error("checkout cannot be asked for its faults: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// Checkout gave an answer that is none.
    #[error("checkout answered with faults that do not exist: {0}")]
    Answer(#[from] faults::Error),
}

// === impl Change ===

impl Change {
    /// Does it. The faults that are on afterwards.
    pub(crate) async fn ask(self, lab: &Lab) -> Result<Faults, StandingError> {
        let mut url = checkout_url(lab);
        url.set_path("/lab/faults");
        let client = reqwest::Client::builder().no_proxy().build()?;
        let request = match self {
            Change::Nothing => client.get(url),
            Change::All(faults) => client.put(url).json(&faults.to_json()),
            Change::Without(fault) => {
                url.set_path(&format!("/lab/faults/{}", fault.name));
                client.delete(url)
            }
        };
        let reply = request.send().await?.error_for_status()?;
        Ok(Faults::from_json(&reply.json::<Json>().await?)?)
    }
}
