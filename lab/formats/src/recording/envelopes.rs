//! What spans share: their resource and scope, each content once.

use std::{collections::HashMap, sync::Arc};

use trace::{Resource, Scope, Span, otlp};

/// The resource and the scope of spans.
pub(super) type Envelope = (Arc<Resource>, Arc<Scope>);

/// The envelopes of a recording, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Envelopes {
    all: Vec<Envelope>,
    /// The resources and scopes by their bytes.
    resources: HashMap<Vec<u8>, Arc<Resource>>,
    scopes: HashMap<Vec<u8>, Arc<Scope>>,
    /// Those of decoded spans, by the addresses of the resource and the scope, which are kept with them.
    decoded: HashMap<(usize, usize), u32>,
}

// === impl Envelopes ===

impl Envelopes {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn truncate(&mut self, envelopes: usize) {
        self.all.truncate(envelopes);
        self.decoded
            .retain(|_, number| (*number as usize) < envelopes);
    }

    pub(super) fn get(&self, number: u32) -> &Envelope {
        &self.all[number as usize]
    }

    /// An empty envelope.
    pub(super) fn open(&mut self) -> u32 {
        self.all.push(Envelope::default());
        self.all.len() as u32 - 1
    }

    /// Fills envelopes of one resource; returns the bytes of memory that this takes.
    pub(super) fn seal(&mut self, resource: &[u8], scopes: &[(u32, Vec<u8>)]) -> usize {
        let mut taken = 0;
        let resource = match self.resources.get(resource) {
            Some(known) => Arc::clone(known),
            None => {
                taken += otlp::decoded_shared_size(resource);
                let new = Arc::new(otlp::resource(resource));
                self.resources.insert(resource.to_vec(), Arc::clone(&new));
                new
            }
        };
        for (number, scope) in scopes {
            let scope = match self.scopes.get(scope) {
                Some(known) => Arc::clone(known),
                None => {
                    taken += otlp::decoded_shared_size(scope);
                    let new = Arc::new(otlp::scope(scope));
                    self.scopes.insert(scope.clone(), Arc::clone(&new));
                    new
                }
            };
            self.all[*number as usize] = (Arc::clone(&resource), scope);
        }
        taken
    }

    /// The envelope of a decoded span, and the bytes of memory that it takes if it is new.
    pub(super) fn of(&mut self, span: &Span) -> (u32, usize) {
        let addresses = (
            Arc::as_ptr(&span.resource).addr(),
            Arc::as_ptr(&span.scope).addr(),
        );
        if let Some(known) = self.decoded.get(&addresses) {
            return (*known, 0);
        }
        let number = self.open();
        self.all[number as usize] = (Arc::clone(&span.resource), Arc::clone(&span.scope));
        self.decoded.insert(addresses, number);
        let attributes =
            span.resource.attributes.iter().count() + span.scope.attributes.iter().count();
        // Each as large as those of most: an attribute of a resource is a short text.
        (number, size_of::<Envelope>() + 256 * (1 + attributes))
    }
}
