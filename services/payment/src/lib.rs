//! The payment service: validates cards and charges them through the provider.
