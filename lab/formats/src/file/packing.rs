//! Unpacks gzip and zstd.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use flate2::bufread::MultiGzDecoder;

use super::ReadError;

/// Unpacks bytes up to a limit for the whole file: a few packed bytes may expand to more than the memory of
/// the machine.
pub(super) struct Packing {
    most: usize,
    left: usize,
    /// The packing of the last bytes, and the error at their end, if they were cut off.
    cut: Option<(&'static str, io::Error)>,
}

// === impl Packing ===

impl Packing {
    pub(super) fn new(most: usize) -> Packing {
        Packing {
            most,
            left: most,
            cut: None,
        }
    }

    /// Returns the bytes unpacked, or unchanged if they are not packed.
    pub(super) fn unpack<'a>(&mut self, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, ReadError> {
        let Some(packing) = name(bytes) else {
            return Ok(bytes.into());
        };
        let unpacked = match packing {
            GZIP => self.read(MultiGzDecoder::new(bytes)),
            _ => zstd::Decoder::with_buffer(bytes).and_then(|decoder| self.read(decoder)),
        };
        let (unpacked, cut) = unpacked.map_err(|source| ReadError::Packed { packing, source })?;
        self.cut = cut.map(|error| (packing, error));
        match self.left.checked_sub(unpacked.len()) {
            Some(left) => self.left = left,
            None => {
                let most = in_words(self.most);
                return Err(ReadError::TooLarge { most });
            }
        }
        Ok(unpacked.into())
    }

    /// Takes the error at the end of the last bytes, if they were cut off.
    pub(super) fn take_cut(&mut self) -> Option<(&'static str, io::Error)> {
        self.cut.take()
    }

    /// Reads one byte more than the limit, to find out that there is too much. Of bytes that are cut off, the
    /// beginning is returned with the error.
    fn read(&self, packed: impl Read) -> io::Result<(Vec<u8>, Option<io::Error>)> {
        let mut unpacked = Vec::new();
        let read = packed.take(self.left as u64 + 1).read_to_end(&mut unpacked);
        match read {
            Ok(_) => Ok((unpacked, None)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !unpacked.is_empty() => {
                Ok((unpacked, Some(error)))
            }
            Err(error) => Err(error),
        }
    }
}

const GZIP: &str = "gzip";
const ZSTD: &str = "zstd";

/// The packing of the bytes, by their beginning (RFC 1952, section 2.3.1; RFC 8878, sections 3.1.1 and 3.1.2:
/// a frame, or a skippable frame).
pub(super) fn name(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, ..] => Some(GZIP),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(ZSTD),
        _ => None,
    }
}

fn in_words(bytes: usize) -> String {
    match bytes {
        0 => "0 bytes".to_owned(),
        _ if bytes.is_multiple_of(1 << 30) => format!("{} GiB", bytes >> 30),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => format!("{bytes} bytes"),
    }
}
