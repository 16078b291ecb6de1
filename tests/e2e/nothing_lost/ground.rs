//! The lab with its parts, and the outages of the parts.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use sqlx::{AnyPool, any::AnyPoolOptions};
use tokio::{task::block_in_place, time::sleep};

use super::processes::{family, signal};
use crate::{
    node::{Node, free_ports},
    real::{Collector, Postgres},
    support::{Up, eventually, is_alive},
};

/// The services of the shop.
pub(super) const SERVICES: [&str; 5] = ["checkout", "payment", "provider", "inventory", "email"];

/// How long a part is stopped.
const STOPPED: Duration = Duration::from_secs(1);

/// A lab, and the real parts that it uses, if any.
pub(super) struct Ground {
    pub(super) up: Up,
    pub(super) postgres: Option<Postgres>,
    pub(super) rabbit: Option<Node>,
    pub(super) collector: Option<Collector>,
}

/// A part that can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Service(&'static str),
    Broker,
    Database,
    Collector,
}

/// An outage of a part.
#[derive(Clone, Debug)]
pub(super) struct Outage {
    pub(super) part: Part,
    pub(super) at: Instant,
    pub(super) killed: bool,
}

/// The first of as many consecutive free ports as a lab needs.
fn ports_of_a_lab() -> u16 {
    loop {
        let ports = free_ports::<9>();
        if ports[8] == ports[0] + 8 {
            return ports[0];
        }
    }
}

// === impl Ground ===

impl Ground {
    pub(super) async fn embedded() -> Ground {
        Ground {
            up: Up::start().await,
            postgres: None,
            rabbit: None,
            collector: None,
        }
    }

    pub(super) async fn real() -> Ground {
        let postgres = Postgres::start();
        let rabbit = block_in_place(Node::start);
        let base = ports_of_a_lab();
        // The seventh port of a lab is its receiver of OTLP/gRPC.
        let collector = Collector::start(base + 6).await;
        let base = base.to_string();
        let otlp = format!("http://127.0.0.1:{}", collector.port);
        let amqp = format!(
            "amqp://guest:guest@{}/{}",
            rabbit.address(),
            rabbit.new_vhost()
        );
        let database = postgres.url();
        let up = Up::start_with(&[
            "--port-base",
            &base,
            "--database",
            &database,
            "--amqp",
            &amqp,
            "--otlp",
            &otlp,
        ])
        .await;
        Ground {
            up,
            postgres: Some(postgres),
            rabbit: Some(rabbit),
            collector: Some(collector),
        }
    }

    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Broker];
        parts.extend(self.postgres.is_some().then_some(Part::Database));
        parts.extend(self.collector.is_some().then_some(Part::Collector));
        parts.extend(SERVICES.map(Part::Service));
        parts
    }

    pub(super) async fn pid(&mut self, part: Part) -> Pid {
        self.up.look_again().await;
        match part {
            Part::Service(name) => self.up.pid(name),
            Part::Broker => match &self.rabbit {
                Some(rabbit) => Pid::from_raw(rabbit.pid()).unwrap(),
                None => self.up.pid("broker"),
            },
            Part::Database => self.postgres.as_ref().unwrap().pid(),
            Part::Collector => self.collector.as_ref().unwrap().pid(),
        }
    }

    pub(super) async fn kill(&mut self, part: Part) -> Outage {
        let pid = self.pid(part).await;
        let at = Instant::now();
        let all = family(pid);
        signal(pid, Signal::KILL);
        match part {
            Part::Broker if self.rabbit.is_some() => {
                block_in_place(|| self.rabbit.as_mut().unwrap().restart());
            }
            Part::Database => {
                eventually("all of PostgreSQL to be gone", async || {
                    all.iter().all(|&pid| !is_alive(pid)).then_some(())
                })
                .await;
                self.postgres.as_ref().unwrap().start_again().await;
            }
            Part::Collector => self.collector.as_mut().unwrap().start_again().await,
            Part::Service(_) | Part::Broker => {
                let name = match part {
                    Part::Service(name) => name,
                    _ => "broker",
                };
                eventually("the part to be started again", async || {
                    let lab = self.up.get_json("/api/lab").await;
                    let now = lab["services"][name]["pid"].as_i64()?;
                    (now != i64::from(pid.as_raw_nonzero().get())).then_some(())
                })
                .await;
            }
        }
        Outage {
            part,
            at,
            killed: true,
        }
    }

    pub(super) async fn stop_for_a_while(&mut self, part: Part) -> Outage {
        let pid = self.pid(part).await;
        let at = Instant::now();
        signal(pid, Signal::STOP);
        // The length of the outage is the purpose of this sleep; it waits for no event.
        sleep(STOPPED).await;
        signal(pid, Signal::CONT);
        Outage {
            part,
            at,
            killed: false,
        }
    }

    pub(super) async fn pool(&self, service: &str) -> AnyPool {
        sqlx::any::install_default_drivers();
        let url = match &self.postgres {
            Some(postgres) => format!("{}/{service}", postgres.url()),
            None => {
                let file = self.up.data.path().join(format!("{service}.db"));
                format!("sqlite://{}", file.display())
            }
        };
        AnyPoolOptions::new()
            .max_connections(1)
            .connect(&url)
            .await
            .unwrap()
    }

    /// The present values of a column in a table of a service.
    pub(super) async fn column(&self, service: &str, query: &'static str) -> Vec<String> {
        let pool = self.pool(service).await;
        let rows: Vec<(String,)> = sqlx::query_as(query).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows.into_iter().map(|(value,)| value).collect()
    }
}
