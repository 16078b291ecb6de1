//! [`Limits`]: how long a connection may be silent.

use std::time::Duration;

/// How long a connection may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the start of a connection to the end of its first header; in HTTP/1 from the first byte of each further
    /// header to its end.
    pub header: Duration,
    /// Between a request and the next. It is longer than the 90 s for which common clients keep a connection, since a
    /// request that meets the end of its connection fails.
    pub idle: Duration,
    /// For the client of an idle connection to agree to its end.
    pub parting: Duration,
    /// Between two parts of a request's body, or of an answer that the client does not read.
    pub stalled: Duration,
    /// As `stalled`, once the server is to stop.
    pub stopping: Duration,
    /// Between two looks at a connection.
    pub look: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header: Duration::from_secs(15),
            idle: Duration::from_secs(150),
            parting: Duration::from_secs(5),
            stalled: Duration::from_secs(60),
            stopping: Duration::from_secs(1),
            look: Duration::from_secs(5),
        }
    }
}
