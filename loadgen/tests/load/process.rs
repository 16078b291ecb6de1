//! What a load does to the process that it runs in. Each test runs in a process of its own.

use std::{
    process::{Command, Output},
    time::Duration,
};

use loadgen::{Error, Step};
use rustix::process::{Signal, getpid, kill_process};
use schedule::{Load, Rate};
use tokio_util::sync::CancellationToken;

use crate::shop::{Mood, Shop, closed, drive, kept, plan};

/// Set in a process that was started by [`in_a_process`].
const CHILD: &str = "LOADGEN_TEST_CHILD";

/// Runs the test `name` of this module again, in a process of its own.
fn in_a_process(name: &str) -> Output {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("process::{name}"), "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}");
    output
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_printed() {
    if is_child() {
        drive(plan(&Shop::open(Mood::Friendly).await, closed(3, 5))).await;
        // Here goose logs a warning for each request.
        let hangs_up = Shop::open(Mood::HangsUp(Step::Checkout)).await;
        drive(plan(&hangs_up, closed(3, 5))).await;
        return;
    }
    let output = in_a_process("nothing_is_printed");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let printed: Vec<&str> = stdout
        .lines()
        .filter(|line| !line.is_empty())
        .filter(|line| !line.starts_with("running 1 test"))
        .filter(|line| !line.starts_with("test process::nothing_is_printed ... ok"))
        .filter(|line| !line.starts_with("test result: ok"))
        .collect();
    assert_eq!(printed, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_belongs_to_the_caller() {
    if !is_child() {
        in_a_process("ctrl_c_belongs_to_the_caller");
        return;
    }
    loadgen::reserve_ctrl_c().unwrap();
    let stop = CancellationToken::new();
    let listening = tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::signal::ctrl_c().await.unwrap();
            stop.cancel();
        }
    });
    let shop = Shop::open(Mood::Friendly).await;
    let signalled = std::sync::Once::new();
    let signal = move |progress: &loadgen::LoadProgress, _: &loadgen::Line| {
        if progress.orders >= 3 {
            signalled.call_once(|| kill_process(getpid(), Signal::INT).unwrap());
        }
    };
    let forever = Load::steady(
        Rate::of(50.0).unwrap(),
        Duration::from_secs(365 * 24 * 3600),
    );
    let outcome = loadgen::drive(plan(&shop, forever), kept(), signal, stop)
        .await
        .unwrap();
    listening.await.unwrap();
    assert!(outcome.stopped);
    assert!(outcome.progress.orders >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_for_ctrl_c_already_is_not_silenced() {
    if !is_child() {
        in_a_process("who_listens_for_ctrl_c_already_is_not_silenced");
        return;
    }
    let mut interrupts =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).unwrap();
    let shop = Shop::open(Mood::Friendly).await;
    let refused = loadgen::drive(
        plan(&shop, closed(1, 1)),
        kept(),
        |_, _| (),
        CancellationToken::new(),
    )
    .await;
    assert!(matches!(refused, Err(Error::CtrlCTaken)), "{refused:?}");
    kill_process(getpid(), Signal::INT).unwrap();
    assert_eq!(interrupts.recv().await, Some(()));
}
