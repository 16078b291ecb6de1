//! Every listener of the product is served by the crate `tcp`: at once, bounded, and stopped in time.

use crate::circles::{read, sources};

/// The calls of others that serve a listener.
const OTHERS: [&str; 2] = ["axum::serve(", ".serve_with_incoming"];

/// The ways of `tcp`.
const RIGHT: [&str; 2] = ["tcp::Server::new(", "Listener::new("];

#[test]
fn every_listener_is_served_without_delay_and_with_a_bound() {
    let mut right = 0;
    let mut wrong = Vec::new();
    for file in sources().iter().flat_map(|source| read(source)) {
        right += calls(&file.text, &RIGHT).count();
        for (line, _) in calls(&file.text, &OTHERS) {
            let name = &file.name;
            wrong.push(format!(
                "{name}:{line}: serve it with tcp::Server: a reply waits up to 40 ms otherwise, and silent clients \
                 keep others out"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(
        right >= 5,
        "the services, the page, the broker, and the sink twice: {right}"
    );
}

#[test]
fn a_call_of_another_server_is_found() {
    let text = "\n    axum::serve(listener, router)\n";
    let found: Vec<_> = calls(text, &OTHERS).collect();
    assert_eq!(found, [(2, "    axum::serve(listener, router)")]);
}

/// The lines with one of these calls, outside of comments, with their numbers.
fn calls<'t>(text: &'t str, calls: &[&str]) -> impl Iterator<Item = (usize, &'t str)> {
    let lines = (1..).zip(text.lines());
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .filter(|(_, line)| calls.iter().any(|call| line.contains(call)))
}
