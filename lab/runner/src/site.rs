//! Where scenarios are run: a lab is started, or found, and ended.

use supervisor::{Config, Lab};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    conditions::Conditions,
    described::Database,
    error::RunError,
    ground::{Ground, GroundError},
    remote::Remote,
    settings::{Place, Settings},
};

/// Where some scenarios are run.
pub(crate) struct Site {
    pub(crate) ground: Ground,
    listening: Option<JoinHandle<()>>,
}

// === impl Site ===

impl Site {
    /// As the settings say; `of_shop`: for scenarios of the shop, and not of services of one's own.
    pub(crate) async fn open(
        settings: &Settings,
        of_shop: bool,
        events: impl Fn(supervisor::Event) + Send + Sync + 'static,
    ) -> Result<Site, RunError> {
        match &settings.place {
            Place::Running(page) => {
                let remote = Remote::find(page.clone())
                    .await
                    .map_err(GroundError::from)?;
                Ok(Site::of(Ground::running(remote)))
            }
            Place::Private(config) if of_shop => {
                Site::start((**config).clone(), conditions(config), events).await
            }
            Place::Private(_) => {
                let (grpc, http) = settings.receiver;
                let listen = async |address| {
                    TcpListener::bind(address)
                        .await
                        .map_err(|source| GroundError::Listen { address, source })
                };
                let (grpc, http) = (listen(grpc).await?, listen(http).await?);
                Ok(Site::of(Ground::sink(grpc, http)))
            }
        }
    }

    /// In a lab that is started for it. `conditions` is what its scenarios may count on.
    pub(crate) async fn start(
        config: Config,
        conditions: Conditions,
        events: impl Fn(supervisor::Event) + Send + Sync + 'static,
    ) -> Result<Site, RunError> {
        let (lab, mut told) = Lab::start(config).await.map_err(GroundError::from)?;
        let heard = tokio::spawn(async move {
            while let Some(event) = told.next().await {
                events(event);
            }
        });
        Ok(Site {
            ground: Ground::lab(lab, conditions),
            listening: Some(heard),
        })
    }

    fn of(ground: Ground) -> Site {
        Site {
            ground,
            listening: None,
        }
    }

    /// Ends what was started for it.
    pub(crate) async fn close(self) {
        self.ground.stop().await;
        if let Some(heard) = self.listening {
            // It ends with the lab; a panic of the one who is told has been shown already.
            let _ = heard.await;
        }
    }
}

/// What there is in a lab of its own.
pub(crate) fn conditions(config: &Config) -> Conditions {
    Conditions::Shop {
        database: match config.database {
            Some(_) => Database::Postgresql,
            None => Database::Sqlite,
        },
        pace: Some(config.pace),
    }
}
