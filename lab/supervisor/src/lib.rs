//! Starts the shop as child processes, watches them, and stops them.
