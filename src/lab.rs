//! [`LabArgs`]: a running lab, for the commands that use one.

use ::trace::{Span, TraceId};
use faults::Faults;
use protocol::{ClientError, LabClient, LabDescription, OrderRequest, PlacedOrders, TraceSummary};
use reqwest::{StatusCode, Url};

use crate::{arguments::lab_url, exit::WrongInput};

/// The running lab that a command uses.
#[derive(Debug, clap::Args)]
pub(crate) struct LabArgs {
    /// The address of the lab's page.
    #[arg(
        long,
        env = "TRACELAB_LAB",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        value_parser = lab_url
    )]
    lab: Url,
}

// === impl LabArgs ===

impl LabArgs {
    /// The description of the lab: the addresses of its components.
    pub(crate) async fn describe(&self) -> anyhow::Result<LabDescription> {
        self.client().describe().await.map_err(explained)
    }

    /// The spans of a trace in the lab.
    pub(crate) async fn spans(&self, id: TraceId) -> anyhow::Result<Vec<Span>> {
        self.client().trace(id).await.map_err(explained)
    }

    /// The spans of a trace in the lab; `None` if the lab does not have it.
    pub(crate) async fn spans_if_there(&self, id: TraceId) -> anyhow::Result<Option<Vec<Span>>> {
        match self.client().trace(id).await {
            Ok(spans) => Ok(Some(spans)),
            Err(ClientError::Refused {
                status: StatusCode::NOT_FOUND | StatusCode::GONE,
                ..
            }) => Ok(None),
            Err(error) => Err(explained(error)),
        }
    }

    /// The newest traces of the lab, at most `limit` of them.
    pub(crate) async fn newest_traces(&self, limit: usize) -> anyhow::Result<Vec<TraceSummary>> {
        self.client().newest_traces(limit).await.map_err(explained)
    }

    /// The traces of the lab that have a span with this attribute.
    pub(crate) async fn traces_with(
        &self,
        key: &str,
        value: &str,
    ) -> anyhow::Result<Vec<TraceSummary>> {
        let found = self.client().traces_with(key, value).await;
        found.map_err(explained)
    }

    /// Places orders, and waits until their traces can be read.
    pub(crate) async fn place_orders(&self, order: &OrderRequest) -> anyhow::Result<PlacedOrders> {
        self.client().place_orders(order).await.map_err(explained)
    }

    /// The faults that are on for every request.
    pub(crate) async fn faults(&self) -> anyhow::Result<Faults> {
        self.client().faults().await.map_err(explained)
    }

    /// Switches these faults on for every request, and all others off.
    pub(crate) async fn set_faults(&self, faults: &Faults) -> anyhow::Result<Faults> {
        self.client().set_faults(faults).await.map_err(explained)
    }

    fn client(&self) -> LabClient {
        LabClient::new(self.lab.clone())
    }
}

/// Adds to the error what the user can do about it.
fn explained(error: ClientError) -> anyhow::Error {
    match error {
        ClientError::Unreachable { url, source } => {
            let lab = url.as_str().trim_end_matches('/');
            anyhow::Error::from(source).context(format!(
                "there is no lab at {lab}: start one with `tracelab up`, or name it with --lab URL"
            ))
        }
        ClientError::Refused { status, .. } if status == StatusCode::BAD_REQUEST => {
            WrongInput(error.to_string()).into()
        }
        error => error.into(),
    }
}
