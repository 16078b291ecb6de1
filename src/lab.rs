//! A running lab, as the commands find it that talk to one.

use ::trace::{Span, TraceId};
use anyhow::{Context, bail};
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use runner::Described;
use serde::de::DeserializeOwned;

use crate::{arguments::lab_url, exit::WrongInput};

/// Which running lab a command talks to.
#[derive(Debug, clap::Args)]
pub(crate) struct LabArgs {
    /// The address of the lab's page.
    #[arg(
        long,
        env = "TRACELAB_LAB",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        value_parser = lab_url
    )]
    lab: Url,
}

// === impl LabArgs ===

impl LabArgs {
    /// Where everything of the lab listens.
    pub(crate) async fn describe(&self) -> anyhow::Result<Described> {
        self.get("/api/lab").await
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = self.url(path)?;
        self.read(client().get(url.clone()).send().await).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<T> {
        let url = self.url(path)?;
        self.read(client().post(url.clone()).json(body).send().await)
            .await
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<T> {
        let url = self.url(path)?;
        self.read(client().put(url.clone()).json(body).send().await)
            .await
    }

    /// The spans of a trace that the lab has.
    pub(crate) async fn spans(&self, id: TraceId) -> anyhow::Result<Vec<Span>> {
        let otlp: serde_json::Value = self.get(&format!("/api/traces/{id}")).await?;
        let decoded = ::trace::otlp::from_json(otlp.to_string().as_bytes())
            .context("the lab's answer is not OTLP/JSON")?;
        Ok(decoded.spans)
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        self.lab
            .join(path)
            .with_context(|| format!("{} is no address of a lab", self.lab))
    }

    async fn read<T: DeserializeOwned>(
        &self,
        sent: reqwest::Result<Response>,
    ) -> anyhow::Result<T> {
        let lab = self.lab.as_str().trim_end_matches('/');
        let reply = sent.map_err(anyhow::Error::from).with_context(|| {
            format!(
                "there is no lab at {lab}: start one with `tracelab up`, or name it with --lab URL"
            )
        })?;
        let status = reply.status();
        let text = reply
            .text()
            .await
            .with_context(|| format!("the lab at {lab} broke off"))?;
        if !status.is_success() {
            let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let said = problem["detail"].as_str().unwrap_or(&text);
            let refused = format!("the lab at {lab} says {status}: {said}");
            if status == StatusCode::BAD_REQUEST {
                bail!(WrongInput(refused));
            }
            bail!(refused);
        }
        serde_json::from_str(&text)
            .with_context(|| format!("what answers at {lab} is no lab of this version"))
    }
}

fn client() -> Client {
    http_client::with(ClientBuilder::no_proxy)
}
