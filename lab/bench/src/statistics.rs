//! What measurements with noise can say: ratios of two arms, slopes over time, and shares of counts, each with an
//! interval.

use rand::{RngExt as _, SeedableRng, rngs::SmallRng};

/// A ratio with an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// B / A.
    pub ratio: f64,
    /// The interval in which the true ratio is with the confidence that was asked for.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// A slope with an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// The change in a unit of time.
    pub per_unit: f64,
    /// The interval in which the true slope is with the confidence that was asked for.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// How often blocks are drawn anew.
const DRAWS: usize = 4_000;
/// Into how many parts samples are put together, so that those of a part may depend on each other.
const PARTS: usize = 10;

/// The ratio B / A of blocks that were measured one after the other, with its interval. Each block has a value of A and
/// one of B, which are above 0, so what changes from block to block falls out.
///
/// The interval is a bootstrap of the studentized mean of the logarithms: with few blocks a plain bootstrap is too
/// narrow (Efron and Tibshirani, "An Introduction to the Bootstrap", 12.5).
///
/// `None` for fewer than three blocks.
pub fn ratio(blocks: &[(f64, f64)], confidence: f64, seed: u64) -> Option<Ratio> {
    let logs: Vec<f64> = blocks.iter().map(|(a, b)| (b / a).ln()).collect();
    if logs.len() < 3 || logs.iter().any(|log| !log.is_finite()) {
        return None;
    }
    let (mean, error) = mean_and_error(&logs);
    let mut random = SmallRng::seed_from_u64(seed);
    let mut drawn = vec![0.0; logs.len()];
    let mut scores: Vec<f64> = (0..DRAWS)
        .filter_map(|_| {
            for place in &mut drawn {
                *place = logs[random.random_range(0..logs.len())];
            }
            let (drawn_mean, drawn_error) = mean_and_error(&drawn);
            // Of few blocks it may be the same one each time.
            (drawn_error > 0.0).then(|| (drawn_mean - mean) / drawn_error)
        })
        .collect();
    scores.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    let at = |share: f64| {
        let last = scores.len().saturating_sub(1);
        scores.get((share * last as f64).round() as usize).copied()
    };
    // Never narrower than what normally distributed noise would have.
    let normal = t_quantile(1.0 - tail, logs.len() - 1);
    let low = at(1.0 - tail).unwrap_or(normal).max(normal);
    let high = at(tail).unwrap_or(-normal).min(-normal);
    Some(Ratio {
        ratio: mean.exp(),
        low: (mean - low * error).exp(),
        high: (mean - high * error).exp(),
    })
}

/// The slope of values over time, by a line through the means of ten parts, with its interval. `None` for fewer than
/// twenty values.
pub fn slope(samples: &[(f64, f64)], confidence: f64) -> Option<Slope> {
    if samples.len() < 2 * PARTS {
        return None;
    }
    let means: Vec<(f64, f64)> = (0..PARTS)
        .map(|part| {
            let of = &samples[part * samples.len() / PARTS..(part + 1) * samples.len() / PARTS];
            let mean =
                |value: fn(&(f64, f64)) -> f64| of.iter().map(value).sum::<f64>() / of.len() as f64;
            (mean(|sample| sample.0), mean(|sample| sample.1))
        })
        .collect();
    let count = PARTS as f64;
    let centre = |value: fn(&(f64, f64)) -> f64| means.iter().map(value).sum::<f64>() / count;
    let (x, y) = (centre(|mean| mean.0), centre(|mean| mean.1));
    let spread: f64 = means.iter().map(|mean| (mean.0 - x).powi(2)).sum();
    let per_unit = means
        .iter()
        .map(|mean| (mean.0 - x) * (mean.1 - y))
        .sum::<f64>()
        / spread;
    let residuals = means
        .iter()
        .map(|mean| (mean.1 - y - per_unit * (mean.0 - x)).powi(2));
    let error = (residuals.sum::<f64>() / (count - 2.0) / spread).sqrt();
    let wide = error * t_quantile(1.0 - (1.0 - confidence) / 2.0, PARTS - 2);
    Some(Slope {
        per_unit,
        low: per_unit - wide,
        high: per_unit + wide,
    })
}

/// The shares that agree with `hits` of `all` at this confidence (Clopper and Pearson, 1934).
pub fn binomial_interval(hits: u64, all: u64, confidence: f64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let tail = (1.0 - confidence) / 2.0;
    let (hits, all) = (hits as f64, all as f64);
    let low = match hits > 0.0 {
        true => beta_quantile(tail, hits, all - hits + 1.0),
        false => 0.0,
    };
    let high = match hits < all {
        true => beta_quantile(1.0 - tail, hits + 1.0, all - hits),
        false => 1.0,
    };
    (low, high)
}

// === impl Ratio ===

impl Ratio {
    /// What it says.
    pub fn verdict(&self) -> &'static str {
        if self.low > 1.0 {
            "B is higher"
        } else if self.high < 1.0 {
            "B is lower"
        } else {
            "no difference seen"
        }
    }
}

// === impl Slope ===

impl Slope {
    /// What it says.
    pub fn verdict(&self) -> &'static str {
        if self.low > 0.0 {
            "grows"
        } else if self.high < 0.0 {
            "shrinks"
        } else {
            "no growth seen"
        }
    }
}

/// The mean, and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0) / count).sqrt())
}

/// The quantile of Student's t distribution, for a share above 0.5.
fn t_quantile(share: f64, freedom: usize) -> f64 {
    let freedom = freedom as f64;
    // The tail beyond t is half of the beta function at f / (f + t²).
    let x = beta_quantile(2.0 * (1.0 - share), freedom / 2.0, 0.5);
    (freedom * (1.0 - x) / x).sqrt()
}

/// The value at which the regularized incomplete beta function has this share.
fn beta_quantile(share: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if incomplete_beta(middle, a, b) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The regularized incomplete beta function, by its continued fraction (Lentz's method; DLMF 8.17.22).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    const SMALL: f64 = 1e-300;
    let not_zero = |value: f64| if value.abs() < SMALL { SMALL } else { value };
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    let (mut c, mut d) = (1.0, 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for step in 1..10_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / not_zero(1.0 + even * d);
        c = not_zero(1.0 + even / c);
        fraction *= c * d;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / not_zero(1.0 + odd * d);
        c = not_zero(1.0 + odd / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-13 {
            break;
        }
    }
    front * fraction / a
}

/// The logarithm of the gamma function of a positive number (Lanczos, g = 7).
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        let pi = std::f64::consts::PI;
        return (pi / (pi * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    for (at, coefficient) in (1..).zip(COEFFICIENTS) {
        sum += coefficient / (x + f64::from(at));
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    /// Noise as a machine has it: mostly small, sometimes large, with a mean of about 0.
    fn noise(random: &mut SmallRng, size: f64) -> f64 {
        let even = |random: &mut SmallRng| random.random_range(-1.0..1.0);
        let small: f64 = (0..6).map(|_| even(random)).sum::<f64>() / 2f64.sqrt();
        match random.random_range(0..20) {
            0 => 3.0 * size * small,
            _ => size * small,
        }
    }

    fn blocks(random: &mut SmallRng, count: usize, ratio: f64, size: f64) -> Vec<(f64, f64)> {
        let load = |random: &mut SmallRng, of: f64| of * noise(random, size).exp();
        // Two loads of each in a block.
        let one = |random: &mut SmallRng, of: f64| (load(random, of) + load(random, of)) / 2.0;
        (0..count)
            .map(|_| {
                let speed = random.random_range(0.7..1.3);
                (one(random, speed), one(random, speed * ratio))
            })
            .collect()
    }

    #[test]
    fn of_no_difference_almost_none_is_seen() {
        let mut random = SmallRng::seed_from_u64(1);
        for count in [6, 8, 12, 16] {
            let seen = (0..1_000)
                .filter(|seed| {
                    let blocks = blocks(&mut random, count, 1.0, 0.03);
                    ratio(&blocks, 0.99, *seed).unwrap().verdict() != "no difference seen"
                })
                .count();
            assert!(seen <= 20, "{seen} of 1,000 with {count} blocks");
        }
    }

    #[test]
    fn a_tenth_more_is_seen() {
        let mut random = SmallRng::seed_from_u64(2);
        let seen = (0..500)
            .filter(|seed| {
                let blocks = blocks(&mut random, 12, 1.1, 0.03);
                ratio(&blocks, 0.99, *seed).unwrap().verdict() == "B is higher"
            })
            .count();
        assert!(seen >= 475, "{seen} of 500");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        let near = |got: f64, wanted: f64| assert!((got - wanted).abs() < 1e-3, "{got} {wanted}");
        near(t_quantile(0.975, 4), 2.776);
        near(t_quantile(0.995, 8), 3.355);
        near(t_quantile(0.995, 30), 2.750);
        let (low, high) = binomial_interval(3, 3, 0.95);
        near(low, 0.292);
        near(high, 1.0);
        let (low, high) = binomial_interval(8, 10, 0.95);
        near(low, 0.444);
        near(high, 0.975);
        let (low, high) = binomial_interval(100, 1_000, 0.95);
        near(low, 0.0821);
        near(high, 0.1203);
    }

    #[test]
    fn growth_is_told_from_noise_and_from_a_saw() {
        let mut random = SmallRng::seed_from_u64(3);
        let mut of = |per_unit: f64, saw: f64| {
            let samples: Vec<(f64, f64)> = (0..200)
                .map(|at| {
                    let at = f64::from(at);
                    let teeth = saw * (at / 7.0).fract();
                    (at, 100.0 + per_unit * at + teeth + noise(&mut random, 1.0))
                })
                .collect();
            slope(&samples, 0.99).unwrap().verdict()
        };
        let wrong = (0..200)
            .filter(|_| of(0.0, 20.0) != "no growth seen")
            .count();
        assert!(wrong <= 10, "{wrong} of 200");
        assert_eq!(of(0.1, 20.0), "grows");
        assert_eq!(of(-0.1, 0.0), "shrinks");
        assert_eq!(slope(&[(0.0, 1.0); 19], 0.99), None);
    }
}
