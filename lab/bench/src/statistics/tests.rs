//! Coverage and power, by simulation with seeds that do not change.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use super::*;

/// How often each thing is simulated.
const REPEATS: u64 = 2_000;

/// Noise of a normal distribution with a standard deviation of 1 (Box and Muller).
fn normal(random: &mut SmallRng) -> f64 {
    let radius = 1.0 - random.random_range(0.0..1.0f64);
    let angle = random.random_range(0.0..std::f64::consts::TAU);
    (-2.0 * radius.ln()).sqrt() * angle.cos()
}

/// Noise as a machine has it: mostly small, and three times as large once in twenty.
fn uneven(random: &mut SmallRng) -> f64 {
    match random.random_range(0..20) {
        0 => 3.0 * normal(random),
        _ => normal(random),
    }
}

/// Blocks on a machine whose speed changes from block to block. `size` is the noise of the ratio of a block.
fn blocks(
    random: &mut SmallRng,
    noise: fn(&mut SmallRng) -> f64,
    count: usize,
    ratio: f64,
    size: f64,
) -> Vec<(f64, f64)> {
    let size = size / 2f64.sqrt();
    (0..count)
        .map(|_| {
            let speed = random.random_range(0.7..1.3);
            let mut load = |of: f64| of * (size * noise(random)).exp();
            (load(speed), load(speed * ratio))
        })
        .collect()
}

#[test]
fn an_interval_of_99_percent_covers_as_it_says() {
    let mut random = SmallRng::seed_from_u64(1);
    for noise in [normal, uneven] {
        for count in [6, 8, 12, 16] {
            let covered = (0..REPEATS)
                .filter(|seed| {
                    let blocks = blocks(&mut random, noise, count, 1.07, 0.03);
                    let found = ratio(&blocks, 0.99, *seed).unwrap();
                    (found.low..=found.high).contains(&1.07)
                })
                .count();
            let least = 98 * REPEATS as usize / 100;
            assert!(
                covered >= least,
                "{covered} of {REPEATS} with {count} blocks"
            );
        }
    }
}

#[test]
fn a_tenth_more_is_seen_and_no_difference_is_not() {
    let mut random = SmallRng::seed_from_u64(2);
    for count in [6, 8, 12, 16] {
        let mut verdicts = |of: f64, wanted: &str| {
            (0..REPEATS)
                .filter(|seed| {
                    let blocks = blocks(&mut random, normal, count, of, 0.03);
                    ratio(&blocks, 0.99, *seed).unwrap().verdict() == wanted
                })
                .count()
        };
        let seen = verdicts(1.1, "B is higher");
        assert!(
            seen >= 95 * REPEATS as usize / 100,
            "{seen} with {count} blocks"
        );
        let equal = verdicts(1.0, "no difference seen");
        assert!(
            equal >= 98 * REPEATS as usize / 100,
            "{equal} with {count} blocks"
        );
    }
}

#[test]
fn a_ratio_is_the_same_either_way() {
    let there = [(10.0, 11.0), (20.0, 22.4), (15.0, 16.1), (12.0, 13.3)];
    let back: Vec<(f64, f64)> = there.iter().map(|(a, b)| (*b, *a)).collect();
    let (there, back) = (
        ratio(&there, 0.99, 1).unwrap(),
        ratio(&back, 0.99, 1).unwrap(),
    );
    assert!((there.ratio * back.ratio - 1.0).abs() < 1e-12);
    assert!((there.low * back.high - 1.0).abs() < 1e-12);
    assert_eq!(there.verdict(), "B is higher");
    assert_eq!(back.verdict(), "B is lower");
}

#[test]
fn what_has_no_ratio_gets_none() {
    assert_eq!(ratio(&[(1.0, 1.0), (1.0, 1.0)], 0.99, 1), None);
    assert_eq!(ratio(&[(1.0, 1.0), (0.0, 1.0), (1.0, 1.0)], 0.99, 1), None);
    assert_eq!(ratio(&[(1.0, 1.0), (1.0, 0.0), (1.0, 1.0)], 0.99, 1), None);
    let same = ratio(&[(2.0, 2.0); 12], 0.99, 1).unwrap();
    assert_eq!((same.ratio, same.low, same.high), (1.0, 1.0, 1.0));
}

#[test]
fn shares_agree_with_the_tables() {
    let near = |got: f64, wanted: f64| assert!((got - wanted).abs() < 1e-3, "{got} {wanted}");
    for (hits, all, low, high) in [
        (3, 3, 0.292, 1.0),
        (0, 3, 0.0, 0.708),
        (8, 10, 0.444, 0.975),
        (100, 1_000, 0.0821, 0.1203),
        (0, 0, 0.0, 1.0),
    ] {
        let found = binomial_interval(hits, all, 0.95);
        near(found.0, low);
        near(found.1, high);
    }
}

/// The share of 400 memories that are said to grow or to shrink. Each has 300 samples.
fn changes(mut memory: impl FnMut(&mut SmallRng) -> Vec<f64>) -> f64 {
    let mut random = SmallRng::seed_from_u64(3);
    let changes = (0..400)
        .filter(|_| {
            let memory = memory(&mut random);
            let samples: Vec<(f64, f64)> = (0..).map(f64::from).zip(memory).collect();
            slope(&samples, 0.99).unwrap().verdict() != "no growth seen"
        })
        .count();
    changes as f64 / 400.0
}

/// Memory that is filled and collected: each tooth is as high as chance has it.
fn saw(random: &mut SmallRng, length: f64, growth: f64) -> Vec<f64> {
    let (mut top, mut now) = (20.0, random.random_range(0.0..20.0));
    (0..300)
        .map(|at| {
            now += 20.0 / length * random.random_range(0.5..1.5);
            if now > top {
                (now, top) = (0.0, 20.0 * random.random_range(0.6..1.4));
            }
            now + normal(random) + growth * f64::from(at) / 300.0
        })
        .collect()
}

#[test]
fn flat_memory_does_not_grow() {
    let flat = changes(|random| (0..300).map(|_| normal(random)).collect());
    assert!(flat <= 0.02, "noise: {flat}");
    for length in [3.0, 10.0, 30.0, 60.0, 100.0] {
        let flat = changes(|random| saw(random, length, 0.0));
        assert!(flat <= 0.02, "a saw of {length} samples: {flat}");
        let even = changes(|random| {
            let phase = random.random_range(0.0..1.0);
            let tooth = |at: f64| 20.0 * (at / length + phase).fract();
            (0..300)
                .map(|at| tooth(f64::from(at)) + normal(random))
                .collect()
        });
        assert!(even <= 0.02, "an even saw of {length} samples: {even}");
    }
    // Noise that lasts for 20 samples.
    let slow = changes(|random| {
        let mut now = 3.2 * normal(random);
        let mut next = || {
            now = 0.95 * now + normal(random);
            now
        };
        (0..300).map(|_| next()).collect()
    });
    assert!(slow <= 0.05, "slow noise: {slow}");
}

#[test]
fn one_step_is_no_growth() {
    let steps = changes(|random| {
        let step = random.random_range(0..300);
        (0..300)
            .map(|at| if at >= step { 20.0 } else { 0.0 } + normal(random))
            .collect()
    });
    assert!(steps <= 0.02, "{steps}");
}

#[test]
fn growth_is_seen_in_noise_in_a_saw_and_in_steps() {
    let noise = changes(|random| {
        let line = |at: i32| 3.0 * f64::from(at) / 300.0;
        (0..300).map(|at| line(at) + normal(random)).collect()
    });
    assert!(noise >= 0.95, "noise: {noise}");
    let in_saw = changes(|random| saw(random, 10.0, 15.0));
    assert!(in_saw >= 0.95, "a saw: {in_saw}");
    let steps = changes(|random| {
        let steps = |at: i32| 4.0 * (f64::from(at) / 40.0).floor();
        (0..300)
            .map(|at| steps(at) + 0.3 * normal(random))
            .collect()
    });
    assert!(steps >= 0.95, "steps: {steps}");
}

#[test]
fn a_slope_is_that_of_the_line() {
    let line: Vec<(f64, f64)> = (0..40)
        .map(|at| (f64::from(at), 5.0 - 0.5 * f64::from(at)))
        .collect();
    let found = slope(&line, 0.99).unwrap();
    assert!((found.per_unit + 0.5).abs() < 1e-9);
    assert_eq!(found.verdict(), "shrinks");
    assert_eq!(slope(&line[..19], 0.99), None);
    assert!(slope(&line[..20], 0.99).is_some());
    // Samples of one instant have no slope.
    assert_eq!(slope(&[(1.0, 2.0); 40], 0.99), None);
}
