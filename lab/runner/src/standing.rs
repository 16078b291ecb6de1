//! The faults that are switched on for everyone: checkout has them, and is asked here.

use std::time::Duration;

use faults::{Fault, Faults, Need};
use serde_json::Value as Json;
use thiserror::Error;

use crate::shop::Shop;

/// How long checkout may take to answer: who is stopped must not keep the others waiting for ever.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// The fault cannot act in this lab.
    #[error(
        "the fault {fault} needs {need}; this lab runs on SQLite: start it with --database URL"
    )]
    Lacking {
        /// The fault.
        fault: &'static str,
        /// What it cannot do without.
        need: Need,
    },
    /// Checkout gave an answer that is none.
    #[error("checkout answered with faults that do not exist: {0}")]
    Answer(#[from] faults::Error),
}

/// The faults that a lab was told to have, so that checkout is told again when it was started anew.
#[derive(Debug)]
pub(crate) struct Standing {
    faults: Faults,
    /// The process of checkout that knows of them; `None` where it is somebody else's, who is never
    /// seen to be another.
    told: Option<u32>,
}

// === impl Standing ===

impl Standing {
    /// Those of a lab that was just started: none.
    pub(crate) fn of(shop: Shop<'_>) -> Standing {
        Standing {
            faults: Faults::NONE,
            told: shop.checkout_pid(),
        }
    }

    /// Reads or changes the faults. Those that are on afterwards.
    pub(crate) async fn change(
        &mut self,
        shop: Shop<'_>,
        change: Change,
    ) -> Result<Faults, StandingError> {
        change.check(shop)?;
        let pid = shop.checkout_pid();
        if pid != self.told {
            Change::All(self.faults.clone()).ask(shop).await?;
        }
        self.faults = change.ask(shop).await?;
        self.told = pid;
        Ok(self.faults.clone())
    }

    /// Tells checkout again if it is another process than the one that was told.
    pub(crate) async fn put_back(&mut self, shop: Shop<'_>) {
        let pid = shop.checkout_pid();
        if pid.is_none() || pid == self.told {
            return;
        }
        // If it does not listen yet, there is a next time.
        if Change::All(self.faults.clone()).ask(shop).await.is_ok() {
            self.told = pid;
        }
    }
}

// === impl Change ===

impl Change {
    /// Refuses what can never act here.
    fn check(&self, shop: Shop<'_>) -> Result<(), StandingError> {
        let Change::All(faults) = self else {
            return Ok(());
        };
        let lacking = faults
            .iter()
            .filter_map(|setting| Some((setting.fault().name, setting.fault().needs?)))
            .find(|_| !shop.has_postgresql());
        match lacking {
            Some((fault, need)) => Err(StandingError::Lacking { fault, need }),
            None => Ok(()),
        }
    }

    /// Does it. The faults that are on afterwards.
    async fn ask(self, shop: Shop<'_>) -> Result<Faults, StandingError> {
        let mut url = shop.checkout();
        url.set_path("/lab/faults");
        let client = http_client::with(|it| it.no_proxy().timeout(PATIENCE));
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
