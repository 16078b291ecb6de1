//! [`LabClient`]: asks a lab over HTTP.

use std::{error::Error, time::Duration};

use faults::Faults;
use http_client::ReadError;
use plain::Plain;
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
    /// The answer is larger than any of a lab.
    #[error(
        "the lab at {} answers with more than {most} bytes, which is the most that is read",
        shown(url)
    )]
    TooLarge {
        /// The lab's address.
        url: Url,
        /// The limit, in bytes.
        most: usize,
    },
    /// The lab answered with an error.
    #[error("the lab at {} says {status}: {}", shown(url), Plain(detail))]
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

/// The most bytes that are read of a document, and of an error.
const DOCUMENT: usize = 1 << 20;

/// The most bytes that are read of a list of traces: some 200 for each trace.
const LIST: usize = 64 << 20;

/// The most bytes that are read of a trace. As OTLP/JSON it is several times as large as in the sink, which keeps 64 MiB
/// of one.
const TRACE: usize = 512 << 20;

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
        let request = self.http.get(self.at(&format!("/api/traces/{id}")));
        let document = self.body(request, TRACE).await?;
        let decoded = otlp::from_json(&document);
        Ok(decoded.map_err(|error| self.not_a_lab(error))?.spans)
    }

    /// Makes the lab forget a trace. Its spans count as evicted; late ones begin it anew.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn forget_trace(&self, id: TraceId) -> Result<Forgotten, ClientError> {
        let request = self.http.delete(self.at(&format!("/api/traces/{id}")));
        self.send(request, DOCUMENT).await
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
        let list: TraceList = self.send(self.http.get(url), LIST).await?;
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
        let list: TraceList = self.send(self.http.get(url), LIST).await?;
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

    /// Places orders, and waits until their traces can be read. An order that the shop refused was placed, too: it has a
    /// trace, and the shop's status.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with 400 if the request cannot be carried out, with 502 if the shop does
    /// not answer.
    pub async fn place_orders(&self, order: &OrderRequest) -> Result<PlacedOrders, ClientError> {
        let request = self.http.post(self.at("/api/orders")).json(order);
        let (status, document) = self.answer(request, DOCUMENT).await?;
        match serde_json::from_slice(&document) {
            Ok(placed) => Ok(placed),
            Err(error) if status.is_success() => Err(self.not_a_lab(error)),
            Err(_) => Err(self.refused(status, &document)),
        }
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
        let document: Json = self.send(request, DOCUMENT).await?;
        Faults::from_json(&document).map_err(|error| self.not_a_lab(error))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(self.http.get(self.at(path)), DOCUMENT).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        most: usize,
    ) -> Result<T, ClientError> {
        let document = self.body(request, most).await?;
        serde_json::from_slice(&document).map_err(|error| self.not_a_lab(error))
    }

    /// The body of a successful answer.
    async fn body(&self, request: RequestBuilder, most: usize) -> Result<Vec<u8>, ClientError> {
        let (status, body) = self.answer(request, most).await?;
        match status.is_success() {
            true => Ok(body),
            false => Err(self.refused(status, &body)),
        }
    }

    async fn answer(
        &self,
        request: RequestBuilder,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let url = || self.url.clone();
        let reply = request
            .send()
            .await
            .map_err(|source| ClientError::Unreachable { url: url(), source })?;
        let status = reply.status();
        let most = if status.is_success() { most } else { DOCUMENT };
        let body = http_client::read(reply, most);
        let body = body.await.map_err(|error| match error {
            ReadError::TooLarge { most } => ClientError::TooLarge { url: url(), most },
            ReadError::Broken(source) => ClientError::Interrupted { url: url(), source },
        })?;
        Ok((status, body))
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> ClientError {
        let problem = serde_json::from_slice::<ProblemDetails>(body);
        ClientError::Refused {
            url: self.url.clone(),
            status,
            detail: problem.map_or_else(
                |_| String::from_utf8_lossy(body).into_owned(),
                |problem| problem.detail,
            ),
        }
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(path);
        url
    }

    fn not_a_lab(&self, source: impl Error) -> ClientError {
        ClientError::NotALab {
            url: self.url.clone(),
            // The error quotes the answer.
            source: Plain(source).to_string().into(),
        }
    }
}

fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}
