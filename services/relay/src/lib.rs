//! A service that does nothing but pass context on: the subject of the W3C trace-context test suite.
