//! The embedded AMQP 0-9-1 broker: one node, honest about what it lacks.
