//! The text of a new scenario.

use std::fmt::Write;

use faults::Fault;

/// The text of a new scenario, for a user to edit: of the shop, with this fault if there is one, or of a
/// target of the user's own. It can be run as it is.
pub fn skeleton(name: &str, fault: Option<&Fault>, target: Option<&str>) -> String {
    let mut text = format!(
        "name: {name}\n\
         title: One line for people\n\
         story: |\n  \
           - **What do you see?** \n  \
           - **What to ask:** \n  \
           - **Where does the time go?** \n  \
           - **What to do:** \n\n"
    );
    if let Some(fault) = fault {
        let parameters: Vec<String> = fault
            .parameters
            .iter()
            .filter_map(|parameter| Some(format!("{}: {}", parameter.name, parameter.default?)))
            .collect();
        let parameters = match parameters.is_empty() {
            true => "{}".to_owned(),
            false => format!("{{ {} }}", parameters.join(", ")),
        };
        let _ = writeln!(
            text,
            "faults: {{ {}: {parameters} }} # {}",
            fault.name, fault.summary
        );
    }
    match target {
        Some(target) => {
            let _ = writeln!(
                text,
                "target: {target} # sends its spans to the OTLP ports of tracelab run\n\
                 journey: {{ requests: [{{ method: GET, path: / }}] }}\n\
                 load: {{ requests: 10, users: 2 }}\n\n\
                 expect:\n  \
                   trace: {{ roots: 1, orphans: 0, errors: 0 }}\n  \
                   tree:\n    \
                     - span: {{ kind: server }}"
            );
        }
        None => text.push_str(
            "journey: { cart-lines: 3 }\n\
             load: { requests: 10, users: 2 }\n\n\
             expect:\n  \
               trace: { roots: 1, orphans: 0, errors: 0 }\n  \
               tree:\n    \
                 - span: { service: checkout, name: POST /checkout, kind: server }\n      \
                   children:\n        \
                     - any-depth: true # what only the trace of the fault has\n          \
                       span: { service: payment, name: POST /charges, kind: server }\n",
        ),
    }
    if fault.is_some() {
        text.push_str("twin: { faults: {} }\n# near-miss: what looks alike and is healthy\n");
    }
    if target.is_none() {
        text.push_str("# needs: textbook, if it supposes the simulated times of this pace\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_begins_with_has_no_faults() {
        let slow = Some(&faults::SLOW_PROVIDER);
        for (fault, target) in [
            (None, None),
            (slow, None),
            (None, Some("http://127.0.0.1:9000")),
        ] {
            let text = skeleton("mine", fault, target);
            let errors = crate::lint("mine.yaml", &text);
            assert!(errors.is_empty(), "{errors:?}\n{text}");
        }
    }
}
