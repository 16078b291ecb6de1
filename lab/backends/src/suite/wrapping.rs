//! Resources and scopes: what spans share.

use std::sync::Arc;

use trace::{Attributes, Resource, Scope, Value};

use super::{
    Case, Group, Made,
    maker::{Maker, SERVICE, one},
};

const fn case(name: &'static str, why: &'static str, make: fn(&mut Maker) -> Made) -> Case {
    Case {
        name,
        group: Group::Wrapping,
        why,
        make,
    }
}

fn with_resource(maker: &mut Maker, resource: Resource) -> Made {
    let mut root = maker.root();
    root.resource = Arc::new(resource);
    Made::one(vec![root])
}

fn with_scope(maker: &mut Maker, scope: Scope) -> Made {
    let mut root = maker.root();
    root.scope = Arc::new(scope);
    Made::one(vec![root])
}

fn attributes(more: Vec<(&str, Value)>) -> Attributes {
    let service = ("service.name", Value::from(SERVICE));
    std::iter::once(service).chain(more).collect()
}

fn plain_scope() -> Scope {
    Scope {
        name: "validate".to_owned(),
        version: "1".to_owned(),
        ..Scope::default()
    }
}

pub(super) const CASES: &[Case] = &[
    case(
        "resource-attributes",
        "What every SDK sends of its process and machine.",
        |maker| {
            let more = vec![
                ("service.version", "1.2.3".into()),
                (
                    "service.instance.id",
                    "627cc493-f310-47de-96bd-71410b7dec09".into(),
                ),
                ("deployment.environment.name", "test".into()),
                ("process.pid", 4711.into()),
                (
                    "process.command_args",
                    Value::Array(vec!["run".into(), "--fast".into()]),
                ),
            ];
            with_resource(
                maker,
                Resource {
                    attributes: attributes(more),
                    ..Resource::default()
                },
            )
        },
    ),
    case(
        "resource-attribute-like-one-of-the-span",
        "The same key at the resource and at the span, with other values.",
        |maker| {
            let mut root = maker.root();
            root.attributes = one("host.name", "of-the-span");
            let more = vec![("host.name", "of-the-resource".into())];
            root.resource = Arc::new(Resource {
                attributes: attributes(more),
                ..Resource::default()
            });
            Made::one(vec![root])
        },
    ),
    case(
        "resource-dropped-attributes",
        "A limit dropped attributes of the resource.",
        |maker| {
            with_resource(
                maker,
                Resource {
                    attributes: attributes(vec![]),
                    dropped_attributes: 2,
                    ..Resource::default()
                },
            )
        },
    ),
    case(
        "resource-schema-url",
        "It says which version of the conventions the attributes follow.",
        |maker| {
            let schema_url = "https://opentelemetry.io/schemas/1.37.0".to_owned();
            with_resource(
                maker,
                Resource {
                    attributes: attributes(vec![]),
                    schema_url,
                    ..Resource::default()
                },
            )
        },
    ),
    case(
        "service-name-upper-case",
        "Names of services have capitals.",
        |maker| {
            with_resource(
                maker,
                Resource {
                    attributes: one("service.name", "Fidelity-Upper"),
                    ..Resource::default()
                },
            )
        },
    ),
    case(
        "service-name-missing",
        "Some senders set none, against the specification.",
        |maker| {
            with_resource(
                maker,
                Resource {
                    attributes: one("host.name", "somewhere"),
                    ..Resource::default()
                },
            )
        },
    ),
    case(
        "service-name-empty",
        "A name that was set to nothing by a variable without a value.",
        |maker| {
            with_resource(
                maker,
                Resource {
                    attributes: one("service.name", ""),
                    ..Resource::default()
                },
            )
        },
    ),
    case(
        "scope-attributes",
        "A library may say more about itself.",
        |maker| {
            with_scope(
                maker,
                Scope {
                    attributes: one("library.language", "rust"),
                    ..plain_scope()
                },
            )
        },
    ),
    case(
        "scope-schema-url",
        "The conventions that the library follows.",
        |maker| {
            with_scope(
                maker,
                Scope {
                    schema_url: "https://opentelemetry.io/schemas/1.30.0".to_owned(),
                    ..plain_scope()
                },
            )
        },
    ),
    case(
        "scope-dropped-attributes",
        "A limit dropped attributes of the scope.",
        |maker| {
            with_scope(
                maker,
                Scope {
                    attributes: one("library.language", "rust"),
                    dropped_attributes: 1,
                    ..plain_scope()
                },
            )
        },
    ),
    case(
        "scope-without-a-version",
        "Most hand-written instrumentation has no version.",
        |maker| {
            with_scope(
                maker,
                Scope {
                    version: String::new(),
                    ..plain_scope()
                },
            )
        },
    ),
    case(
        "scope-empty",
        "Bridges and old senders have no scope.",
        |maker| with_scope(maker, Scope::default()),
    ),
    case(
        "scopes-of-one-resource",
        "Spans of several libraries of one process: each keeps its own.",
        |maker| {
            let root = maker.root();
            let mut query = maker.child(&root, "select", 5);
            query.scope = Arc::new(Scope {
                name: "sqlx".to_owned(),
                version: "0.9.0".to_owned(),
                ..Scope::default()
            });
            let mut own = maker.child(&root, "own work", 20);
            own.scope = Arc::default();
            Made::one(vec![root, query, own])
        },
    ),
];
