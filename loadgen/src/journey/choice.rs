//! The random choices, by the seed: which journey a customer makes, and what is bought.

use api::{CartLine, PutCart};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::index};

use super::ShopClient;
use crate::{Journey, OrderJourney};

/// Separates the random stream for journeys from the stream for products.
const CHOICE: u64 = 0x5851_F42D_4C95_7F2D;

impl ShopClient {
    /// The journey of a ticket: it depends on the seed and the ticket's number alone.
    pub(super) fn journey_of(&self, journey: u64) -> &Journey {
        let total: u64 = self
            .journeys
            .iter()
            .map(|of| u64::from(of.weight.get()))
            .sum();
        let mut drawn = self.chance(journey, CHOICE).random_range(0..total.max(1));
        let chosen = self.journeys.iter().find(|weighted| {
            let weight = u64::from(weighted.weight.get());
            let is_it = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            is_it
        });
        let chosen = chosen.or(self.journeys.first());
        &chosen.expect("a plan has a journey").journey
    }

    /// A separate random stream for each journey and purpose: the order in which users draw tickets must not
    /// matter.
    fn chance(&self, journey: u64, purpose: u64) -> StdRng {
        let stream = journey.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ purpose;
        StdRng::seed_from_u64(self.seed ^ stream)
    }

    /// The cart of a journey: different products, chosen by seed and number alone.
    ///
    /// One of each product, so that a long load does not empty the stock earlier than necessary.
    pub(super) fn cart(&self, journey: u64, order: &OrderJourney) -> PutCart {
        let skus: Vec<&String> = match order.skus.is_empty() {
            false => order.skus.iter().collect(),
            true => {
                let mut rng = self.chance(journey, 0);
                index::sample(&mut rng, self.skus.len(), order.cart_lines.get())
                    .into_iter()
                    .map(|index| &self.skus[index])
                    .collect()
            }
        };
        let lines = skus
            .into_iter()
            .map(|sku| CartLine {
                sku: sku.clone(),
                quantity: 1,
            })
            .collect();
        PutCart { lines }
    }
}
