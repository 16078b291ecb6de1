//! However a lab ends, no child outlives it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use supervisor::{Component, Lab};

use crate::stand_in::{CHILDREN, StandIn};

#[tokio::test(flavor = "multi_thread")]
async fn children_stop_in_the_reverse_of_the_order_of_their_start() {
    let stand_in = StandIn::new();
    let (lab, _events) = Lab::start(stand_in.config()).await.unwrap();
    let stopped = lab.stop().await;
    assert_eq!(stopped.killed, []);
    let order = stand_in.stopped();
    assert_eq!(order.len(), 6, "{order:?}");
    assert_eq!(order[..2], ["checkout", "payment"]);
    assert_eq!(order[5], "broker");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_does_not_stop_is_killed_and_named() {
    let stand_in = StandIn::new();
    stand_in.write(Component::Inventory, "stubborn", "");
    let mut config = stand_in.config();
    config.stop_patience = Duration::from_millis(200);
    let (lab, _events) = Lab::start(config).await.unwrap();
    let pid = lab.pid(Component::Inventory).unwrap();
    let stopped = lab.stop().await;
    // Others may be slow on a busy machine; this one can only have been killed.
    assert!(
        stopped.killed.contains(&Component::Inventory),
        "{stopped:?}"
    );
    let process = Path::new("/proc").join(pid.to_string());
    assert!(!process.exists(), "process {pid} still runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_is_dropped_stops() {
    let stand_in = StandIn::new();
    let (lab, _events) = Lab::start(stand_in.config()).await.unwrap();
    drop(lab);
    stand_in.all_stopped().await;
}

/// Set, to the folder of the stand-ins, in a process that is there to be killed.
const VICTIM: &str = "SUPERVISOR_TEST_VICTIM";

#[tokio::test(flavor = "multi_thread")]
async fn children_stop_when_the_lab_is_killed() {
    if let Some(folder) = std::env::var_os(VICTIM) {
        let stand_in = StandIn::at(Path::new(&folder));
        let (_lab, _events) = Lab::start(stand_in.config()).await.unwrap();
        println!("the lab is ready");
        return std::future::pending().await;
    }
    let stand_in = StandIn::new();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "stop::children_stop_when_the_lab_is_killed",
            "--nocapture",
        ])
        .env(VICTIM, stand_in.folder())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(victim.stdout.take().unwrap());
    let ready = stdout
        .lines()
        .map_while(Result::ok)
        .any(|line| line.ends_with("the lab is ready"));
    assert!(ready, "the lab did not start");
    assert_eq!(stand_in.stopped(), Vec::<String>::new());
    victim.kill().unwrap();
    victim.wait().unwrap();
    stand_in.all_stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_that_of_all_processes() {
    let stand_in = StandIn::new();
    let (lab, _events) = Lab::start(stand_in.config()).await.unwrap();
    let memory = lab.memory();
    if cfg!(target_os = "linux") {
        let memory = memory.expect("Linux tells the memory of one's own processes");
        let pids: Vec<u32> = memory.processes.iter().map(|process| process.pid).collect();
        assert_eq!(memory.processes[0].name, "lab");
        assert_eq!(pids[0], std::process::id());
        for child in CHILDREN {
            assert!(
                pids.contains(&lab.pid(child).unwrap()),
                "{child} is missing"
            );
        }
        assert!(memory.processes.iter().all(|process| process.pss > 0));
        let sum: u64 = memory.processes.iter().map(|process| process.pss).sum();
        assert_eq!(memory.total, sum);
    } else {
        assert_eq!(memory, None);
    }
    lab.stop().await;
}
