//! The lab's HTTP API and, until there is a page, a plain list of traces.
