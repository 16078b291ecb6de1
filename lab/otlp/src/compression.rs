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

    /// The plain bytes. More than `most` are never produced.
    ///
    /// # Errors
    ///
    /// [`Failure::TooLarge`] when there are more, [`Failure::Malformed`] when the bytes are not compressed in this way.
    pub fn decompress(self, bytes: Bytes, most: usize) -> Result<Bytes, Failure> {
        match self {
            Compression::None => Ok(bytes),
            Compression::Gzip => read(flate2::read::MultiGzDecoder::new(&*bytes), most),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(&*bytes);
                let mut decoder = decoder.map_err(Failure::Malformed)?;
                // A frame may ask for a window of gigabytes before it says anything: 8 MiB is what
                // RFC 8878, section 3.1.1.1.2, recommends to support.
                decoder.window_log_max(23).map_err(Failure::Malformed)?;
                read(decoder, most)
            }
        }
    }
}

fn read(reader: impl Read, most: usize) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    reader
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(Failure::Malformed)?;
    if bytes.len() > most {
        Err(Failure::TooLarge)
    } else {
        Ok(bytes.into())
    }
}
