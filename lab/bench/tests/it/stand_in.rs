//! A program to benchmark: this test program itself, which listens when it is told to.

use std::{io::Write, net::TcpListener, os::unix::process::parent_id, path::Path, time::Duration};

/// The command line of a program that listens on `address` until it is told to end, or its parent has ended. First it
/// writes `says`, and how many files are in its folder, where it leaves one more each time. With the number of a core in
/// `STAND_IN_STAYS_ON` it keeps itself there before.
pub(crate) fn command_line(address: &str, says: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let program = shlex::try_quote(program.to_str().unwrap()).unwrap();
    format!(
        "STAND_IN_LISTENS={address} STAND_IN_SAYS='{says}' {program} --exact stand_in::listens --nocapture"
    )
}

/// Not a test of its own: the program of [`command_line`].
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the variables of the command line; this thread has nothing else to do"
)]
fn listens() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let address = variable("STAND_IN_LISTENS");
    if address.is_empty() {
        return;
    }
    let parent = parent_id();
    if let Ok(core) = variable("STAND_IN_STAYS_ON").parse() {
        // The main thread waits for this one.
        bench::cores::pin_this_process(core).unwrap();
    }
    let folder = variable("BENCH_DIR");
    let files = std::fs::read_dir(&folder).unwrap().count();
    std::fs::write(Path::new(&folder).join(files.to_string()), "").unwrap();
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{}", variable("STAND_IN_SAYS")).unwrap();
    writeln!(stderr, "{files} files").unwrap();
    let _listener = TcpListener::bind(address).unwrap();
    while parent_id() == parent {
        std::thread::sleep(Duration::from_millis(50));
    }
}
