//! What was left out of a file, or changed in it, while the rest was read.

use std::fmt;

use trace::otlp::Rejected;

/// Something that was left out of a file, or changed in it, while the rest was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The file ends in the middle of a document, which was left out: it may still be written.
    Cut {
        /// The part that is incomplete, such as `line 3`.
        part: String,
    },
    /// A line among others was left out, since it is no JSON: a program may have stopped while it wrote it.
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A span was left out, since it cannot be used.
    Span {
        /// The number of its document, from 1.
        document: usize,
        /// The place of the span in the document, and what is wrong with it.
        problem: String,
    },
    /// More spans were left out, without a line for each.
    MoreSpans(usize),
    /// Spans were left out, since they stand in a field that OTLP no longer has.
    LibrarySpans(usize),
    /// Documents of another signal were left out.
    OtherSignal {
        /// `logs`, `metrics` or `profiles`.
        signal: &'static str,
        /// The number of these documents.
        documents: usize,
    },
    /// U+FFFD replaces what is no character in this number of texts.
    Replaced(usize),
    /// The backend says that it did not return all spans of a trace.
    Partial,
}

/// The notes about a file, each once.
#[derive(Debug, Default)]
pub(super) struct Notes {
    cut: Vec<Note>,
    spans: Vec<Note>,
    more_spans: usize,
    library_spans: usize,
    signals: Vec<(&'static str, usize)>,
    replaced: usize,
    partial: bool,
}

/// The highest number of left out spans with a line for each.
const MOST_SPANS: usize = 5;

// === impl Notes ===

impl Notes {
    pub(super) fn cut(&mut self, part: String) {
        self.cut.push(Note::Cut { part });
    }

    pub(super) fn line(&mut self, line: usize, problem: String) {
        self.cut.push(Note::Line { line, problem });
    }

    pub(super) fn rejected(&mut self, document: usize, rejected: &Rejected) {
        self.span(document, || rejected.to_string());
    }

    pub(super) fn span(&mut self, document: usize, problem: impl FnOnce() -> String) {
        if self.spans.len() < MOST_SPANS {
            let problem = problem();
            self.spans.push(Note::Span { document, problem });
        } else {
            self.more_spans += 1;
        }
    }

    /// Counts spans that are left out without a line for each.
    pub(super) fn more_spans(&mut self, spans: usize) {
        self.more_spans += spans;
    }

    pub(super) fn library_spans(&mut self, spans: usize) {
        self.library_spans += spans;
    }

    pub(super) fn signal(&mut self, signal: &'static str) {
        match self.signals.iter_mut().find(|(known, _)| *known == signal) {
            Some((_, documents)) => *documents += 1,
            None => self.signals.push((signal, 1)),
        }
    }

    pub(super) fn replaced(&mut self, texts: usize) {
        self.replaced += texts;
    }

    pub(super) fn partial(&mut self) {
        self.partial = true;
    }

    /// All notes, the gravest first.
    pub(super) fn into_list(self) -> Vec<Note> {
        let more = (self.more_spans > 0).then_some(Note::MoreSpans(self.more_spans));
        let library = (self.library_spans > 0).then_some(Note::LibrarySpans(self.library_spans));
        let signals = self.signals.into_iter();
        let signals = signals.map(|(signal, documents)| Note::OtherSignal { signal, documents });
        let replaced = (self.replaced > 0).then_some(Note::Replaced(self.replaced));
        let partial = self.partial.then_some(Note::Partial);
        let mut all = self.spans;
        all.extend(more);
        all.extend(library);
        all.extend(self.cut);
        all.extend(partial);
        all.extend(signals);
        all.extend(replaced);
        all
    }
}

// === impl Note ===

impl Note {
    /// Whether spans are missing for it.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Note::OtherSignal { .. } | Note::Replaced(_))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Cut { part } => write!(
                f,
                "{part} is cut off and left out; the file may still be written"
            ),
            Note::Line { line, problem } => {
                write!(f, "line {line} is no JSON and left out: {problem}")
            }
            Note::Span { document, problem } => {
                write!(f, "document {document}: {problem}; this span is left out")
            }
            Note::MoreSpans(spans) => write!(f, "{spans} more spans are left out"),
            Note::LibrarySpans(spans) => write!(
                f,
                "{spans} {} below \"instrumentationLibrarySpans\" and left out: OTLP 0.15 renamed this \
                 field to \"scopeSpans\", and \"instrumentationLibrary\" in it to \"scope\"; OTLP 1.0 \
                 does not have the old names",
                if *spans == 1 { "span is" } else { "spans are" }
            ),
            Note::OtherSignal { signal, documents } => write!(
                f,
                "{documents} {} of {signal} left out: only traces are read",
                if *documents == 1 {
                    "document"
                } else {
                    "documents"
                }
            ),
            Note::Replaced(texts) => write!(
                f,
                "U+FFFD replaces what is no character in {texts} {}",
                if *texts == 1 { "text" } else { "texts" }
            ),
            Note::Partial => write!(
                f,
                "the backend says that a trace is partial: it did not return all spans"
            ),
        }
    }
}
