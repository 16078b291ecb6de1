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
    /// How often the rate was tried again after it had been found, and how often it held. That it held when it was found
    /// does not count: a search that looks for the highest one picks what held by chance.
    pub confirmed: (u32, u32),
}

/// No search tries more often.
const MOST_TRIES: u32 = 60;

/// The confidence of what is said about a result.
const CONFIDENCE: f64 = 0.95;

/// Searches the highest rate that holds: doubles or halves until one holds and one does not, goes on in the middle of
/// their logarithms, and tries both again: the one that failed once, for any machine stumbles now and then; the one that
/// held as often as is asked for. A rate that held and then did not is one that does not hold: the search goes on below
/// it, from the next lower one that held. It tries at most 60 times; what is not confirmed by then is not found.
///
/// # Errors
///
/// Those of `holds`.
pub async fn highest<E>(
    bounds: Bounds,
    mut holds: impl AsyncFnMut(f64) -> Result<bool, E>,
) -> Result<Found, E> {
    let mut search = Search::new(bounds);
    for _ in 0..MOST_TRIES {
        let Some(rate) = search.next() else { break };
        let held = holds(rate).await?;
        search.note(rate, held);
    }
    Ok(search.found())
}

/// What is known in the middle of a search.
struct Search {
    bounds: Bounds,
    /// The rates that held, from the lowest on; all are below those of `bad`.
    good: Vec<f64>,
    /// The rates that did not hold, from the highest on.
    bad: Vec<f64>,
    /// The highest rate that need not be tried again to say that it does not hold: it failed twice, or after it held.
    surely_bad: f64,
    /// How often the highest of `good` held again.
    confirmed: u32,
}

// === impl Search ===

impl Search {
    fn new(bounds: Bounds) -> Search {
        Search {
            bounds,
            good: Vec::new(),
            bad: Vec::new(),
            surely_bad: f64::INFINITY,
            confirmed: 0,
        }
    }

    /// The rate to try now; `None` at the end.
    fn next(&self) -> Option<f64> {
        let of = &self.bounds;
        match self.edge() {
            (_, Some(bad)) if self.is_at_edge() && bad < self.surely_bad => Some(bad),
            (None, Some(bad)) if bad <= of.lowest => None,
            (Some(good), _) if self.is_at_edge() => {
                (self.confirmed < of.confirmations).then_some(good)
            }
            (Some(good), Some(bad)) => Some((good * bad).sqrt()),
            (Some(good), None) => Some((good * 2.0).min(of.highest)),
            (None, Some(bad)) => Some((bad / 2.0).max(of.lowest)),
            // The bounds are the wrong way round on a machine that makes less than the lowest rate.
            (None, None) => Some(of.start.max(of.lowest).min(of.highest)),
        }
    }

    /// The highest rate that held, and the lowest one that did not.
    fn edge(&self) -> (Option<f64>, Option<f64>) {
        (self.good.last().copied(), self.bad.last().copied())
    }

    /// Whether no rate in between is left to try.
    fn is_at_edge(&self) -> bool {
        match self.edge() {
            (Some(good), Some(bad)) => bad / good <= 1.0 + self.bounds.precision,
            (Some(good), None) => good >= self.bounds.highest,
            (None, Some(bad)) => bad <= self.bounds.lowest,
            (None, None) => false,
        }
    }

    fn note(&mut self, rate: f64, held: bool) {
        match (held, self.edge()) {
            (true, (Some(good), _)) if good == rate => self.confirmed += 1,
            (true, _) => {
                // Where it failed before, that was chance.
                self.bad.retain(|bad| *bad > rate);
                self.good.push(rate);
                self.confirmed = 0;
            }
            (false, edge) => {
                if edge.0 == Some(rate) || edge.1 == Some(rate) {
                    self.surely_bad = rate;
                }
                if edge.1 != Some(rate) {
                    self.bad.push(rate);
                }
                self.good.retain(|good| *good < rate);
                self.confirmed = 0;
            }
        }
    }

    fn found(self) -> Found {
        let (good, bad) = self.edge();
        let is_confirmed = self.is_at_edge() && self.confirmed >= self.bounds.confirmations;
        Found {
            holds: good.filter(|_| is_confirmed),
            fails: bad,
            confirmed: (self.confirmed, self.confirmed),
        }
    }
}

// === impl Found ===

impl Found {
    /// What is known, in words.
    pub fn confidence(&self) -> String {
        let (tried, held) = self.confirmed;
        if self.holds.is_none() {
            return "no rate held as often as was asked for".to_owned();
        }
        // Only the lower end is told, so all of what may be wrong is there.
        let both_ends = 1.0 - 2.0 * (1.0 - CONFIDENCE);
        let (low, _) = binomial_interval(u64::from(held), u64::from(tried), both_ends);
        format!(
            "tried again, it held {held} of {tried} times; so it holds in at least {:.0} of 100 tries ({:.0} % confidence)",
            (low * 100.0).floor(),
            CONFIDENCE * 100.0
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

    async fn search(bounds: Bounds, mut holds: impl FnMut(f64) -> bool) -> (Found, u32) {
        let mut tries = 0;
        let found = highest(bounds, async |rate| {
            tries += 1;
            Ok::<_, Infallible>(holds(rate))
        });
        let found = found.await.unwrap();
        (found, tries)
    }

    /// A SUT that holds half of the tries at 100,000 spans/s; `width` is how soft that edge is.
    fn soft(seed: u64, width: f64) -> impl FnMut(f64) -> bool {
        let mut random = SmallRng::seed_from_u64(seed);
        move |rate| {
            let odds = ((100_000.0 - rate) / width).exp();
            random.random_range(0.0..1.0) < odds / (1.0 + odds)
        }
    }

    #[tokio::test]
    async fn a_sharp_edge_is_found_to_the_precision() {
        for edge in [150.0, 9_000.0, 123_456.0, 4_000_000.0] {
            let (found, tries) = search(BOUNDS, |rate| rate <= edge).await;
            let rate = found.holds.unwrap();
            assert!(rate <= edge && edge <= rate * 1.05, "{edge}: {found:?}");
            let fails = found.fails.unwrap();
            assert!(
                fails > edge && fails <= rate * 1.05 + 1e-9,
                "{edge}: {found:?}"
            );
            assert!(tries <= 20, "{tries}");
            assert_eq!(found.confirmed, (3, 3));
        }
    }

    #[tokio::test]
    async fn bounds_are_the_result_where_there_is_no_edge() {
        let (found, tries) = search(BOUNDS, |_| true).await;
        assert_eq!((found.holds, found.fails), (Some(5_000_000.0), None));
        assert_eq!((found.confirmed, tries), ((3, 3), 13));
        let (found, tries) = search(BOUNDS, |_| false).await;
        assert_eq!((found.holds, found.fails), (None, Some(100.0)));
        assert_eq!((found.confirmed, tries), ((0, 0), 9));
    }

    #[tokio::test]
    async fn a_machine_that_makes_less_than_the_lowest_rate_is_tried_at_what_it_makes() {
        let slow = Bounds {
            highest: 50.0,
            ..BOUNDS
        };
        let (found, tries) = search(slow, |_| true).await;
        assert_eq!((found.holds, tries), (Some(50.0), 4));
        let (found, tries) = search(slow, |_| false).await;
        assert_eq!((found.holds, tries), (None, 2));
    }

    #[tokio::test]
    async fn a_machine_that_stumbles_once_is_tried_again() {
        for stumbles_at in 1..12 {
            let mut number = 0;
            let (found, tries) = search(BOUNDS, |rate| {
                number += 1;
                number != stumbles_at && rate <= 123_456.0
            })
            .await;
            let rate = found.holds.unwrap();
            assert!(
                rate > 123_456.0 / 1.05 && tries <= 30,
                "{stumbles_at}: {found:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_soft_edge_ends_below_it_and_soon() {
        for width in [1_000.0, 4_500.0, 10_000.0] {
            let mut below = 0;
            for seed in 0..200 {
                let (found, tries) = search(BOUNDS, soft(seed, width)).await;
                assert!(tries <= MOST_TRIES);
                let rate = found.holds.unwrap();
                // Six widths from the edge one try in 400 holds or fails by chance; a step of the search lies below that.
                let edge = (100_000.0 - 6.0 * width) / 1.06..100_000.0 + 6.0 * width;
                assert!(edge.contains(&rate), "{seed}: {found:?}");
                assert!(found.fails.unwrap() > rate);
                below += u32::from(rate < 100_000.0);
            }
            assert!(below >= 180, "{below} of 200 for {width}");
        }
    }

    #[tokio::test]
    async fn what_is_said_with_95_percent_confidence_is_wrong_in_fewer_than_1_of_20() {
        let mut wrong = 0;
        for seed in 0..1_000 {
            let (found, _) = search(BOUNDS, soft(seed, 10_000.0)).await;
            let odds = ((100_000.0 - found.holds.unwrap()) / 10_000.0).exp();
            wrong += u32::from(odds / (1.0 + odds) < 0.368);
        }
        assert!(wrong <= 50, "{wrong} of 1,000");
    }

    #[tokio::test]
    async fn chance_does_not_make_it_go_on_for_ever() {
        let mut random = SmallRng::seed_from_u64(1);
        for _ in 0..100 {
            let (_, tries) = search(BOUNDS, |_| random.random_range(0..2) == 0).await;
            assert!(tries <= MOST_TRIES);
        }
        // Every second try fails: no rate is ever confirmed.
        let mut number = 0;
        let (found, tries) = search(BOUNDS, |_| {
            number += 1;
            number % 2 == 0
        })
        .await;
        assert_eq!(found.holds, None);
        assert!(tries <= MOST_TRIES);
    }

    #[tokio::test]
    async fn an_error_ends_it() {
        let mut tries = 0;
        let found = highest(BOUNDS, async |_| {
            tries += 1;
            if tries < 4 { Ok(true) } else { Err("stopped") }
        });
        assert_eq!(found.await, Err("stopped"));
        assert_eq!(tries, 4);
    }

    #[test]
    fn the_confidence_is_told() {
        let found = |confirmed| Found {
            holds: Some(1.0),
            fails: None,
            confirmed,
        };
        assert_eq!(
            found((3, 3)).confidence(),
            "tried again, it held 3 of 3 times; so it holds in at least 36 of 100 tries (95 % confidence)"
        );
        assert!(
            found((10, 10))
                .confidence()
                .contains("at least 74 of 100 tries")
        );
    }
}
