//! How the children are called, and what is said when a lab cannot start.

use std::net::TcpListener;

use protocol::Pace;
use supervisor::{Component, Config, Error, Event, Lab, Otlp, OtlpProtocol, Ports, Relation};

use crate::stand_in::{CHILDREN, StandIn, events_until};

#[tokio::test(flavor = "multi_thread")]
async fn children_are_told_of_one_another() {
    let stand_in = StandIn::new();
    let mut config = stand_in.config();
    config.pace = Pace::None;
    config.messaging_relation = Relation::Link;
    let (lab, _events) = Lab::start(config).await.unwrap();
    let data = lab.data_dir().display().to_string();
    let url = |component| format!("http://{}", lab.address(component).unwrap());
    let amqp = format!(
        "amqp://guest:guest@{}/%2f",
        lab.address(Component::Broker).unwrap()
    );
    assert_eq!(lab.addresses().amqp, amqp);
    let service = |name: &str, rest: &str| {
        format!(
            "service {name} --pace none --database sqlite://{data}/{name}.db --faults{rest} \
             --exit-with-parent --listen 127.0.0.1:0"
        )
    };
    for (child, call) in [
        (
            Component::Broker,
            format!("broker --store {data}/broker.db --exit-with-parent --listen 127.0.0.1:0"),
        ),
        (Component::Provider, service("provider", "")),
        (Component::Inventory, service("inventory", "")),
        (
            Component::Email,
            service(
                "email",
                &format!(" --amqp-url {amqp} --messaging-relation link --mail-dir {data}/mail"),
            ),
        ),
        (
            Component::Payment,
            service(
                "payment",
                &format!(" --provider-url {}", url(Component::Provider)),
            ),
        ),
        (
            Component::Checkout,
            service(
                "checkout",
                &format!(
                    " --inventory-url {} --payment-url {} --amqp-url {amqp}",
                    url(Component::Inventory),
                    url(Component::Payment)
                ),
            ),
        ),
    ] {
        assert_eq!(stand_in.calls(child), [call]);
    }
    for child in Component::SERVICES {
        let env = stand_in.env(child);
        for variable in [
            format!("OTEL_EXPORTER_OTLP_ENDPOINT={}", lab.addresses().otlp_grpc),
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc".to_owned(),
            "OTEL_BSP_SCHEDULE_DELAY=200".to_owned(),
            "OTEL_BSP_MAX_QUEUE_SIZE=131072".to_owned(),
        ] {
            assert!(
                env.contains(&variable),
                "{child} lacks {variable}: {env:#?}"
            );
        }
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_embedded_can_be_replaced() {
    let stand_in = StandIn::new();
    let mut config = stand_in.config();
    config.amqp = Some("amqp://rabbit:5672/%2f".to_owned());
    config.otlp = Some(Otlp {
        endpoint: "http://collector:4318".to_owned(),
        protocol: OtlpProtocol::HttpProtobuf,
    });
    let (lab, _events) = Lab::start(config).await.unwrap();
    assert_eq!(stand_in.calls(Component::Broker), Vec::<String>::new());
    let call = stand_in.calls(Component::Checkout).concat();
    assert!(call.contains("--amqp-url amqp://rabbit:5672/%2f"), "{call}");
    let env = stand_in.env(Component::Checkout);
    assert!(env.contains("OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318"));
    assert!(env.contains("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_says_where_everything_is() {
    let stand_in = StandIn::new();
    let (lab, _events) = Lab::start(stand_in.config()).await.unwrap();
    let names: Vec<&str> = lab.services().iter().map(|s| s.component.name()).collect();
    assert_eq!(
        names,
        ["checkout", "email", "inventory", "payment", "provider"]
    );
    for service in lab.services() {
        assert!(service.url.starts_with("http://127.0.0.1:"));
        assert!(service.pid.is_some());
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let traces = format!("{}/v1/traces", lab.addresses().otlp_http);
    let sent = client
        .post(traces)
        .header("content-type", "application/json")
        .body("{}");
    assert!(sent.send().await.unwrap().status().is_success());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_children_say_is_told_with_their_names() {
    let stand_in = StandIn::new();
    let (lab, mut events) = Lab::start(stand_in.config()).await.unwrap();
    let address = lab.address(Component::Checkout).unwrap();
    let pid = lab.pid(Component::Checkout).unwrap();
    lab.stop().await;
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(event);
    }
    let component = Component::Checkout;
    let line = |text: &str| Event::Line {
        component,
        text: text.to_owned(),
    };
    for event in [
        Event::Started { component, pid },
        line("hello from checkout"),
        line("a line that is no JSON"),
        Event::Ready { component, address },
    ] {
        assert!(told.contains(&event), "{event:?} is not among {told:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_ends_before_it_listens_is_quoted() {
    let stand_in = StandIn::new();
    let noise: String = (0..100).map(|n| format!("line {n}\n")).collect();
    stand_in.write(
        Component::Payment,
        "refuses",
        &format!("{noise}the database is locked\n"),
    );
    let error = Lab::start(stand_in.config()).await.unwrap_err();
    let Error::Exited {
        component,
        status,
        stderr,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(*component, Component::Payment);
    assert_eq!(status.code(), Some(7));
    assert_eq!(stderr.len(), 20, "the last lines only");
    let said = error.to_string();
    assert!(
        said.starts_with("the payment stopped before it was ready (exit status: 7); it said:"),
        "{said}"
    );
    assert!(
        said.ends_with("\n  line 99\n  the database is locked"),
        "{said}"
    );

    let mut stopped = stand_in.stopped();
    stopped.sort_unstable();
    assert_eq!(
        stopped,
        ["broker", "email", "inventory", "provider"],
        "what had been started is stopped again"
    );
    assert_eq!(stand_in.calls(Component::Checkout), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_named() {
    let stand_in = StandIn::new();
    let mut config = stand_in.config();
    config.program = "/nowhere/tracelab".into();
    let error = Lab::start(config).await.unwrap_err().to_string();
    assert_eq!(error, "cannot start /nowhere/tracelab as the broker");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_and_nothing_is_started() {
    let stand_in = StandIn::new();
    for component in [Component::Checkout, Component::Broker, Component::OtlpHttp] {
        let (error, port) = with_port_taken(&stand_in, component).await;
        assert_eq!(
            error.to_string(),
            format!(
                "port {port} ({component}) is already in use; choose other ports with --port-base N \
                 or --free-ports"
            )
        );
    }
    for child in CHILDREN {
        assert_eq!(stand_in.calls(child), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_taken_port_of_the_page_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let listened = supervisor::listen(Ports::Base(port), Component::Page).await;
    let error = listened.unwrap_err().to_string();
    assert!(
        error.contains(&format!("port {port} (page) is already in use")),
        "{error}"
    );
}

/// Starts a lab on ports of which one is taken. The error, and the port.
async fn with_port_taken(stand_in: &StandIn, component: Component) -> (Error, u16) {
    // Below the range from which the system takes free ports for other tests.
    for base in (20_000..30_000).step_by(9) {
        let Ok(all) = (base..base + 9)
            .map(|port| TcpListener::bind(("127.0.0.1", port)))
            .collect::<Result<Vec<_>, _>>()
        else {
            continue;
        };
        let offset = match component {
            Component::Checkout => 1,
            Component::OtlpHttp => 7,
            Component::Broker => 8,
            _ => unreachable!("not asked for here"),
        };
        let taken = all.into_iter().nth(offset).unwrap();
        let port = taken.local_addr().unwrap().port();
        let config = Config {
            ports: Ports::Base(base),
            ..stand_in.config()
        };
        return (Lab::start(config).await.unwrap_err(), port);
    }
    panic!("there are no nine free ports");
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_follow_the_base() {
    let stand_in = StandIn::new();
    let mut config = stand_in.config();
    let taken = |error: &Error| matches!(error, Error::PortInUse { .. });
    for base in (30_000..32_000).step_by(9) {
        config.ports = Ports::Base(base);
        let lab = match Lab::start(config.clone()).await {
            Err(error) if taken(&error) => continue,
            lab => lab.unwrap().0,
        };
        let (_listener, page) = supervisor::listen(config.ports, Component::Page)
            .await
            .unwrap();
        assert_eq!(page.port(), base);
        assert_eq!(lab.address(Component::Checkout).unwrap().port(), base + 1);
        assert_eq!(lab.address(Component::Broker).unwrap().port(), base + 8);
        assert_eq!(
            lab.addresses().otlp_grpc,
            format!("http://127.0.0.1:{}", base + 6)
        );
        lab.stop().await;
        return;
    }
    panic!("there are no nine free ports");
}

#[tokio::test]
async fn a_base_without_nine_ports_after_it_is_refused() {
    let stand_in = StandIn::new();
    for base in [0, 65_528] {
        let mut config = stand_in.config();
        config.ports = Ports::Base(base);
        let error = Lab::start(config).await.unwrap_err();
        assert!(matches!(error, Error::PortBase(_)), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_kept_only_in_a_folder_that_was_named() {
    let stand_in = StandIn::new();
    let (lab, _events) = Lab::start(stand_in.config()).await.unwrap();
    let temporary = lab.data_dir().to_owned();
    assert!(temporary.join("mail").is_dir());
    lab.stop().await;
    assert!(!temporary.exists());

    let named = stand_in.folder().join("data");
    let mut config = stand_in.config();
    config.data_dir = Some(named.clone());
    let (lab, _events) = Lab::start(config).await.unwrap();
    assert_eq!(lab.data_dir(), named);
    lab.stop().await;
    assert!(named.join("mail").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_in_the_order_of_the_start() {
    let stand_in = StandIn::new();
    let (lab, mut events) = Lab::start(stand_in.config()).await.unwrap();
    let is_ready = |event: &Event| matches!(event, Event::Ready { .. });
    let last = |event: &Event| matches!(event, Event::Ready { component, .. } if *component == Component::Checkout);
    let ready: Vec<Component> = events_until(&mut events, last)
        .await
        .into_iter()
        .filter(is_ready)
        .map(|event| match event {
            Event::Ready { component, .. } => component,
            _ => unreachable!("they were filtered"),
        })
        .collect();
    assert_eq!(ready.len(), 6);
    assert_eq!(ready[0], Component::Broker);
    assert_eq!(ready[4..], [Component::Payment, Component::Checkout]);
    lab.stop().await;
}
