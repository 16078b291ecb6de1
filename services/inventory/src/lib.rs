//! The inventory service: catalogue, prices, stock and reservations.
