//! [`MemoryArg`] and [`ReadingArg`]: how much memory a command takes.

use crate::exit::WrongInput;

/// The memory of the sink.
#[derive(Debug, clap::Args)]
pub(crate) struct MemoryArg {
    /// The memory of the sink in MiB, at least 16: five eighths for traces, of which it evicts the oldest, and a quarter
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

/// The memory for reading traces.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadingArg {
    /// The memory for reading traces in MiB, at least 64. Files may be larger: their spans are kept outside of memory,
    /// in a temporary file, and read trace by trace.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: usize,
}

/// What the program takes before it reads anything, in MiB.
const OF_THE_PROGRAM: usize = 32;
const LEAST: usize = 2 * OF_THE_PROGRAM;
/// More than any machine has: so many MiB cannot be counted in bytes.
const MOST: usize = usize::MAX >> 20;

// === impl ReadingArg ===

impl ReadingArg {
    /// The least `--memory`, in multiples of 64, that leaves this number of bytes for traces.
    pub(crate) fn that_leaves(bytes: usize) -> usize {
        ((bytes >> 20) + 1 + OF_THE_PROGRAM).next_multiple_of(64)
    }

    /// The bytes of memory for traces.
    pub(crate) fn bytes(&self) -> Result<usize, WrongInput> {
        match self.memory {
            LEAST..=MOST => Ok((self.memory - OF_THE_PROGRAM) << 20),
            other => Err(WrongInput(format!(
                "--memory: {other} MiB are not from {LEAST} to {MOST}"
            ))),
        }
    }
}
