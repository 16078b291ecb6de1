//! [`highest`]: searches the highest rate that holds, where a try may come out either way near the edge.

use crate::statistics::binomial_interval;

/// Between which rates is searched, and how finely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The first rate that is tried.
    pub start: f64,
    /// No lower rate is tried.
    pub lowest: f64,
    /// No higher rate is tried.
    pub highest: f64,
    /// The search ends when a rate holds and one that is higher by this share does not.
    pub precision: f64,
    /// How often the result must hold.
    pub confirmations: u32,
}

/// What a search has come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The highest rate that held each time; `None` if none did.
    pub holds: Option<f64>,
    /// The lowest rate that did not hold; `None` if the highest one was reached.
    pub fails: Option<f64>,
    /// How often the rate was tried, and how often it held.
    pub confirmed: (u32, u32),
}

/// No search tries more often.
const MOST_TRIES: u32 = 60;

/// Searches the highest rate that holds: doubles or halves until one holds and one does not, goes on in the middle, and
/// tries the result again. A rate that does not hold again is one that does not hold.
///
/// # Errors
///
/// Those of `holds`.
pub async fn highest<E>(
    bounds: Bounds,
    mut holds: impl AsyncFnMut(f64) -> Result<bool, E>,
) -> Result<Found, E> {
    let (mut good, mut bad): (Option<f64>, Option<f64>) = (None, None);
    let mut rate = bounds.start.clamp(bounds.lowest, bounds.highest);
    let mut held = 0;
    for _ in 0..MOST_TRIES {
        if holds(rate).await? {
            held = if good == Some(rate) { held + 1 } else { 1 };
            good = Some(rate);
        } else {
            bad = Some(bad.map_or(rate, |bad| bad.min(rate)));
            if good.is_some_and(|good| good >= rate) {
                // It held by chance. What is known to hold is lower.
                good = None;
                held = 0;
            }
        }
        let is_done = match (good, bad) {
            (Some(good), Some(bad)) => bad / good <= 1.0 + bounds.precision,
            (Some(good), None) => good >= bounds.highest,
            (None, Some(bad)) if bad <= bounds.lowest => break,
            _ => false,
        };
        rate = match (good, bad) {
            (Some(_), _) if is_done && held >= bounds.confirmations => break,
            (Some(good), _) if is_done => good,
            (Some(good), Some(bad)) => (good * bad).sqrt(),
            (Some(good), None) => (good * 2.0).min(bounds.highest),
            // Near a rate that held once it is likely that a little less holds.
            (None, Some(bad)) if held > 0 => (bad / (1.0 + bounds.precision)).max(bounds.lowest),
            (None, Some(bad)) => (bad / 2.0).max(bounds.lowest),
            (None, None) => rate,
        };
    }
    Ok(Found {
        holds: good.filter(|_| held >= bounds.confirmations),
        fails: bad,
        confirmed: (held, held),
    })
}

// === impl Found ===

impl Found {
    /// What is known, in words.
    pub fn confidence(&self) -> String {
        let (tried, held) = self.confirmed;
        if self.holds.is_none() {
            return "no rate held as often as was asked for".to_owned();
        }
        let (low, _) = binomial_interval(u64::from(held), u64::from(tried), 0.90);
        format!(
            "it held {held} of {tried} times; with 95 % confidence it holds at least {:.0} of 100 times",
            (low * 100.0).floor()
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::convert::Infallible;

    use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

    use super::*;

    const BOUNDS: Bounds = Bounds {
        start: 10_000.0,
        lowest: 100.0,
        highest: 5_000_000.0,
        precision: 0.05,
        confirmations: 3,
    };

    async fn search(holds: impl Fn(f64) -> bool) -> (Found, u32) {
        let mut tries = 0;
        let found = highest(BOUNDS, async |rate| {
            tries += 1;
            Ok::<_, Infallible>(holds(rate))
        });
        let found = found.await.unwrap();
        (found, tries)
    }

    #[tokio::test]
    async fn a_sharp_edge_is_found_to_the_precision() {
        for edge in [150.0, 9_000.0, 123_456.0, 4_000_000.0] {
            let (found, tries) = search(|rate| rate <= edge).await;
            let rate = found.holds.unwrap();
            assert!(rate <= edge && edge <= rate * 1.06, "{edge}: {found:?}");
            assert!(found.fails.unwrap() > edge);
            assert!(tries < 30, "{tries}");
            assert_eq!(found.confirmed, (3, 3));
        }
    }

    #[tokio::test]
    async fn bounds_are_the_result_where_there_is_no_edge() {
        let (found, _) = search(|_| true).await;
        assert_eq!((found.holds, found.fails), (Some(5_000_000.0), None));
        let (found, tries) = search(|_| false).await;
        assert_eq!((found.holds, found.fails), (None, Some(100.0)));
        assert!(tries < 10);
    }

    #[tokio::test]
    async fn a_noisy_edge_ends_below_it() {
        for seed in 0..20 {
            let random = std::cell::RefCell::new(SmallRng::seed_from_u64(seed));
            // Half of the tries hold at 100,000, and nine of ten 10 % below.
            let (found, tries) = search(|rate| {
                let odds = ((100_000.0 - rate) / 4_500.0).exp();
                random.borrow_mut().random_range(0.0..1.0) < odds / (1.0 + odds)
            })
            .await;
            let rate = found.holds.unwrap();
            assert!((60_000.0..110_000.0).contains(&rate), "{seed}: {found:?}");
            assert!(tries <= MOST_TRIES);
        }
    }

    #[test]
    fn the_confidence_is_told() {
        let found = Found {
            holds: Some(1.0),
            fails: None,
            confirmed: (3, 3),
        };
        assert_eq!(
            found.confidence(),
            "it held 3 of 3 times; with 95 % confidence it holds at least 36 of 100 times"
        );
    }
}
