//! OpenTelemetry for the services of the shop: set-up, strict W3C propagation, and one file for each boundary that context crosses.
