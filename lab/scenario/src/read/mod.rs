//! Nodes into types: one file for each part of the scenario file.

mod attributes;
mod condition;
mod fields;
mod findings;
mod journey;
mod latency;
mod lint;
mod load;
mod names;
mod needs;
mod scalars;
mod scenario;
mod tree;

pub use scenario::{lint, scenario, to_check};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value as Json;

    use super::{attributes, fields::Words, findings, journey, latency, load, scenario, tree};

    #[test]
    fn the_schema_has_the_very_words_that_the_parser_knows() {
        let schema: Json = serde_json::from_str(crate::schema()).unwrap();
        let words: [(&str, &Words); 18] = [
            ("", &scenario::SCENARIO),
            ("variant", &scenario::VARIANT),
            ("journey", &journey::JOURNEY),
            ("weighted", &journey::WEIGHTED),
            ("request", &journey::REQUEST),
            ("load", &load::LOAD),
            ("stage", &load::STAGE),
            ("latency", &latency::LATENCY),
            ("finding", &findings::FINDING),
            ("expectation", &tree::EXPECT),
            ("counts", &tree::COUNTS),
            ("node", &tree::NODE),
            ("forbidden", &tree::FORBID),
            ("path-share", &tree::PATH),
            ("pattern", &tree::PATTERN),
            ("event", &tree::EVENT),
            ("link", &tree::LINK),
            ("value", &attributes::TYPED),
        ];
        for (name, words) in words {
            let definition = match name {
                "" => &schema,
                "value" => &schema["$defs"]["value"]["anyOf"][2],
                name => &schema["$defs"][name],
            };
            let properties = definition["properties"].as_object().unwrap();
            let properties: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
            assert_eq!(properties, words.known.iter().copied().collect(), "{name}");
            assert_eq!(definition["additionalProperties"], false, "{name}");
        }
    }

    #[test]
    fn the_schema_has_every_need_wherever_one_can_be_said() {
        let schema: Json = serde_json::from_str(crate::schema()).unwrap();
        let words = crate::Need::ALL.map(crate::Need::as_str);
        assert_eq!(schema["$defs"]["need"]["enum"], serde_json::json!(words));
        let definitions = &schema["$defs"];
        for definition in [
            &schema,
            &definitions["variant"],
            &definitions["finding"],
            &definitions["latency"],
        ] {
            assert_eq!(definition["properties"]["needs"]["$ref"], "#/$defs/needs");
        }
    }

    #[test]
    fn every_reference_of_the_schema_leads_somewhere() {
        fn visit(json: &Json, schema: &Json) {
            match json {
                Json::Object(map) => {
                    if let Some(Json::String(to)) = map.get("$ref") {
                        let name = to.strip_prefix("#/$defs/").unwrap();
                        assert!(schema["$defs"].get(name).is_some(), "{to}");
                    }
                    map.values().for_each(|value| visit(value, schema));
                }
                Json::Array(items) => items.iter().for_each(|item| visit(item, schema)),
                _ => {}
            }
        }
        let schema: Json = serde_json::from_str(crate::schema()).unwrap();
        visit(&schema, &schema);
    }
}
