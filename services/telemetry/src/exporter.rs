//! The OTLP exporter: how long a try may take, when it is made again, and why it failed.
//!
//! The exporter of the SDK decides which failures are tried again, as OTLP demands, and reads endpoint, headers and
//! compression from the standard variables. Its own defaults give a receiver that is away less than a second: four
//! tries, for which it has the time of one. Here one try may take `OTEL_EXPORTER_OTLP_TIMEOUT`, and all tries of a
//! batch `OTEL_BSP_EXPORT_TIMEOUT`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::SpanData,
};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint};
use tower::{BoxError, Service, service_fn};

use crate::config::Protocol;

/// The pause before the second try; it doubles from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two tries, unless the receiver asks for a longer one. A receiver that is back gets its
/// spans after this time at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The longest random part of a pause, so that five services do not try again at the same moment.
const JITTER: Duration = Duration::from_millis(200);

/// The longest text of a reply that is reported.
const LONGEST_REPLY: usize = 200;

/// The time limits of exports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long one try may take.
    pub(crate) of_a_try: Duration,
    /// How long all tries of a batch may take.
    pub(crate) of_a_batch: Duration,
}

/// Why the last try of an export failed, if it did. The error of the SDK's exporter comes only after the last try,
/// and does not say why an HTTP request failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble(Arc<Mutex<Option<String>>>);

/// The exporter of spans.
#[derive(Debug)]
pub(crate) struct Exporter {
    sdk: SpanExporter,
    protocol: Protocol,
}

// === impl Exporter ===

impl Exporter {
    /// Builds the exporter of spans to `endpoint`, inside the runtime that its connections belong to.
    ///
    /// # Errors
    ///
    /// When the endpoint or a standard variable cannot be used.
    pub(crate) fn build(
        protocol: Protocol,
        endpoint: &str,
        patience: Patience,
        trouble: Trouble,
    ) -> Result<Self, String> {
        let sdk = sdk_exporter(protocol, endpoint, patience, trouble)?;
        Ok(Exporter { sdk, protocol })
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        if self.protocol == Protocol::HttpProtobuf {
            return self.sdk.export(batch).await;
        }
        loop {
            match self.sdk.export(batch.clone()).await {
                Err(error) if broke_off(&error) => sleep(FIRST_PAUSE).await,
                done => return done,
            }
        }
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.sdk.set_resource(resource);
    }
}

/// Whether the connection broke during a gRPC call, as it does where the receiver is killed. tonic calls this error
/// "unknown", as it calls an error of the receiver that must not be tried again. The SDK's text names a cause only
/// where the error was made on this side. The text is all that there is: the error of the SDK (0.33) has neither a code
/// nor a source, and that a connection ended does not tell a call that was refused from one that was cut off.
fn broke_off(error: &OTelSdkError) -> bool {
    error.to_string().contains("gRPC code: Unknown: ")
}

fn sdk_exporter(
    protocol: Protocol,
    endpoint: &str,
    patience: Patience,
    trouble: Trouble,
) -> Result<SpanExporter, String> {
    // The time limit is the one that ends the tries.
    let retries = RetryPolicy::default()
        .with_max_retries(usize::MAX)
        .with_initial_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_jitter(JITTER);
    let built = match protocol {
        Protocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_channel(channel(endpoint, patience.of_a_try, trouble)?)
            .with_retry_policy(retries)
            .with_timeout(patience.of_a_batch)
            .build(),
        Protocol::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_http_client(TroubledClient {
                // The client of the SDK would need CA certificates.
                client: ::http_client::with(|it| it.timeout(patience.of_a_try)),
                trouble,
            })
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_retry_policy(retries)
            .with_timeout(patience.of_a_batch)
            .build(),
    };
    built.map_err(|error| error.to_string())
}

/// A gRPC channel that connects with the first export, and again after a connection was lost.
fn channel(endpoint: &str, patience: Duration, trouble: Trouble) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|error| format!("{endpoint}: {}", with_causes(&error)))?
        .timeout(patience);
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    Ok(
        endpoint.connect_with_connector_lazy(service_fn(move |receiver: Uri| {
            let (mut tcp, trouble) = (tcp.clone(), trouble.clone());
            async move {
                // The timeout of a call does not cover the time that its connection takes.
                let connected = timeout(patience, tcp.call(receiver)).await;
                let connected = match connected {
                    Ok(connected) => connected.map_err(BoxError::from),
                    Err(_) => Err(format!("no connection in {patience:?}").into()),
                };
                match &connected {
                    Ok(_) => trouble.forget(),
                    Err(error) => trouble.note(with_causes(error.as_ref())),
                }
                connected
            }
        })),
    )
}

/// An HTTP client that notes why a request failed.
#[derive(Debug)]
struct TroubledClient {
    client: reqwest::Client,
    trouble: Trouble,
}

// === impl TroubledClient ===

#[async_trait]
impl HttpClient for TroubledClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.client.send_bytes(request).await;
        match &answer {
            Ok(reply) if reply.status().is_success() => self.trouble.forget(),
            Ok(reply) => {
                let text = String::from_utf8_lossy(reply.body());
                let text: String = text.trim().chars().take(LONGEST_REPLY).collect();
                self.trouble.note(format!("{}: {text}", reply.status()));
            }
            Err(error) => self.trouble.note(with_causes(error.as_ref())),
        }
        answer
    }
}

// === impl Trouble ===

impl Trouble {
    pub(crate) fn note(&self, why: String) {
        *self.0.lock() = Some(why);
    }

    pub(crate) fn forget(&self) {
        *self.0.lock() = None;
    }

    /// The reason, or `other` where none is known.
    pub(crate) fn or(&self, other: &str) -> String {
        self.0.lock().clone().unwrap_or_else(|| other.to_owned())
    }
}

/// The error and its causes: the outermost error of a client does not say what happened.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors repeat their cause.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
