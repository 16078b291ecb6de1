//! The script that stands in for `tracelab`, what it is told, and what it did.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use supervisor::{Component, Config, Event, Events, Ports};

/// All children of a lab that has a broker of its own.
pub(crate) const CHILDREN: [Component; 6] = [
    Component::Broker,
    Component::Checkout,
    Component::Email,
    Component::Inventory,
    Component::Payment,
    Component::Provider,
];

/// More than anything here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder through which a test and its stand-ins talk.
pub(crate) struct StandIn {
    folder: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

// === impl StandIn ===

impl StandIn {
    pub(crate) fn new() -> StandIn {
        let temporary = tempfile::tempdir().unwrap();
        let stand_in = StandIn::at(temporary.path());
        // They listen nowhere, so any port will do.
        for (n, child) in CHILDREN.iter().enumerate() {
            stand_in.write(*child, "port", &(1001 + n).to_string());
        }
        StandIn {
            _temporary: Some(temporary),
            ..stand_in
        }
    }

    /// One that talks through a folder that a test has made.
    pub(crate) fn at(folder: &Path) -> StandIn {
        StandIn {
            folder: folder.to_owned(),
            _temporary: None,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn config(&self) -> Config {
        // Tests run in the folder of their package.
        let program = std::path::absolute("tests/lab/stand-in.sh").unwrap();
        let folder = self.folder.to_str().unwrap().to_owned();
        let mut config = Config::new(program);
        config.ports = Ports::Free;
        config.extra_env = CHILDREN
            .map(|child| (child, "STAND_IN".to_owned(), folder.clone()))
            .to_vec();
        config
    }

    /// Tells a stand-in something.
    pub(crate) fn write(&self, child: Component, what: &str, text: &str) {
        fs::write(self.file(child, what), text).unwrap();
    }

    pub(crate) fn remove(&self, child: Component, what: &str) {
        fs::remove_file(self.file(child, what)).unwrap();
    }

    /// How a child was called, a line for each time.
    pub(crate) fn calls(&self, child: Component) -> Vec<String> {
        let calls = fs::read_to_string(self.file(child, "calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// The environment that a child was given, as lines of `NAME=value`.
    pub(crate) fn env(&self, child: Component) -> BTreeSet<String> {
        let env = fs::read_to_string(self.file(child, "env")).unwrap();
        env.lines().map(str::to_owned).collect()
    }

    /// The children that stopped when their standard input ended, in that order.
    pub(crate) fn stopped(&self) -> Vec<String> {
        let stopped = fs::read_to_string(self.folder.join("stopped")).unwrap_or_default();
        stopped.lines().map(str::to_owned).collect()
    }

    /// Waits until all children have stopped because their standard input ended.
    pub(crate) async fn all_stopped(&self) {
        let deadline = Instant::now() + PATIENCE;
        let all: BTreeSet<String> = CHILDREN.iter().map(Component::to_string).collect();
        loop {
            let stopped: BTreeSet<String> = self.stopped().into_iter().collect();
            if stopped == all {
                return;
            }
            assert!(Instant::now() < deadline, "only {stopped:?} have stopped");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn file(&self, child: Component, what: &str) -> PathBuf {
        self.folder.join(format!("{child}.{what}"))
    }
}

/// Waits for an event, and returns it with those before it.
pub(crate) async fn events_until(
    events: &mut Events,
    wanted: impl Fn(&Event) -> bool,
) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        let event = match tokio::time::timeout(PATIENCE, events.next()).await {
            Ok(Some(event)) => event,
            Ok(None) => panic!("the events ended after {seen:#?}"),
            Err(_) => panic!("it did not happen; what happened is {seen:#?}"),
        };
        let done = wanted(&event);
        seen.push(event);
        if done {
            return seen;
        }
    }
}
