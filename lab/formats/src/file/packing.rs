//! Unpacks gzip and zstd.

use std::{
    cell::RefCell,
    io::{self, BufReader, Read},
    rc::Rc,
};

use flate2::bufread::MultiGzDecoder;

use super::ReadError;

/// Unpacks bytes up to a limit for the whole file: a few packed bytes may expand to more than the memory of
/// the machine.
pub(super) struct Packing {
    most: usize,
    state: Rc<RefCell<State>>,
}

struct State {
    left: usize,
    /// The error at the end of packed bytes that are cut off.
    cut: Option<io::Error>,
    is_over: bool,
}

// === impl Packing ===

impl Packing {
    pub(super) fn new(most: usize) -> Packing {
        Packing {
            most,
            state: Rc::new(RefCell::new(State {
                left: most,
                cut: None,
                is_over: false,
            })),
        }
    }

    /// The unpacked bytes of these. Of packed bytes that are cut off it is their beginning: [`Packing::take_cut`]
    /// says so.
    pub(super) fn unpack<'r>(
        &self,
        packing: &'static str,
        packed: impl Read + 'r,
    ) -> Box<dyn Read + 'r> {
        let packed = BufReader::new(packed);
        let decoder: Box<dyn Read + 'r> = match packing {
            GZIP => Box::new(MultiGzDecoder::new(packed)),
            _ => match zstd::Decoder::with_buffer(packed) {
                Ok(decoder) => Box::new(decoder),
                Err(error) => Box::new(Failed(Some(error))),
            },
        };
        Box::new(Unpacked {
            decoder,
            state: Rc::clone(&self.state),
            is_empty: true,
        })
    }

    /// Takes the error at the end of the last bytes, if they were cut off.
    pub(super) fn take_cut(&self) -> Option<io::Error> {
        self.state.borrow_mut().cut.take()
    }

    /// Why unpacked bytes could not be read.
    pub(super) fn explain(&self, packing: &'static str, error: ReadError) -> ReadError {
        match error {
            ReadError::Source(_) if self.state.borrow().is_over => ReadError::TooLarge {
                most: in_words(self.most),
            },
            ReadError::Source(source) => ReadError::Packed { packing, source },
            other => other,
        }
    }
}

struct Unpacked<'r> {
    decoder: Box<dyn Read + 'r>,
    state: Rc<RefCell<State>>,
    is_empty: bool,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(into) {
            Ok(read) => {
                let mut state = self.state.borrow_mut();
                match state.left.checked_sub(read) {
                    Some(left) => state.left = left,
                    None => {
                        state.is_over = true;
                        return Err(io::Error::other("it unpacks to too many bytes"));
                    }
                }
                self.is_empty &= read == 0;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !self.is_empty => {
                self.state.borrow_mut().cut = Some(error);
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }
}

/// A decoder that could not be made.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
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
