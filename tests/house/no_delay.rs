//! Every listener of the product sets TCP_NODELAY on its connections, through the crate `tcp`.

use crate::circles::{read, sources};

/// The calls that serve a listener. Neither sets the option on a listener that it is given.
const SERVE: [&str; 2] = ["axum::serve(", ".serve_with_incoming"];

const RIGHT: &str = "tcp::NoDelay::new(";

#[test]
fn every_listener_is_served_without_delay() {
    let mut calls = 0;
    let mut wrong = Vec::new();
    for file in sources().iter().flat_map(|source| read(source)) {
        for (line, call) in served(&file.text) {
            calls += 1;
            if !call.contains(RIGHT) {
                let name = &file.name;
                wrong.push(format!(
                    "{name}:{line}: put the listener into {RIGHT}…): a reply waits up to 40 ms otherwise"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(
        calls >= 4,
        "the services, the page, and the sink twice: {calls}"
    );
}

#[test]
fn a_call_without_it_is_found() {
    let text = "\n    axum::serve(listener, router)\n";
    let found: Vec<_> = served(text).collect();
    assert_eq!(found, [(2, "    axum::serve(listener, router)")]);
}

/// The lines in which a listener is served, outside of comments, with their numbers.
fn served(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines());
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .filter(|(_, line)| SERVE.iter().any(|call| line.contains(call)))
}
