//! Trace and span ids: fixed-width bytes that read and print as lower-case hex.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A trace id: 16 bytes, not all zero (W3C Trace Context, section 3.2.2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; 16]);

/// A span id: 8 bytes, not all zero (W3C Trace Context, section 3.2.2.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId([u8; 8]);

/// Why bytes or text are not an id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// Bytes of the wrong length.
    #[error("{got} bytes where {want} are needed")]
    Length {
        /// The number of bytes of such an id.
        want: usize,
        /// The number of bytes that were given.
        got: usize,
    },
    /// Text of the wrong length.
    #[error("{got} digits where {want} are needed")]
    Digits {
        /// The number of digits of such an id.
        want: usize,
        /// The number of digits that were given.
        got: usize,
    },
    /// The text holds a character that is not a hexadecimal digit.
    #[error("{0:?} is no hexadecimal digit")]
    Digit(char),
    /// All bytes are zero, which the specification keeps for "no id".
    #[error("all zero, which stands for \"no id\"")]
    Zero,
}

macro_rules! id {
    ($name:ident, $len:literal) => {
        impl $name {
            /// Makes an id from its bytes, as OTLP/protobuf has it.
            ///
            /// # Errors
            ///
            /// [`IdError::Length`] for any other number of bytes, [`IdError::Zero`] when all are zero.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                let bytes: [u8; $len] = bytes.try_into().map_err(|_| IdError::Length {
                    want: $len,
                    got: bytes.len(),
                })?;
                Self::from_bytes(bytes)
            }

            /// Makes an id from an array of its bytes.
            ///
            /// # Errors
            ///
            /// [`IdError::Zero`] when all bytes are zero: W3C Trace Context calls such an id invalid.
            pub fn from_bytes(bytes: [u8; $len]) -> Result<Self, IdError> {
                if bytes == [0; $len] {
                    return Err(IdError::Zero);
                }
                Ok(Self(bytes))
            }

            /// Parses an id from text that may lack leading zeros, as in the older formats.
            ///
            /// # Errors
            ///
            /// When the text is too long, is not hexadecimal, or is all zeros.
            pub fn from_short(text: &str) -> Result<Self, IdError> {
                format!("{text:0>width$}", width = 2 * $len).parse()
            }

            /// The bytes of the id.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if let Some(digit) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
                    return Err(IdError::Digit(digit));
                }
                if text.len() != 2 * $len {
                    return Err(IdError::Digits {
                        want: 2 * $len,
                        got: text.len(),
                    });
                }
                let mut bytes = [0; $len];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
                    *byte = (nibble(pair[0]) << 4) | nibble(pair[1]);
                }
                Self::from_bytes(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(TraceId, 16);
id!(SpanId, 8);

/// The value of a digit that was already checked to be hexadecimal.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}
