//! A whole validation against the real sink, over real connections, and readers that harm what they read: each harm must
//! be found and named.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a panic is how a test fails"
)]

mod harm;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{Json, Router, routing::get};
use backends::{
    Access, Identity, Profile, Prometheus, ReadError, ReadTrace, Reader, Representation, Verdict,
};
use serde_json::json;
use sink::Store;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use trace::{Kind, Span, TraceId, Value};
use validate::{Document, Part, Protocol, Sender, Settings, Target};

static SEED: AtomicU64 = AtomicU64::new(7);

/// A sink that runs as long as this lives.
pub(crate) struct Running {
    pub(crate) store: Store,
    targets: [Target; 2],
    _stop: DropGuard,
}

/// Reads from a store, and changes what it reads.
pub(crate) struct FromStore {
    store: Store,
    change: fn(&mut Vec<Span>),
}

impl std::fmt::Debug for FromStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FromStore")
    }
}

#[async_trait]
impl Reader for FromStore {
    fn kind(&self) -> &str {
        "store"
    }

    fn representation(&self) -> Representation {
        Representation::ALL
    }

    async fn identify(&self) -> Result<Identity, ReadError> {
        Ok(Identity::named("a store"))
    }

    async fn trace(&self, id: TraceId) -> Result<Option<ReadTrace>, ReadError> {
        Ok(self.store.trace(id).map(|trace| {
            let mut spans = trace.spans().to_vec();
            (self.change)(&mut spans);
            ReadTrace::of(spans)
        }))
    }
}

impl Running {
    pub(crate) async fn start() -> Running {
        let listen = async || {
            TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
                .await
                .unwrap()
        };
        let (grpc, http) = (listen().await, listen().await);
        let targets = [
            Target::grpc(grpc.local_addr().unwrap()).unwrap(),
            Target::http(http.local_addr().unwrap()).unwrap(),
        ];
        let store = Store::new(sink::Config::default());
        let stop = CancellationToken::new();
        tokio::spawn(sink::run(grpc, http, store.clone(), stop.clone()));
        Running {
            store,
            targets,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn sender(&self, protocol: Protocol) -> Sender {
        let target = self
            .targets
            .iter()
            .find(|target| target.takes(protocol))
            .unwrap();
        Sender::new(target.clone(), protocol, &Access::default()).unwrap()
    }

    pub(crate) async fn validate(
        &self,
        change: fn(&mut Vec<Span>),
        only: &[&str],
        profile: Option<Profile>,
    ) -> Document {
        self.validate_part(Part::Fidelity, change, only, profile, None)
            .await
    }

    async fn validate_part(
        &self,
        part: Part,
        change: fn(&mut Vec<Span>),
        only: &[&str],
        profile: Option<Profile>,
        prometheus: Option<Prometheus>,
    ) -> Document {
        let settings = Settings {
            reader: Arc::new(FromStore {
                store: self.store.clone(),
                change,
            }),
            url: "memory".to_owned(),
            senders: Protocol::ALL.map(|protocol| self.sender(protocol)).into(),
            otlp: Vec::new(),
            profile,
            profile_name: "test".to_owned(),
            parts: vec![part],
            only: only.iter().map(ToString::to_string).collect(),
            // A store that has the traces of another run would give back both.
            seed: SEED.fetch_add(1, Ordering::Relaxed),
            patience: Duration::from_secs(3),
            rate: 100.0,
            load: Duration::from_secs(1),
            prometheus,
            started: None,
        };
        validate::run(settings, &|_| {}, CancellationToken::new())
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_gives_back_every_case_over_every_protocol() {
    let running = Running::start().await;
    let document = running.validate(|_| {}, &[], None).await;
    let bad: Vec<_> = document
        .cases
        .iter()
        .filter(|case| case.verdict != Verdict::Pass)
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    // Each case of the suite and four of the shop, over three protocols.
    assert_eq!(document.cases.len(), 3 * (backends::cases().count() + 4));
    assert_eq!(document.summary.pass, document.cases.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_follows_from_the_profile() {
    let running = Running::start().await;
    let profile = |text: &str| Some(Profile::parse("test.yaml", text, &[]).unwrap());
    let lower = |spans: &mut Vec<Span>| {
        for span in spans {
            span.name = span.name.to_lowercase();
        }
    };
    let case = "name-upper-case";
    let known = "{backend: x, losses: [{case: name-upper-case, lost: ['span.name: lower-cased']}]}";
    let promised = "{backend: x, keeps: [name-upper-case]}";
    for (change, profile, verdict) in [
        (lower as fn(&mut Vec<Span>), None, Verdict::Fail),
        (lower, profile(known), Verdict::Unsupported),
        (lower, profile(promised), Verdict::Regression),
        (|_| {}, profile(known), Verdict::Fixed),
        (|_| {}, profile(promised), Verdict::Pass),
    ] {
        let document = running.validate(change, &[case], profile).await;
        let of_case: Vec<_> = document
            .cases
            .iter()
            .filter(|result| result.case == case)
            .collect();
        assert_eq!(of_case.len(), 3, "over each protocol");
        assert!(
            of_case.iter().all(|result| result.verdict == verdict),
            "{of_case:#?}"
        );
    }
    let document = running.validate(|_| {}, &[case], profile(known)).await;
    let last = validate::report::last_line(&document);
    assert!(
        last.contains("losses of the profile that are gone: name-upper-case"),
        "{last}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_was_written_makes_the_next_run_pass() {
    let running = Running::start().await;
    let drop_links = |spans: &mut Vec<Span>| spans.iter_mut().for_each(|span| span.links.clear());
    let before = running.validate(drop_links, &["link"], None).await;
    let mut results = std::collections::BTreeMap::<String, Vec<_>>::new();
    for case in &before.cases {
        let over = case.over.unwrap().as_str().to_owned();
        results
            .entry(case.case.clone())
            .or_default()
            .push((over, case.losses.clone()));
    }
    let head = Profile {
        backend: "x".to_owned(),
        ..Profile::default()
    };
    let written = head.measured(&results, None).to_yaml();
    let profile = Profile::parse("written.yaml", &written, &[]).unwrap();
    let after = running.validate(drop_links, &["link"], Some(profile)).await;
    assert_eq!(after.summary.unsupported, after.summary.all(), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_found_and_what_every_span_loses_is_none() {
    let running = Running::start().await;
    let without_kind = |spans: &mut Vec<Span>| {
        spans
            .iter_mut()
            .for_each(|span| span.kind = Kind::Unspecified);
    };
    let document = running
        .validate_part(Part::Limits, without_kind, &[], None, None)
        .await;
    assert_eq!(document.summary.pass, 4, "{:#?}", document.cases);
    assert!(document.limits.iter().all(|limit| limit.fails_at.is_none()));
    let cut = |spans: &mut Vec<Span>| {
        for (_, value) in spans.iter_mut().flat_map(|span| &mut span.attributes.0) {
            if let Value::String(text) = value {
                *value = Value::from(text[..text.len().min(100_000)].to_owned());
            }
        }
    };
    let document = running
        .validate_part(Part::Limits, cut, &[], None, None)
        .await;
    let limit = &document.limits[0];
    assert!(
        !limit.is_said && limit.how.contains("truncated"),
        "{limit:?}"
    );
    // Bisected to an eighth.
    assert!((87_500..=100_000).contains(&limit.most), "{limit:?}");
    assert_eq!(document.summary.fail, 1, "{:#?}", document.cases);
}

/// A server that answers as Prometheus does, with the metrics of a service of which each name has this many calls.
async fn prometheus(calls: [u64; 3]) -> Prometheus {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move || {
        let series = |metric: &str, span: &str, value: u64| {
            let metric = format!("traces_span_metrics_{metric}");
            json!({ "metric": { "__name__": metric, "span_name": span }, "value": [1, value.to_string()] })
        };
        let names = [("get /a", 10), ("get /b", 20), ("get /c", 40)];
        let series = names.iter().zip(calls).flat_map(|((name, ms), calls)| {
            [
                series("calls_total", name, calls),
                series("duration_milliseconds_count", name, calls),
                series("duration_milliseconds_sum", name, calls * ms),
            ]
        });
        let series: Vec<_> = series.collect();
        Json(json!({ "status": "success", "data": { "resultType": "vector", "result": series } }))
    };
    let app = Router::new().route("/api/v1/query", get(async move || answer()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Prometheus::new(url.parse().unwrap(), &Access::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_that_are_made_from_spans_are_counted() {
    let running = Running::start().await;
    for (calls, losses) in [
        ([5, 7, 11], vec![]),
        ([5, 6, 11], vec!["metric: changed"]),
        ([5, 8, 11], vec!["metric: added"]),
    ] {
        let server = prometheus(calls).await;
        let document = running
            .validate_part(Part::Metrics, |_| {}, &[], None, Some(server))
            .await;
        let seen: Vec<String> = document.cases[0]
            .losses
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(seen, losses, "{calls:?}");
    }
    let document = running
        .validate_part(Part::Metrics, |_| {}, &[], None, None)
        .await;
    assert_eq!(document.cases[0].verdict, Verdict::Unsupported);
}
