//! Reads a document of OTLP/JSON span by span, so that it may be larger than memory.

use std::io;

use otlp::{Piece, StreamError, Window, begins_with_resources, stream_traces};
use trace::{
    Fidelity,
    otlp::{Rejected, head},
};

use super::{ReadError, Reader};
use crate::recording::{RecordError, Writer};

/// Where the reading of a document stopped.
pub(super) enum Stopped {
    /// There is no document.
    Nowhere,
    /// It was read.
    Behind,
    /// Nothing of it was read, since it has to be read as a whole: it does not begin as OTLP/JSON, or is small enough
    /// to say more exactly what is wrong with it.
    Before,
}

/// What was read of a document.
struct Reading<'w> {
    writer: &'w mut Writer,
    /// The envelope of the spans of this scope.
    envelope: Option<u32>,
    /// The scopes of this resource that have spans, with their envelopes.
    scopes: Vec<(u32, Vec<u8>)>,
    resource: usize,
    scope: usize,
    span: usize,
    rejected: Vec<Rejected>,
    more_rejected: usize,
}

/// The highest number of spans that are left out with their reasons.
const MOST_REJECTED: usize = 1_000;

impl Reader<'_> {
    /// Reads the document at the beginning of the window, if it begins as OTLP/JSON.
    pub(super) fn streamed(&mut self, window: &mut Window<'_>) -> Result<Stopped, ReadError> {
        let next = window.skip_space();
        if next.map_err(|error| self.source(window, error))?.is_none() {
            return Ok(Stopped::Nowhere);
        }
        let is_one = begins_with_resources(window);
        if !is_one.map_err(|error| self.source(window, error))? {
            return Ok(Stopped::Before);
        }
        let (before, line) = (self.writer.mark(), window.place().lines + 1);
        window.mark();
        let mut reading = Reading {
            writer: self.writer,
            envelope: None,
            scopes: Vec::new(),
            resource: 0,
            scope: 0,
            span: 0,
            rejected: Vec::new(),
            more_rejected: 0,
        };
        let streamed = stream_traces(window, &mut |piece| Ok(reading.piece(piece)?));
        let (rejected, more) = (reading.rejected, reading.more_rejected);
        let error = match streamed {
            Ok(streamed) => {
                window.unmark();
                self.documents += 1;
                for rejected in &rejected {
                    self.notes.rejected(self.documents, rejected);
                }
                self.notes.more_spans(more);
                self.notes.library_spans(streamed.library_spans);
                self.notes.replaced(streamed.replaced);
                return Ok(Stopped::Behind);
            }
            Err(error) => error,
        };
        let mut is_cut_off = false;
        let wrong = match error {
            StreamError::Source(error) => return Err(self.source(window, error)),
            StreamError::TooLarge(line) => return Err(self.too_large(line)),
            StreamError::Refused(error) => {
                let error = error.downcast::<RecordError>();
                let error = error.map_or_else(|other| io::Error::other(other).into(), |it| *it);
                return Err(ReadError::Record(error));
            }
            StreamError::Otlp(problem) => ReadError::Document {
                document: self.documents + 1,
                problem,
            },
            StreamError::Json {
                problem,
                line,
                column,
                is_cut,
            } => {
                is_cut_off = is_cut;
                ReadError::Json {
                    problem,
                    line,
                    column,
                    hint: "",
                }
            }
        };
        self.writer.take_back(before).map_err(ReadError::Record)?;
        if window.rewind() {
            return Ok(Stopped::Before);
        }
        if is_cut_off && self.documents > 0 {
            self.notes.cut(format!("line {line}"));
            return Ok(Stopped::Nowhere);
        }
        Err(wrong)
    }
}

// === impl Reading ===

impl Reading<'_> {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), RecordError> {
        match piece {
            Piece::Span(message) => {
                match head(message) {
                    Ok(head) => {
                        let envelope = match self.envelope {
                            Some(open) => open,
                            None => *self.envelope.insert(self.writer.open_envelope()?),
                        };
                        self.writer.span(&head, envelope, Fidelity::Exact)?;
                    }
                    Err(_) if self.rejected.len() == MOST_REJECTED => self.more_rejected += 1,
                    Err(problem) => self.rejected.push(Rejected {
                        resource: self.resource,
                        scope: self.scope,
                        span: self.span,
                        problem,
                    }),
                }
                self.span += 1;
            }
            Piece::Scope(scope) => {
                if let Some(envelope) = self.envelope.take() {
                    self.scopes.push((envelope, scope.to_vec()));
                }
                self.scope += 1;
                self.span = 0;
            }
            Piece::Resource(resource) => {
                self.writer.seal(resource, &self.scopes)?;
                self.scopes.clear();
                self.resource += 1;
                self.scope = 0;
            }
        }
        Ok(())
    }
}
