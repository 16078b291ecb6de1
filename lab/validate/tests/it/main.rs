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
use backends::{Access, Identity, Profile, ReadError, ReadTrace, Reader, Representation, Verdict};
use sink::Store;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use trace::{Span, TraceId};
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
            parts: vec![Part::Fidelity],
            only: only.iter().map(ToString::to_string).collect(),
            // A store that has the traces of another run would give back both.
            seed: SEED.fetch_add(1, Ordering::Relaxed),
            patience: Duration::from_secs(3),
            rate: 100.0,
            load: Duration::from_secs(1),
            prometheus: None,
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
