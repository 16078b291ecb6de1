//! [`LabClient`]: asks a lab over HTTP.

use std::{error::Error, time::Duration};

use faults::Faults;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use thiserror::Error;
use trace::{Span, TraceId, otlp};

use crate::{
    Forgotten, LabDescription, OrderRequest, PlacedOrders, ProblemDetails, Stats, TraceList,
    TraceSummary,
};

/// A client of one lab. No proxy is used: a lab is on this machine or near it.
#[derive(Clone, Debug)]
pub struct LabClient {
    url: Url,
    http: Client,
}

/// Why a lab did not do what it was asked.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nothing answers at its address.
    #[error("there is no lab at {}", shown(url))]
    Unreachable {
        /// The address.
        url: Url,
        /// How the attempt failed.
        source: reqwest::Error,
    },
    /// The answer began and did not end.
    #[error("the lab at {} broke off", shown(url))]
    Interrupted {
        /// The lab's address.
        url: Url,
        /// How the connection failed.
        source: reqwest::Error,
    },
    /// The lab answered with an error.
    #[error("the lab at {} says {status}: {detail}", shown(url))]
    Refused {
        /// The lab's address.
        url: Url,
        /// The status of the answer.
        status: StatusCode,
        /// What the lab says is wrong.
        detail: String,
    },
    /// The answer is not the document that it should be.
    #[error("what answers at {} is no lab of this version", shown(url))]
    NotALab {
        /// The address.
        url: Url,
        /// What is wrong with the answer.
        source: Box<dyn Error + Send + Sync>,
    },
}

// === impl LabClient ===

impl LabClient {
    /// A client of the lab whose page is at `url`. It waits for an answer without end.
    pub fn new(url: Url) -> LabClient {
        let http = http_client::with(|builder| builder.no_proxy());
        LabClient { url, http }
    }

    /// A client of the lab whose page is at `url`. An answer that takes longer than `timeout` is an error.
    pub fn with_timeout(url: Url, timeout: Duration) -> LabClient {
        let http = http_client::with(|builder| builder.no_proxy().timeout(timeout));
        LabClient { url, http }
    }

    /// The address of the lab's page.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where everything of the lab listens.
    ///
    /// # Errors
    ///
    /// [`ClientError`] in all its kinds, as with every request of this client.
    pub async fn describe(&self) -> Result<LabDescription, ClientError> {
        self.get("/api/lab").await
    }

    /// The spans of a trace.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with 410 if the lab evicted it, with 404 if it never came.
    pub async fn trace(&self, id: TraceId) -> Result<Vec<Span>, ClientError> {
        let document = self
            .text(self.http.get(self.at(&format!("/api/traces/{id}"))))
            .await?;
        let decoded = otlp::from_json(document.as_bytes());
        Ok(decoded.map_err(|error| self.not_a_lab(error))?.spans)
    }

    /// Makes the lab forget a trace. Its spans count as evicted; late ones begin it anew.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn forget_trace(&self, id: TraceId) -> Result<Forgotten, ClientError> {
        self.send(self.http.delete(self.at(&format!("/api/traces/{id}"))))
            .await
    }

    /// The traces that have a span with this attribute, the newest first: as many as the lab lists unless
    /// it is given a limit.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn traces_with(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<TraceSummary>, ClientError> {
        let mut url = self.at("/api/traces");
        url.query_pairs_mut()
            .append_pair("attribute", &format!("{key}={value}"));
        let list: TraceList = self.send(self.http.get(url)).await?;
        Ok(list.traces)
    }

    /// The newest traces, at most `limit` of them, the newest first.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn newest_traces(&self, limit: usize) -> Result<Vec<TraceSummary>, ClientError> {
        let mut url = self.at("/api/traces");
        url.query_pairs_mut()
            .append_pair("limit", &limit.to_string());
        let list: TraceList = self.send(self.http.get(url)).await?;
        Ok(list.traces)
    }

    /// What the lab's sink has counted.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn stats(&self) -> Result<Stats, ClientError> {
        self.get("/api/stats").await
    }

    /// Places orders, and waits until their traces can be read.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with 400 if the request cannot be carried out, with 502 if the shop does
    /// not answer.
    pub async fn place_orders(&self, order: &OrderRequest) -> Result<PlacedOrders, ClientError> {
        self.send(self.http.post(self.at("/api/orders")).json(order))
            .await
    }

    /// The faults that are switched on for every request.
    ///
    /// # Errors
    ///
    /// [`ClientError::NotALab`] if there is a fault that this version does not know.
    pub async fn faults(&self) -> Result<Faults, ClientError> {
        let document: Json = self.get("/api/faults").await?;
        Faults::from_json(&document).map_err(|error| self.not_a_lab(error))
    }

    /// Switches these faults on for every request, and all others off. The faults that are on afterwards.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with 400 if one of them cannot act in this lab.
    pub async fn set_faults(&self, faults: &Faults) -> Result<Faults, ClientError> {
        let request = self
            .http
            .put(self.at("/api/faults"))
            .json(&faults.to_json());
        let document: Json = self.send(request).await?;
        Faults::from_json(&document).map_err(|error| self.not_a_lab(error))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(self.http.get(self.at(path))).await
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let text = self.text(request).await?;
        serde_json::from_str(&text).map_err(|error| self.not_a_lab(error))
    }

    async fn text(&self, request: RequestBuilder) -> Result<String, ClientError> {
        let url = || self.url.clone();
        let reply = request
            .send()
            .await
            .map_err(|source| ClientError::Unreachable { url: url(), source })?;
        let status = reply.status();
        let text = reply
            .text()
            .await
            .map_err(|source| ClientError::Interrupted { url: url(), source })?;
        if !status.is_success() {
            let problem = serde_json::from_str::<ProblemDetails>(&text);
            return Err(ClientError::Refused {
                url: url(),
                status,
                detail: problem.map_or(text, |problem| problem.detail),
            });
        }
        Ok(text)
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }

    fn not_a_lab(&self, source: impl Error + Send + Sync + 'static) -> ClientError {
        ClientError::NotALab {
            url: self.url.clone(),
            source: Box::new(source),
        }
    }
}

fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}
