//! [`MemoryArg`]: the memory of a sink, as `sink` and `up` take it.

use crate::exit::WrongInput;

/// The memory of the sink.
#[derive(Debug, clap::Args)]
pub(crate) struct MemoryArg {
    /// The memory of the sink in MiB, at least 16: three quarters for traces, of which it evicts the oldest, and a quarter
    /// for requests on their way, which it refuses above that.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    memory: usize,
}

// === impl MemoryArg ===

impl MemoryArg {
    /// The limits of the sink.
    pub(crate) fn config(&self) -> Result<sink::Config, WrongInput> {
        sink::Config::within(self.memory).map_err(|error| WrongInput(format!("--memory: {error}")))
    }
}
