//! Runs a scenario against a lab and comes to a verdict.
