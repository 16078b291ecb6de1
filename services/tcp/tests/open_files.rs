//! A process that may open no more files. It is a test binary of its own, since the limit is that of the process.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{fs::File, io, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tcp::{Listener, Places};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// More than anything here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

fn limit_to(files: Option<u64>) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = files;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

#[tokio::test]
async fn a_failure_to_accept_is_said_and_accepting_is_tried_again() {
    let log = Log::default();
    let to = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || to.clone());
    let _logging = tracing::subscriber::set_default(subscriber.finish());

    let before = getrlimit(Resource::Nofile).current;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut listener = Listener::with_places(listener, Places::new(9));
    let _client = TcpStream::connect(address).await.unwrap();
    limit_to(Some(64));
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }

    let mut accepting = Box::pin(listener.accept());
    let said = "a connection cannot be accepted, and it is tried again: Too many open files";
    while !log.text().contains(said) {
        let accepted = timeout(Duration::from_millis(10), &mut accepting).await;
        assert!(accepted.is_err(), "there is no room for it");
    }
    drop(files);
    limit_to(before);
    timeout(PATIENCE, accepting).await.unwrap();
    assert_eq!(log.text().matches(said).count(), 1, "{}", log.text());
}
