//! [`Packing`]: how the bodies of requests are compressed.

use std::{fmt, io::Write as _, str::FromStr};

use flate2::write::GzEncoder;
use thiserror::Error;

/// How the bodies of requests are compressed. Each is compressed anew, as a real sender's would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    #[default]
    None,
    /// gzip at level 1, the fastest.
    Gzip,
    /// zstd at level 1.
    Zstd,
}

/// Why text is no [`Packing`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no compression of requests; none, gzip and zstd are")]
pub struct NoPacking(String);

// === impl Packing ===

impl Packing {
    /// Its name in headers; `None` for no compression.
    pub fn header(self) -> Option<&'static str> {
        match self {
            Packing::None => None,
            Packing::Gzip => Some("gzip"),
            Packing::Zstd => Some("zstd"),
        }
    }

    /// Appends the compressed bytes.
    pub(crate) fn pack(self, bytes: &[u8], out: &mut Vec<u8>) {
        let written = match self {
            Packing::None => out.write_all(bytes),
            Packing::Gzip => {
                let mut encoder = GzEncoder::new(out, flate2::Compression::fast());
                encoder
                    .write_all(bytes)
                    .and_then(|()| encoder.finish().map(drop))
            }
            Packing::Zstd => zstd::stream::copy_encode(bytes, out, 1),
        };
        written.expect("memory takes all that is written to it");
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.header().unwrap_or("none"))
    }
}

impl FromStr for Packing {
    type Err = NoPacking;

    fn from_str(text: &str) -> Result<Packing, NoPacking> {
        match text {
            "none" => Ok(Packing::None),
            "gzip" => Ok(Packing::Gzip),
            "zstd" => Ok(Packing::Zstd),
            other => Err(NoPacking(other.to_owned())),
        }
    }
}
