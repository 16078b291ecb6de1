//! The OTLP receiver of the lab: bounded store, exact accounting.
