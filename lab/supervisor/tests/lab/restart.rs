//! A child that dies is started again.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use supervisor::{Component, Event, Lab};

use crate::stand_in::{StandIn, events_until};

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

fn is_ready(component: Component) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Ready { component: ready, .. } if *ready == component)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_killed_comes_back_at_its_address() {
    let stand_in = StandIn::new();
    let (lab, mut events) = Lab::start(stand_in.config()).await.unwrap();
    events_until(&mut events, is_ready(Component::Checkout)).await;
    let component = Component::Inventory;
    let (pid, address) = (lab.pid(component).unwrap(), lab.address(component).unwrap());
    kill(pid);
    let told = events_until(&mut events, is_ready(component)).await;

    assert!(
        told.iter().any(|event| matches!(
            event,
            Event::Died { component: died, status, .. } if *died == component && status == "signal: 9 (SIGKILL)"
        )),
        "{told:#?}"
    );
    let after = Duration::from_millis(100);
    assert!(
        told.contains(&Event::Restarting { component, after }),
        "{told:#?}"
    );
    assert_eq!(told.last(), Some(&Event::Ready { component, address }));
    let calls = stand_in.calls(component);
    assert_eq!(calls.len(), 2);
    let listen = format!("--listen {address}");
    assert!(calls[1].ends_with(&listen), "{calls:#?}");
    assert_eq!(lab.address(component), Some(address));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_does_not_come_back_is_left_alone_for_longer_and_longer() {
    let stand_in = StandIn::new();
    let (lab, mut events) = Lab::start(stand_in.config()).await.unwrap();
    events_until(&mut events, is_ready(Component::Checkout)).await;
    let component = Component::Email;
    stand_in.write(component, "refuses", "no mail today\n");
    kill(lab.pid(component).unwrap());
    let mut waits = Vec::new();
    let mut whys = Vec::new();
    while whys.len() < 3 {
        let not_restarted = |event: &Event| matches!(event, Event::NotRestarted { .. });
        for event in events_until(&mut events, not_restarted).await {
            match event {
                Event::Restarting { after, .. } => waits.push(after.as_millis()),
                Event::NotRestarted { why, .. } => whys.push(why),
                _ => {}
            }
        }
    }
    assert_eq!(waits, [100, 200, 400]);
    assert!(
        whys.iter().all(|why| why.ends_with("no mail today")),
        "{whys:#?}"
    );
    assert_eq!(lab.pid(component), None);

    stand_in.remove(component, "refuses");
    events_until(&mut events, is_ready(component)).await;
    lab.stop().await;
    stand_in.all_stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_can_be_stopped_while_a_child_is_down() {
    let stand_in = StandIn::new();
    let (lab, mut events) = Lab::start(stand_in.config()).await.unwrap();
    stand_in.write(Component::Email, "refuses", "no mail today\n");
    kill(lab.pid(Component::Email).unwrap());
    let not_restarted = |event: &Event| matches!(event, Event::NotRestarted { .. });
    events_until(&mut events, not_restarted).await;
    let stopped = lab.stop().await;
    assert_eq!(stopped.killed, []);
}
