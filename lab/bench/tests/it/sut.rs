//! A SUT from its start to its end.

use std::{net::SocketAddr, path::Path, time::Duration};

use bench::{
    cores,
    sut::{Death, RunningSut, StartedSut, Sut, SutCommand, SutError, SutSettings, SutSpec},
    usage,
};
use firehose::Protocol;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout},
};

use crate::stand_in;

/// The longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

fn settings() -> SutSettings {
    SutSettings {
        out: SocketAddr::from(([127, 0, 0, 1], 4317)),
        protocol: Protocol::Grpc,
        core: None,
        patience: PATIENCE,
    }
}

async fn start(line: &str, settings: SutSettings) -> Result<StartedSut, SutError> {
    let command = SutCommand::parse(line)?;
    match SutSpec::Command(command).start(settings).await? {
        Some(Sut::Started(sut)) => Ok(*sut),
        other => panic!("it must be started: {other:?}"),
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} in {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told() {
    let error = start("/no/such/agent {in}", settings()).await.unwrap_err();
    assert!(error.is_of_input(), "{error}");
    let text = error.to_string();
    assert_eq!(text, "cannot start /no/such/agent");
}

#[tokio::test]
async fn a_program_that_ends_is_told_with_its_last_words() {
    let line = "sh -c 'echo in $0 >&2; echo out $1; exit 7' {in} {out}";
    let error = start(line, settings()).await.unwrap_err();
    let SutError::Ended {
        status,
        address,
        said,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(status.code(), Some(7));
    let mut said = said.clone();
    said.sort();
    assert_eq!(
        said,
        [format!("in {address}"), "out 127.0.0.1:4317".to_owned()]
    );
    assert!(!error.is_of_input());
}

#[tokio::test]
async fn a_program_that_never_listens_is_told_and_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let line = format!(
        "sh -c 'echo I will; sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait'",
        file.display()
    );
    let settings = SutSettings {
        patience: Duration::from_millis(500),
        ..settings()
    };
    let error = start(&line, settings).await.unwrap_err();
    assert!(matches!(error, SutError::NotReady { .. }), "{error}");
    assert_eq!(error.said(), ["I will"]);
    let text = error.to_string();
    assert!(
        text.contains("after 0.5 s ({in}); it said:\n  I will"),
        "{text}"
    );
    let left: u32 = std::fs::read_to_string(file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    until("the child is ended", || !usage::lives(left)).await;
}

#[tokio::test]
async fn a_sut_that_listens_is_stopped() {
    let line = stand_in::command_line("{in}", "to {out}");
    let mut sut = start(&line, settings()).await.unwrap();
    let pid = sut.pid();
    assert!(usage::lives(pid));
    let target = format!("grpc://{}", sut.receiving());
    assert_eq!(sut.target(), target.parse().unwrap());
    until("its words are read", || {
        sut.said().contains(&"to 127.0.0.1:4317".to_owned())
    })
    .await;
    timeout(Duration::from_millis(100), sut.died())
        .await
        .unwrap_err();
    let ended = sut.stop().await;
    assert!(!ended.killed);
    assert_eq!(ended.status.unwrap().to_string(), "signal: 15 (SIGTERM)");
    assert!(!usage::lives(pid));
}

#[tokio::test]
async fn the_variables_of_a_set_up_say_where_to_listen_for_http_too() {
    let line = stand_in::command_line("{in_http}", "");
    let settings = SutSettings {
        protocol: Protocol::Http1,
        ..settings()
    };
    let sut = start(&line, settings).await.unwrap();
    let target = format!("http://{}", sut.receiving());
    assert_eq!(sut.target(), target.parse().unwrap());
    sut.stop().await;
    let line = "sh -c 'echo $COLLECTOR_OTLP_GRPC $LAB_OTLP_GRPC; exit 1'";
    let error = start(line, self::settings()).await.unwrap_err();
    let SutError::Ended { address, said, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(said, [format!("{address} 127.0.0.1:4317")]);
}

#[tokio::test]
async fn a_death_during_the_run_is_told() {
    let line = stand_in::command_line("{in}", "all is well");
    let mut sut = start(&line, settings()).await.unwrap();
    process::signals::kill_group(sut.pid());
    let death: Death = timeout(PATIENCE, sut.died()).await.unwrap();
    assert_eq!(death.said[..], sut.said());
    assert!(death.said.contains(&"all is well".to_owned()), "{death}");
    let text = death.to_string();
    assert!(
        text.starts_with("the SUT ended (signal: 9 (SIGKILL)); it said:"),
        "{text}"
    );
    // It is no secret the second time, and it can be started again.
    assert_eq!(sut.died().await.status, death.status);
    sut.restart().await.unwrap();
    let ended = sut.stop().await;
    assert!(!ended.killed);
}

#[tokio::test]
async fn a_restart_keeps_the_ports_and_the_folder() {
    let mut sut = start(&stand_in::command_line("{in}", ""), settings())
        .await
        .unwrap();
    let (address, pid) = (sut.receiving(), sut.pid());
    let says = |sut: &StartedSut, what: &str| sut.said().contains(&what.to_owned());
    until("its words are read", || says(&sut, "0 files")).await;
    sut.kill_and_restart(Duration::from_millis(10))
        .await
        .unwrap();
    assert!(!usage::lives(pid));
    assert_eq!(sut.receiving(), address);
    assert_ne!(sut.pid(), pid);
    until("the folder is the same", || says(&sut, "1 files")).await;
    // From the one to the other it is no death.
    sut.kill().await;
    timeout(Duration::from_millis(100), sut.died())
        .await
        .unwrap_err();
    sut.restart().await.unwrap();
    assert_eq!(sut.receiving(), address);
    until("the folder is the same", || says(&sut, "2 files")).await;
    sut.kill().await;
    let ended = sut.stop().await;
    assert!(ended.killed && ended.status.is_none(), "{ended:?}");
}

#[tokio::test]
async fn a_paused_sut_goes_on_and_can_be_stopped() {
    let mut sut = start(&stand_in::command_line("{in}", ""), settings())
        .await
        .unwrap();
    let state = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next())
    };
    let pid = sut.pid();
    if !Path::new("/proc/self/stat").exists() {
        return;
    }
    sut.pause();
    until("it is paused", || state(pid) == Some('T')).await;
    timeout(Duration::from_millis(100), sut.died())
        .await
        .unwrap_err();
    sut.resume();
    until("it goes on", || state(pid) != Some('T')).await;
    sut.pause();
    let ended = sut.stop().await;
    assert!(!ended.killed, "{ended:?}");
}

#[tokio::test]
async fn a_sut_is_killed_when_it_is_dropped() {
    let sut = start(&stand_in::command_line("{in}", ""), settings())
        .await
        .unwrap();
    let pid = sut.pid();
    drop(sut);
    until("it is killed", || !usage::lives(pid)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_sut_stays_on_its_core() {
    let before = cores::allowed().unwrap();
    let core = *before.last().unwrap();
    let settings = SutSettings {
        core: Some(core),
        ..settings()
    };
    let line = stand_in::command_line("{in}", "");
    let sut = start(&line, settings).await.unwrap();
    assert_eq!(cores::of_process(sut.pid()), Some(vec![core]));
    assert_all_threads_stay_on(core, sut.pid());
    assert_eq!(cores::allowed(), Some(before));
    sut.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_keeps_all_its_threads_on_a_core() {
    let core = cores::allowed().unwrap()[0];
    let line = stand_in::command_line("{in}", "");
    let line = format!("STAND_IN_STAYS_ON={core} {line}");
    let sut = start(&line, settings()).await.unwrap();
    let threads = assert_all_threads_stay_on(core, sut.pid());
    assert!(threads > 1, "a test program has a thread for its test");
    sut.stop().await;
}

/// Returns how many there are.
#[cfg(target_os = "linux")]
fn assert_all_threads_stay_on(core: usize, pid: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let stays = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap();
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        assert_eq!(allowed.unwrap().trim(), core.to_string());
    };
    tasks.map(|task| stays(task.unwrap())).count()
}

#[tokio::test]
async fn ports_are_chosen_again_when_another_program_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tried");
    // The first time it says what a program says that does not get its port.
    let listens = stand_in::command_line("$COLLECTOR_OTLP_GRPC", "").replace('\'', "");
    let fails = "{ touch $0; echo bind: Address already in use; exit 1; }";
    let line = format!(
        "sh -c 'test -e $0 || {fails}; exec env {listens}' {}",
        file.display()
    );
    let sut = start(&line, settings()).await.unwrap();
    assert!(file.exists());
    sut.stop().await;
}

#[tokio::test]
async fn a_running_sut_is_reached_and_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!("grpc://{}", listener.local_addr().unwrap());
    let child = std::process::Command::new("sleep").arg("1000").spawn();
    let mut child = child.unwrap();
    let running = RunningSut::new(&text, Some(child.id())).unwrap();
    let spec = SutSpec::Running(running);
    assert_eq!(spec.to_string(), text);
    let mut sut = spec.start(settings()).await.unwrap().unwrap();
    assert_eq!(
        (sut.target(), sut.pid()),
        (text.parse().unwrap(), Some(child.id()))
    );
    timeout(Duration::from_millis(200), sut.died())
        .await
        .unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    let death = timeout(PATIENCE, sut.died()).await.unwrap();
    assert_eq!(death.to_string(), "the SUT ended");
    assert!(sut.stop().await.is_none());
    let error = RunningSut::new(&text, Some(child.id())).unwrap_err();
    assert!(matches!(error, SutError::NoProcess(_)), "{error}");
    drop(listener);
    let gone = SutSpec::Running(RunningSut::new(&text, None).unwrap());
    let soon = SutSettings {
        patience: Duration::ZERO,
        ..settings()
    };
    let error = gone.start(soon).await.unwrap_err().to_string();
    assert_eq!(error, format!("nothing listens on {text}"));
}
