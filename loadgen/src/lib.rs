//! Goose journeys through the shop, and the ledger of what was asked and answered.
