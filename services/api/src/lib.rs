//! The words that the services of the shop say to each other: requests, replies, problem details.
