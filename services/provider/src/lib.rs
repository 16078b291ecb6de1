//! The third-party payment provider: deliberately not instrumented.
