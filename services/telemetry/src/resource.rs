//! The resource: the description of the process that sends telemetry.

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    resource::{ResourceDetector, SdkProvidedResourceDetector},
};
use opentelemetry_semantic_conventions::resource::{
    SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION,
};

/// The resource of a service. The environment takes precedence over the service's own values.
pub(crate) fn resource(service_name: &'static str, service_version: &'static str) -> Resource {
    // Called on its own, this detector gives `OTEL_SERVICE_NAME` precedence, as the specification demands;
    // in the builder `OTEL_RESOURCE_ATTRIBUTES` would win. It returns `unknown_service:…` where neither is
    // set.
    let given_name = SdkProvidedResourceDetector
        .detect()
        .get(&SERVICE_NAME.into())
        .filter(|name| !name.as_str().starts_with("unknown_service"));
    let name = given_name.unwrap_or_else(|| service_name.into());
    let mut ours = vec![KeyValue::new(SERVICE_NAME, name)];

    let from_env = Resource::builder().build();
    let given = |key: &'static str| from_env.get(&key.into()).is_some();
    if !given(SERVICE_VERSION) {
        ours.push(KeyValue::new(SERVICE_VERSION, service_version));
    }
    if !given(SERVICE_INSTANCE_ID) {
        let id = uuid::Uuid::new_v4().to_string();
        ours.push(KeyValue::new(SERVICE_INSTANCE_ID, id));
    }
    Resource::builder().with_attributes(ours).build()
}
