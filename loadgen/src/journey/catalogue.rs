//! Reads the catalogue of the shop.

use api::Products;
use reqwest::Url;

use super::{
    ShopClient,
    exchange::{BAGGAGE, baggage},
    reply::{ReplyFacts, read_json},
};
use crate::{
    Error,
    ledger::{Line, Step},
};

const CATALOGUE: &str = "/products";

impl ShopClient {
    /// Reads the SKUs of all products, which makes a line of the ledger.
    pub(super) async fn read_catalogue(&self, target: &Url) -> Result<Vec<String>, Error> {
        let unreadable = |reason: String| Error::Catalogue {
            target: target.clone(),
            reason,
        };
        let url = target
            .join(CATALOGUE)
            .map_err(|error| unreadable(error.to_string()))?;
        let request_id = self.request_id(&Step::Catalogue, None);
        let started = self.clock.now();
        let sent = self
            .client
            .get(url)
            .header(BAGGAGE, baggage(&request_id))
            .send()
            .await;
        let mut skus = Vec::new();
        let answer = ReplyFacts::read(sent, |body| {
            let products: Products = read_json(body)?;
            skus.extend(products.products.into_iter().map(|product| product.sku));
            Ok(ReplyFacts::default())
        })
        .await;
        let reply = answer.reply.clone();
        self.ledger.record(answer.into_line(Line {
            request_id,
            journey: None,
            step: Step::Catalogue,
            planned: started,
            started: Some(started),
            ended: Some(self.clock.now()),
            trace_id: None,
            unsampled: false,
            sent_span_id: None,
            status: None,
            order_id: None,
            message_id: None,
            reply: None,
        }));
        match reply {
            Some(reason) => Err(unreadable(reason)),
            None => Ok(skus),
        }
    }
}
