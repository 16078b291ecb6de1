//! The number of files that this process may open (RLIMIT_NOFILE). A connection is one of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files that this process may open from its soft to its hard limit.
///
/// The soft limit is low (often 1,024) for programs that use `select`; others may raise it. Children inherit it.
pub fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // A system may refuse a hard limit that it shows, as macOS does. Then the soft limit stays.
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

/// The number of files that this process may open; `None` without a limit.
pub(crate) fn limit() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile).current?;
    Some(usize::try_from(limit).unwrap_or(usize::MAX))
}
