//! The scenario file: parse and lint, with positions in every error.
