//! Decompressing what may be a bomb.

use std::io::{self, Read};

use bytes::Bytes;

/// A `Content-Encoding` of OTLP/HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// `identity`, or no header.
    None,
    /// `gzip`.
    Gzip,
    /// `zstd`.
    Zstd,
}

/// Why something could not be decompressed.
#[derive(Debug)]
pub enum Failure {
    /// It would be larger than it may be.
    TooLarge,
    /// It is no such thing.
    Malformed(io::Error),
}

impl Compression {
    /// By its name in the header; all three are case-insensitive (RFC 9110, section 8.4.1).
    pub fn from_name(name: &str) -> Option<Compression> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Compression::None),
            "gzip" | "x-gzip" => Some(Compression::Gzip),
            "zstd" => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// The plain bytes. More than `most` are never produced, and memory is taken only after `grow` has agreed to
    /// this number of bytes more.
    ///
    /// # Errors
    ///
    /// [`Failure::TooLarge`] when there are more, or `grow` refuses; [`Failure::Malformed`] when the bytes are not
    /// compressed in this way.
    pub fn decompress(
        self,
        bytes: Bytes,
        most: usize,
        grow: impl FnMut(usize) -> bool,
    ) -> Result<Bytes, Failure> {
        match self {
            Compression::None => Ok(bytes),
            Compression::Gzip => read(flate2::read::MultiGzDecoder::new(&*bytes), most, grow),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(&*bytes);
                let mut decoder = decoder.map_err(Failure::Malformed)?;
                // A frame may ask for a window of gigabytes before it says anything: 8 MiB is what
                // RFC 8878, section 3.1.1.1.2, recommends to support.
                decoder.window_log_max(23).map_err(Failure::Malformed)?;
                read(decoder, most, grow)
            }
        }
    }
}

/// The first bytes for which memory is taken; then it is doubled.
const FIRST: usize = 64 << 10;

fn read(
    mut reader: impl Read,
    most: usize,
    mut grow: impl FnMut(usize) -> bool,
) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    loop {
        let more = FIRST.max(bytes.len()).min(most + 1 - bytes.len());
        if !grow(more) {
            return Err(Failure::TooLarge);
        }
        bytes.reserve_exact(more);
        let read = reader
            .by_ref()
            .take(more as u64)
            .read_to_end(&mut bytes)
            .map_err(Failure::Malformed)?;
        if bytes.len() > most {
            return Err(Failure::TooLarge);
        }
        if read < more {
            return Ok(bytes.into());
        }
    }
}
