//! Compares the attributes of a span, its resource and its scope, of an event and of a link.

use scenario::{Check, Reference, Want};
use trace::{Attributes, Fidelity, Span, Value};

use crate::{reference::Resolved, text};

/// The owner of the attributes. Attributes of different owners are never merged.
#[derive(Clone, Copy)]
pub(crate) enum Holder {
    Span,
    Resource,
    Scope,
}

/// `None` if an attribute of a span, its resource or its scope is as expected; otherwise whether the difference
/// is certain.
pub(crate) fn of_holder<'t>(
    holder: Holder,
    key: &str,
    check: &Check,
    span: &Span,
    same: &impl Fn(&Reference) -> Resolved<'t>,
) -> Option<bool> {
    let (attributes, dropped) = holder.attributes(span);
    let differs = attribute_differs(key, check, attributes, dropped, same)?;
    if span.fidelity == Fidelity::Exact || !differs {
        return Some(differs);
    }
    let (Check::AnyOf(wants), Some(value)) = (check, attributes.get(key)) else {
        // The format has the resource's and the scope's attributes among those of the span, if at all.
        return Some(matches!(holder, Holder::Span));
    };
    let is_service = matches!(holder, Holder::Resource) && key == "service.name";
    if is_service && wants.iter().any(|want| text::is_without_case(want, value)) {
        return None;
    }
    Some(!wants.iter().any(|want| text::may_be(want, value, same)))
}

/// `None` if an attribute is as expected; otherwise whether the difference is certain.
fn attribute_differs<'t>(
    key: &str,
    check: &Check,
    attributes: &Attributes,
    dropped: u32,
    same: &impl Fn(&Reference) -> Resolved<'t>,
) -> Option<bool> {
    let mut values = attributes
        .iter()
        .filter(|(known, _)| *known == key)
        .map(|(_, value)| value);
    match (check, values.next()) {
        (Check::Absent, Some(_)) => Some(true),
        (Check::Absent, None) => (dropped > 0).then_some(false),
        (Check::Present, Some(_)) => None,
        (Check::Present | Check::AnyOf(_), None) => Some(dropped == 0),
        // All values of a key that was sent twice must be right.
        (Check::AnyOf(wants), Some(first)) => {
            let judged = std::iter::once(first)
                .chain(values)
                .map(|value| is_wanted(wants, value, same));
            judged.fold(None, |differs, is_wanted| match is_wanted {
                Some(true) => differs,
                Some(false) => Some(true),
                None => differs.or(Some(false)),
            })
        }
    }
}

/// Whether a value is among the expected ones; `None` if that cannot be known.
fn is_wanted<'t>(
    wants: &[Want],
    value: &Value,
    same: &impl Fn(&Reference) -> Resolved<'t>,
) -> Option<bool> {
    let mut unknown = false;
    for want in wants {
        let right = match want {
            Want::Same(reference) => match same(reference) {
                // While the span is not known, it may be one with this value.
                Resolved::NotYet => true,
                Resolved::NoSpan => false,
                Resolved::Dropped => {
                    unknown = true;
                    false
                }
                Resolved::Values(values, _) => values.contains(&value),
            },
            other => other.matches(value),
        };
        if right {
            return Some(true);
        }
    }
    (!unknown).then_some(false)
}

/// The result of all checks of some attributes: they fit, differ, or cannot be known.
pub(crate) fn attributes_fit<'t>(
    checks: &[(String, Check)],
    attributes: &Attributes,
    dropped: u32,
    same: &impl Fn(&Reference) -> Resolved<'t>,
) -> Option<bool> {
    let differences: Vec<bool> = checks
        .iter()
        .filter_map(|(key, check)| attribute_differs(key, check, attributes, dropped, same))
        .collect();
    match differences.iter().any(|certain| *certain) {
        true => Some(false),
        false if differences.is_empty() => Some(true),
        false => None,
    }
}

// === impl Holder ===

impl Holder {
    pub(crate) fn attributes(self, span: &Span) -> (&Attributes, u32) {
        match self {
            Holder::Span => (&span.attributes, span.dropped_attributes),
            Holder::Resource => (&span.resource.attributes, span.resource.dropped_attributes),
            Holder::Scope => (&span.scope.attributes, span.scope.dropped_attributes),
        }
    }

    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Holder::Span => "",
            Holder::Resource => "resource ",
            Holder::Scope => "scope ",
        }
    }
}
