//! The faults that are switched on for every request. Checkout keeps them; the lab reads them from checkout.

use std::time::Duration;

use faults::{Fault, Faults, Need};
use serde_json::Value as Json;
use thiserror::Error;

use crate::shop::Shop;

/// The longest wait for an answer of checkout. A stopped process would otherwise block the other requests for
/// ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes that are read of an answer. All faults with all parameters are some 4 KiB.
const ANSWER: usize = 256 << 10;

/// A request about the lab's faults.
#[derive(Clone, Debug)]
pub(crate) enum FaultChange {
    /// Reads them, and changes nothing.
    Read,
    /// Switches these on, and all others off.
    Replace(Faults),
    /// Switches this one off.
    Remove(&'static Fault),
}

/// Why the lab's faults cannot be read or changed.
#[derive(Debug, Error)]
pub(crate) enum LabFaultsError {
    /// Checkout does not answer.
    #[error("checkout cannot be asked for its faults: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// The fault can never act in this lab.
    #[error(
        "the fault {fault} needs {need}; this lab runs on SQLite: start it with --database URL"
    )]
    Lacking {
        /// The fault.
        fault: &'static str,
        /// The need that the lab does not meet.
        need: Need,
    },
    /// The answer of checkout did not come whole.
    #[error("checkout does not say its faults: {0}")]
    Unread(#[from] http_client::ReadError),
    /// Checkout answered with something else than JSON.
    #[error("checkout answered with no JSON: {0}")]
    NoJson(#[from] serde_json::Error),
    /// Checkout answered with a document that is not about faults.
    #[error("checkout answered with faults that do not exist: {0}")]
    Answer(#[from] faults::Error),
}

/// The faults that are on in a lab. The copy here is sent to checkout again after a restart.
#[derive(Debug)]
pub(crate) struct LabFaults {
    faults: Faults,
    /// The process id of the checkout that has the faults; always `None` for a shop that the lab did not
    /// start, since the lab cannot see restarts of that shop.
    holder: Option<u32>,
}

// === impl LabFaults ===

impl LabFaults {
    /// The faults of a lab that was just started: none.
    pub(crate) fn of(shop: Shop<'_>) -> LabFaults {
        LabFaults {
            faults: Faults::NONE,
            holder: shop.checkout_pid(),
        }
    }

    /// Reads or changes the faults. Returns those that are on afterwards.
    pub(crate) async fn change(
        &mut self,
        shop: Shop<'_>,
        change: FaultChange,
    ) -> Result<Faults, LabFaultsError> {
        change.check(shop)?;
        let pid = shop.checkout_pid();
        if pid != self.holder {
            FaultChange::Replace(self.faults.clone()).send(shop).await?;
        }
        self.faults = change.send(shop).await?;
        self.holder = pid;
        Ok(self.faults.clone())
    }

    /// Sends the faults to checkout again if it was restarted.
    pub(crate) async fn restore(&mut self, shop: Shop<'_>) {
        let pid = shop.checkout_pid();
        if pid.is_none() || pid == self.holder {
            return;
        }
        // If checkout does not listen yet, the next call sends them.
        if FaultChange::Replace(self.faults.clone())
            .send(shop)
            .await
            .is_ok()
        {
            self.holder = pid;
        }
    }
}

// === impl FaultChange ===

impl FaultChange {
    /// Refuses a fault that can never act in this lab.
    fn check(&self, shop: Shop<'_>) -> Result<(), LabFaultsError> {
        let FaultChange::Replace(faults) = self else {
            return Ok(());
        };
        let lacking = faults
            .iter()
            .filter_map(|setting| Some((setting.fault().name, setting.fault().needs?)))
            .find(|_| !shop.has_postgresql());
        match lacking {
            Some((fault, need)) => Err(LabFaultsError::Lacking { fault, need }),
            None => Ok(()),
        }
    }

    /// Sends the request to checkout, and returns the faults that are on afterwards.
    async fn send(self, shop: Shop<'_>) -> Result<Faults, LabFaultsError> {
        let mut url = shop.checkout();
        url.set_path("/lab/faults");
        let client = http_client::with(|it| it.no_proxy().timeout(PATIENCE));
        let request = match self {
            FaultChange::Read => client.get(url),
            FaultChange::Replace(faults) => client.put(url).json(&faults.to_json()),
            FaultChange::Remove(fault) => {
                url.set_path(&format!("/lab/faults/{}", fault.name));
                client.delete(url)
            }
        };
        let reply = request.send().await?.error_for_status()?;
        let document = http_client::read(reply, ANSWER).await?;
        Ok(Faults::from_json(&serde_json::from_slice::<Json>(
            &document,
        )?)?)
    }
}
