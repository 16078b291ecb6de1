//! The email service: consumes order.placed and sends the confirmation.
