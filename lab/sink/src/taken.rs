//! [`Taken`]: what became of a request.

/// The result of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The number of refused spans.
    pub refused: usize,
    /// The reasons: a sentence for each of the first reasons. Empty if nothing was refused.
    pub reasons: Vec<String>,
    /// The number of refused spans without a sentence.
    unsaid: usize,
    /// What was changed in the request, as a sentence. Nothing was refused for it.
    pub warning: Option<String>,
}

/// What a request of JSON had that its protobuf has no more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lost {
    /// The number of texts in which U+FFFD replaces what is no character.
    pub(crate) replaced: usize,
    /// The number of spans in a field that OTLP no longer has.
    pub(crate) library_spans: usize,
}

/// The highest number of reasons with a sentence; further reasons are only counted.
const MOST_REASONS: usize = 5;

// === impl Taken ===

impl Taken {
    /// The reasons and the warning as one text, for OTLP's partial success; empty if there are none.
    pub fn message(&self) -> String {
        let mut parts = self.reasons.clone();
        if self.unsaid > 0 {
            parts.push(format!("and {} more", self.unsaid));
        }
        parts.extend(self.warning.clone());
        parts.join("; ")
    }

    /// Notes that U+FFFD is read in place of what is no character in this number of texts.
    pub(crate) fn replaced(&mut self, texts: usize) {
        if texts > 0 {
            let word = if texts == 1 { "text" } else { "texts" };
            let warning = format!("U+FFFD replaces what is no character in {texts} {word}");
            self.warning = Some(warning);
        }
    }

    /// Counts spans as refused. `reason` is called only if its text is used.
    pub(crate) fn refuse(&mut self, spans: usize, reason: impl FnOnce() -> String) {
        self.refused += spans;
        if self.reasons.len() < MOST_REASONS {
            self.reasons.push(reason());
        } else {
            self.unsaid += spans;
        }
    }
}
