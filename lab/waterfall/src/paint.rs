//! Colours: one for each service, the same in every picture.

use std::collections::HashMap;

use trace::Trace;

/// The colour of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Strong,
    Faint,
    Error,
    /// A colour of the terminal's 256.
    Colour(u8),
}

/// Paints text, or leaves it unchanged.
pub(super) struct Painter<'a>(Option<HashMap<&'a str, u8>>);

/// Colours that are readable on a dark and on a light background, and differ clearly from each other.
const PALETTE: [u8; 12] = [33, 71, 172, 133, 37, 168, 104, 100, 67, 166, 30, 97];

impl<'a> Painter<'a> {
    pub(super) fn new(trace: &'a Trace, colour: bool) -> Self {
        Painter(colour.then(|| colours(trace)))
    }

    /// The colour of a service of this trace.
    pub(super) fn service(&self, name: &str) -> Ink {
        match self.0.as_ref().and_then(|colours| colours.get(name)) {
            Some(&colour) => Ink::Colour(colour),
            None => Ink::Plain,
        }
    }

    pub(super) fn paint(&self, ink: Ink, text: &str) -> String {
        if self.0.is_none() || text.trim().is_empty() {
            return text.to_owned();
        }
        match ink {
            Ink::Plain => text.to_owned(),
            Ink::Strong => format!("\x1b[1m{text}\x1b[0m"),
            Ink::Faint => format!("\x1b[2m{text}\x1b[0m"),
            Ink::Error => format!("\x1b[31m{text}\x1b[0m"),
            Ink::Colour(colour) => format!("\x1b[38;5;{colour}m{text}\x1b[0m"),
        }
    }
}

/// Chooses the colours. The colour of a service depends on its name alone, unless another service of the
/// trace has this colour.
fn colours(trace: &Trace) -> HashMap<&str, u8> {
    let mut services = trace.services();
    services.sort_unstable();
    let mut colours = HashMap::new();
    let mut taken = [false; PALETTE.len()];
    for service in services {
        let wish = hash(service) as usize % PALETTE.len();
        let free = (0..PALETTE.len())
            .map(|step| (wish + step) % PALETTE.len())
            .find(|&place| !taken[place]);
        let place = free.unwrap_or(wish);
        taken[place] = true;
        colours.insert(service, PALETTE[place]);
    }
    colours
}

/// FNV-1a: short, and the same on every machine and in every version. Its middle bits are mixed best, and
/// they give the services of the shop very different colours.
fn hash(text: &str) -> u32 {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash >> 15
}
