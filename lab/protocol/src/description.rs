//! [`LabDescription`]: where everything of a lab listens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Pace;

/// Where everything of a lab listens: the answer of `GET /api/lab`, and what `tracelab up --format json`
/// prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LabDescription {
    /// Always true: a lab answers only once it is ready.
    pub ready: bool,
    /// The page and the lab's HTTP API.
    pub page: String,
    /// The sink, as OTLP/gRPC.
    pub otlp_grpc: String,
    /// The sink, as OTLP/HTTP.
    pub otlp_http: String,
    /// The receiver of the services' telemetry, if it is not the sink: the lab has no traces then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exports_to: Option<String>,
    /// The broker.
    pub amqp: String,
    /// The database of the services.
    pub database: Database,
    /// The pace of the services. Missing if the lab does not know it, or is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// The services, and the broker if it is the embedded one.
    pub services: BTreeMap<String, ProcessDescription>,
}

/// The kind of database that the services keep their data in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// A SQLite file for each service.
    Sqlite,
    /// A database for each service on a PostgreSQL server.
    Postgresql,
}

/// A process of the lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessDescription {
    /// Its address: `http://HOST:PORT`, or `amqp://…` for the broker.
    pub url: String,
    /// Its process id; `null` while it is down.
    pub pid: Option<u32>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lab_that_does_not_say_its_pace_is_understood() {
        let mut document = json!({
            "ready": true,
            "page": "http://127.0.0.1:1",
            "otlp_grpc": "http://127.0.0.1:2",
            "otlp_http": "http://127.0.0.1:3",
            "amqp": "",
            "database": "sqlite",
            "services": {},
        });
        let read = |document: &serde_json::Value| -> LabDescription {
            serde_json::from_value(document.clone()).expect("it is the document of a lab")
        };
        let older = read(&document);
        assert_eq!(older.pace, None);
        let written = serde_json::to_value(&older).expect("it can be written");
        assert_eq!(written, document, "no field is added");
        document["pace"] = json!("textbook");
        assert_eq!(read(&document).pace, Some(Pace::Textbook));
    }
}
