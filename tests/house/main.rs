//! The house stands as the architecture chapter says: who depends on whom, and no circles of files.

mod circles;
mod map;
