//! A trace like the shop's, for tests to take apart.

use std::sync::Arc;

use testing::spans::{bare, link_to, resource};
use trace::{Event, Kind, Scope, Span, SpanId, Trace, TraceId, Value};

/// The spans of one checkout with three cart lines and a coupon.
pub(crate) struct Shop {
    pub(crate) spans: Vec<Span>,
}

/// The id of the trace of a checkout.
pub(crate) fn trace_id() -> TraceId {
    TraceId::from_bytes([7; 16]).unwrap()
}

/// What is expected of the trace of a checkout: a scenario like the embedded one, which goes with
/// the real shop and changes with it.
pub(crate) fn expectation() -> scenario::Expectation {
    scenario::parse("checkout.yaml", include_str!("checkout.yaml"))
        .unwrap_or_else(|error| panic!("{error}"))
        .expect
}

impl Shop {
    /// A checkout as it should be.
    pub(crate) fn healthy() -> Self {
        let mut shop = Shop { spans: Vec::new() };
        shop.order();
        shop
    }

    /// The trace of the spans as they are now.
    pub(crate) fn trace(&self) -> Trace {
        Trace::new(trace_id(), self.spans.clone())
    }

    /// The only span with a name and a kind.
    pub(crate) fn span(&mut self, name: &str, kind: Kind) -> &mut Span {
        let mut found: Vec<_> = self
            .spans
            .iter_mut()
            .filter(|span| span.name == name && span.kind == kind)
            .collect();
        assert_eq!(found.len(), 1, "spans {name} {kind}");
        found.remove(0)
    }

    /// The id of the only span with a name and a kind.
    pub(crate) fn id(&mut self, name: &str, kind: Kind) -> SpanId {
        self.span(name, kind).span_id
    }

    /// Adds a span and returns its id.
    pub(crate) fn add(
        &mut self,
        parent: Option<SpanId>,
        service: &str,
        name: &str,
        kind: Kind,
    ) -> SpanId {
        let number = self.spans.len() as u64 + 1;
        let span_id = SpanId::from_bytes(number.to_be_bytes()).unwrap();
        self.spans.push(Span {
            start_ns: 1_000_000 * number,
            end_ns: 1_000_000 * number + 20_000_000,
            resource: resource([("service.name", service), ("service.version", "0.1.0")]),
            scope: Arc::new(Scope {
                name: "shop".into(),
                ..Scope::default()
            }),
            ..bare(trace_id(), span_id, parent, name, kind)
        });
        span_id
    }

    fn set(&mut self, span: SpanId, attributes: &[(&str, Value)]) {
        let span = self
            .spans
            .iter_mut()
            .find(|known| known.span_id == span)
            .unwrap();
        let pairs = attributes
            .iter()
            .map(|(key, value)| ((*key).into(), value.clone()));
        span.attributes.0.extend(pairs);
    }

    fn order(&mut self) {
        use Kind::{Internal, Server};
        let root = self.add(None, "checkout", "POST /checkout", Server);
        self.set(
            root,
            &[
                ("http.request.method", "POST".into()),
                ("http.route", "/checkout".into()),
                ("url.path", "/checkout".into()),
                ("http.response.status_code", 201.into()),
            ],
        );
        self.sql(root, "checkout", "SELECT idempotency_keys");
        let order = self.add(Some(root), "checkout", "process_order", Internal);
        self.set(
            order,
            &[
                ("order.id", "order-1".into()),
                ("order.item_count", 3.into()),
                ("order.discount_applied", true.into()),
                ("order.total", 19.99.into()),
            ],
        );
        self.sql(order, "checkout", "INSERT orders");
        let fetch = self.add(Some(order), "checkout", "fetch_items", Internal);
        self.sql(fetch, "checkout", "SELECT cart_lines");
        let discount = self.add(Some(order), "checkout", "apply_discount", Internal);
        self.sql(discount, "checkout", "SELECT coupons");
        let validate = self.add(Some(order), "checkout", "validate cart", Internal);
        for (path, table) in [("/prices", "products"), ("/stock", "stock")] {
            let call = self.call(validate, "checkout", "GET", path);
            let handler = self.handler(call, "inventory", "GET", path, 200);
            self.sql(handler, "inventory", &format!("SELECT {table}"));
        }
        let charge = self.add(Some(order), "checkout", "charge_and_fulfill", Internal);
        self.charge(charge);
        self.fulfill(charge);
    }

    fn charge(&mut self, parent: SpanId) {
        let charge = self.add(Some(parent), "checkout", "charge payment", Kind::Internal);
        self.add(Some(charge), "checkout", "fraud check", Kind::Internal);
        let call = self.call(charge, "checkout", "POST", "/charges");
        let handler = self.handler(call, "payment", "POST", "/charges", 201);
        self.add(Some(handler), "payment", "validate card", Kind::Internal);
        let process = self.add(Some(handler), "payment", "process charge", Kind::Internal);
        self.call(process, "payment", "POST", "/authorizations");
    }

    fn fulfill(&mut self, parent: SpanId) {
        let update = self.add(Some(parent), "checkout", "update inventory", Kind::Internal);
        let call = self.call(update, "checkout", "POST", "/reservations");
        let handler = self.handler(call, "inventory", "POST", "/reservations", 201);
        for summary in ["SELECT reservations", "UPDATE stock", "INSERT reservations"] {
            self.sql(handler, "inventory", summary);
        }
        let send = self.add(Some(parent), "checkout", "send email", Kind::Internal);
        self.sql(send, "checkout", "UPDATE orders");
        self.sql(send, "checkout", "INSERT outbox");
        let producer = self.add(
            Some(send),
            "checkout",
            "send shop:order.placed",
            Kind::Producer,
        );
        self.message(producer, "send", "shop:order.placed");
        let consumer = self.add(
            Some(producer),
            "email",
            "process shop:order.placed:email",
            Kind::Consumer,
        );
        self.message(consumer, "process", "shop:order.placed:email");
        self.spans
            .last_mut()
            .unwrap()
            .links
            .push(link_to(trace_id(), producer));
        self.sql(consumer, "email", "INSERT processed_messages");
        self.add(Some(consumer), "email", "render", Kind::Internal);
        self.add(Some(consumer), "email", "send mail", Kind::Client);
    }

    fn sql(&mut self, parent: SpanId, service: &str, summary: &str) {
        let span = self.add(Some(parent), service, summary, Kind::Client);
        self.set(span, &[("db.system.name", "sqlite".into())]);
    }

    fn call(&mut self, parent: SpanId, service: &str, method: &str, template: &str) -> SpanId {
        let span = self.add(Some(parent), service, method, Kind::Client);
        self.set(
            span,
            &[
                ("http.request.method", method.into()),
                ("url.template", template.into()),
                ("server.address", "127.0.0.1".into()),
                ("http.response.status_code", 200.into()),
            ],
        );
        span
    }

    fn handler(
        &mut self,
        parent: SpanId,
        service: &str,
        method: &str,
        route: &str,
        status: i64,
    ) -> SpanId {
        let span = self.add(
            Some(parent),
            service,
            &format!("{method} {route}"),
            Kind::Server,
        );
        self.set(
            span,
            &[
                ("http.route", route.into()),
                ("http.response.status_code", status.into()),
            ],
        );
        span
    }

    fn message(&mut self, span: SpanId, operation: &str, destination: &str) {
        self.set(
            span,
            &[
                ("messaging.system", "rabbitmq".into()),
                ("messaging.operation.type", operation.into()),
                ("messaging.destination.name", destination.into()),
                ("messaging.message.id", "message-1".into()),
            ],
        );
    }
}

/// An `exception` event of a type.
pub(crate) fn exception(kind: &str) -> Event {
    testing::spans::event(1, "exception", [("exception.type", kind)])
}
