//! What every service of the shop stands on: its listener, database, pace, health, flush and clean stop.
