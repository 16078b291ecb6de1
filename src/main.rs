//! The `tracelab` command: arguments and wiring, one file a subcommand, no logic.
fn main() {}
