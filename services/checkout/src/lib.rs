//! The checkout service: carts, orders, and the path of an order through the shop.
