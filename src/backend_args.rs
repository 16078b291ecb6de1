//! [`BackendArgs`]: a tracing backend: how it is read, and where traces are sent to it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use backends::{Access, Header, Kind, Reader};
use supervisor::{Component, Otlp, OtlpProtocol};
use tokio::{net::TcpStream, time::timeout};
use validate::{Protocol, Sender, StartCommand, Started, Target};

use crate::exit::WrongInput;

/// A tracing backend.
#[derive(Debug, clap::Args)]
pub(crate) struct BackendArgs {
    /// The backend: sink, jaeger, jaeger-v1, zipkin, tempo, victoriatraces, file, or 'command:PROGRAM …', which prints
    /// the trace whose id is added to its arguments.
    #[arg(long, value_name = "KIND")]
    pub(crate) backend: Option<Kind>,

    /// Where it is read: the address of its API, or the path of a file.
    #[arg(long, value_name = "URL", requires = "backend")]
    pub(crate) url: Option<String>,

    /// Where traces are sent: grpc://HOST:PORT or http://HOST:PORT; may be given for both.
    ///
    /// A Collector may stand in front of the backend. Without it: a sink says it, and otherwise it is port 4317 and, if
    /// something listens there, 4318 of the backend's host.
    #[arg(long, value_name = "SEND", requires = "backend")]
    pub(crate) otlp: Vec<Target>,

    /// A header for everything that is sent and read, such as credentials or a tenant; may be given more than once. In
    /// the variable, one a line. Values are never printed.
    #[arg(
        long = "header",
        env = "TRACELAB_HEADERS",
        value_name = "NAME: VALUE",
        value_delimiter = '\n',
        hide_env_values = true
    )]
    pub(crate) headers: Vec<Header>,

    /// A file of certificates (PEM) that are trusted besides those of the machine.
    #[arg(long, value_name = "FILE", requires = "backend")]
    pub(crate) ca: Option<PathBuf>,
}

/// A backend that can be sent to and read.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) kind: Kind,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) url: String,
    pub(crate) targets: Vec<Target>,
    pub(crate) access: Access,
    pub(crate) started: Option<Started>,
}

/// The longest wait for a connection that shows that something listens.
const LOOK: Duration = Duration::from_secs(2);

/// The time after which what answers is taken for what it looks like. While it starts, a path may be missing.
const SURE: Duration = Duration::from_secs(20);

/// The longest wait until a backend that is started listens and answers. A store in a JVM takes a minute on a small machine.
pub(crate) const START: Duration = Duration::from_secs(180);

// === impl BackendArgs ===

impl BackendArgs {
    /// Starts the backend, if a command is given, and finds out where it takes traces.
    pub(crate) async fn open(
        &self,
        kind: Kind,
        start: Option<&StartCommand>,
    ) -> anyhow::Result<Backend> {
        let started = match start {
            Some(command) => Some(Started::start(command, START).await?),
            None => None,
        };
        let url = match (&self.url, &started) {
            (Some(url), Some(started)) => started.addresses().fill(url),
            (Some(url), None) => url.clone(),
            (None, Some(started)) => match kind {
                Kind::File => started.addresses().fill("{dir}/traces.json"),
                Kind::Command(_) => String::new(),
                _ => started.addresses().fill("http://{read}"),
            },
            (None, None) => match kind {
                Kind::File => {
                    return Err(WrongInput(
                        "--backend file needs --url PATH: the file that is read".to_owned(),
                    )
                    .into());
                }
                _ => kind.default_url().to_owned(),
            },
        };
        let access = Access {
            headers: self.headers.clone(),
            ca: self.ca.clone(),
        };
        let kind = match (&started, kind) {
            // The program is told where to read.
            (Some(started), Kind::Command(line)) => Kind::Command(started.addresses().fill(&line)),
            (_, kind) => kind,
        };
        let reader = backends::open(&kind, Some(&url), &access)
            .map_err(|error| WrongInput(error.to_string()))?;
        let mut backend = Backend {
            kind,
            reader: Arc::from(reader),
            url,
            targets: Vec::new(),
            access,
            started,
        };
        backend.wait_until_it_answers().await?;
        backend.targets = self.targets(&backend).await?;
        Ok(backend)
    }

    async fn targets(&self, backend: &Backend) -> anyhow::Result<Vec<Target>> {
        if !self.otlp.is_empty() {
            return Ok(self.otlp.clone());
        }
        if backend.kind == Kind::Sink && backend.started.is_none() {
            let url = backend
                .url
                .parse()
                .map_err(|_| WrongInput(format!("{} is no address", backend.url)))?;
            // A sink alone does not say it.
            let lab = protocol::LabClient::with_timeout(url, LOOK);
            if let Ok(lab) = lab.describe().await {
                let grpc = lab.otlp_grpc.replacen("http", "grpc", 1);
                return Ok(vec![grpc.parse()?, lab.otlp_http.parse()?]);
            }
        }
        let candidates = match &backend.started {
            Some(started) => {
                let addresses = started.addresses();
                vec![Target::grpc(addresses.grpc)?, Target::http(addresses.http)?]
            }
            None => {
                let host = host_of(&backend.url);
                if backend.kind == Kind::VictoriaTraces {
                    let url = backend
                        .url
                        .split("/select/")
                        .next()
                        .unwrap_or(&backend.url)
                        .trim_end_matches('/');
                    return Ok(vec![format!("{url}/insert/opentelemetry").parse()?]);
                }
                vec![
                    Target::grpc(format!("{host}:4317"))?,
                    Target::http(format!("{host}:4318"))?,
                ]
            }
        };
        let mut listening = Vec::new();
        for target in candidates.clone() {
            let (host, port) = target.authority();
            if let Ok(Ok(_)) = timeout(LOOK, TcpStream::connect((host.as_str(), port))).await {
                listening.push(target);
            }
        }
        match listening.is_empty() {
            false => Ok(listening),
            true => anyhow::bail!(
                "nothing takes OTLP at {}; --otlp says where traces are sent",
                candidates
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" or ")
            ),
        }
    }
}

// === impl Backend ===

impl Backend {
    /// A sender for each protocol, as far as the targets take it.
    pub(crate) fn senders(&self, over: &[Protocol]) -> anyhow::Result<Vec<Sender>> {
        let mut senders = Vec::new();
        for protocol in Protocol::ALL {
            let is_wanted = over.is_empty() || over.contains(&protocol);
            let target = self.targets.iter().find(|target| target.takes(protocol));
            if let (true, Some(target)) = (is_wanted, target) {
                let sender = Sender::new(target.clone(), protocol, &self.access);
                senders.push(sender.map_err(|error| WrongInput(error.to_string()))?);
            }
        }
        match senders.is_empty() {
            false => Ok(senders),
            true => Err(WrongInput(format!(
                "none of the protocols is taken at {}; --otlp http://HOST:PORT and grpc://HOST:PORT name both",
                self.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
            ))
            .into()),
        }
    }

    /// Where the services of a lab export to: OTLP/gRPC if the backend takes that.
    pub(crate) fn export(&self) -> Otlp {
        let grpc = self
            .targets
            .iter()
            .find(|target| target.takes(Protocol::Grpc));
        match grpc {
            Some(target) => Otlp {
                endpoint: target.to_string().replacen("grpc", "http", 1),
                protocol: OtlpProtocol::Grpc,
            },
            None => {
                let endpoint = self
                    .targets
                    .first()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                Otlp {
                    // The services add the path themselves.
                    endpoint: endpoint.trim_end_matches("/v1/traces").to_owned(),
                    protocol: OtlpProtocol::HttpProtobuf,
                }
            }
        }
    }

    /// What the environment of the services needs besides: the headers.
    pub(crate) fn variables(&self) -> Vec<(Component, String, String)> {
        let headers: Vec<String> = self
            .access
            .headers
            .iter()
            .map(Header::for_environment)
            .collect();
        match headers.is_empty() {
            true => Vec::new(),
            false => Component::SERVICES
                .iter()
                .map(|service| {
                    (
                        *service,
                        "OTEL_EXPORTER_OTLP_HEADERS".to_owned(),
                        headers.join(","),
                    )
                })
                .collect(),
        }
    }

    /// Asks it what it is. One that was started may listen before it answers.
    async fn wait_until_it_answers(&self) -> anyhow::Result<()> {
        let Some(started) = &self.started else {
            self.reader.identify().await?;
            return Ok(());
        };
        let asked = tokio::time::Instant::now();
        loop {
            match self.reader.identify().await {
                Ok(_) => return Ok(()),
                // Something else will not become the backend.
                Err(error @ backends::ReadError::OtherBackend { .. })
                    if asked.elapsed() >= SURE =>
                {
                    return Err(error.into());
                }
                Err(error) if asked.elapsed() >= START => {
                    let said = started.said();
                    return Err(anyhow::Error::from(error).context(format!(
                        "the backend does not answer {} s after its start{}",
                        START.as_secs(),
                        process::Said(&said)
                    )));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// The host of an address, `127.0.0.1` for a file.
fn host_of(url: &str) -> String {
    let url = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let parsed = url.parse::<reqwest::Url>().ok();
    let host = parsed
        .as_ref()
        .and_then(|url| url.host_str().map(str::to_owned));
    host.filter(|host| !host.is_empty())
        .unwrap_or_else(|| "127.0.0.1".to_owned())
}
