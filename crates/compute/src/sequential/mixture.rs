//! The two mixtures: for a normal limit in closed form, for bounded samples by inverting a martingale.

use super::bernstein::{Bets, log_mean};
use crate::pinned::{ln, ln_1p};

/// The half-width in standard errors at `ratio` times the samples that the mixture is tuned to:
/// sqrt(2 (1 + 1/x) ln(sqrt(1 + x) / alpha)), equation 4 of Waudby-Smith et al. with x = t rho^2.
pub(super) fn normal_factor(ratio: f64, alpha: f64) -> f64 {
    (2.0 * (1.0 + 1.0 / ratio) * (0.5 * ln_1p(ratio) - ln(alpha))).sqrt()
}

/// Samples in [0, 1], and how far the run had come at its first look.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) samples: f64,
    pub(super) share: f64,
    pub(super) first: f64,
}

/// All means that samples don't speak against by how many hits they amount to.
pub(super) fn bounded(seen: Seen, alpha: f64) -> [f64; 2] {
    let hits = seen.share * seen.samples;
    ends(seen, alpha, |mean| {
        log_martingale(seen.samples, hits, mean, seen.first)
    })
}

/// All means that samples don't speak against by how many hits they amount to, or by how little they vary: `squares` is
/// the sum of theirs about their mean. Half the stake is on each.
pub(super) fn bounded_by_squares(seen: Seen, squares: f64, alpha: f64) -> [f64; 2] {
    let hits = seen.share * seen.samples;
    let bets = Bets::new(seen.samples, seen.share, squares, seen.first);
    ends(seen, alpha, |mean| {
        let by_hits = log_martingale(seen.samples, hits, mean, seen.first);
        log_mean(&[by_hits, bets.log_martingale(mean)])
    })
}

/// Between where `log_martingale` reaches what happens with probability `alpha` at most.
fn ends(seen: Seen, alpha: f64, log_martingale: impl Fn(f64) -> f64) -> [f64; 2] {
    let share = seen.share;
    if seen.samples < 1.0 {
        return [0.0, 1.0];
    }
    let threshold = -ln(alpha);
    let is_out = |mean: f64| log_martingale(mean) >= threshold;
    // The end towards `far`, where the martingale is infinite, unless the samples are all there.
    let end = |far: f64| {
        if share == far {
            return far;
        }
        let (mut inside, mut outside) = (share, far);
        for _ in 0..200 {
            let middle = 0.5 * (inside + outside);
            if middle == inside || middle == outside {
                break;
            }
            if is_out(middle) {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        outside
    };
    [end(0.0), end(1.0)]
}

/// The logarithm of what a gambler has who bets on each sample that the mean is not `mean`: 1 at the
/// start, a supermartingale if it is.
///
/// With hits s of n, spread k, a = k mean, b = k (1 - mean) it is
/// B(a + s, b + n - s) / B(a, b) / (mean^s (1 - mean)^(n - s)), the ratio of likelihoods of Bernoulli
/// trials, mixed over a beta distribution about `mean`. The same holds for samples anywhere in [0, 1], s
/// their sum, since each sample's factor is convex in it, and so at most what the line between 0 and 1 has.
/// Written by Stirling's series, whose large terms cancel in a divergence, so that no digits are lost
/// with many samples.
fn log_martingale(samples: f64, sum: f64, mean: f64, spread: f64) -> f64 {
    let other = 1.0 - mean;
    if mean <= 0.0 || other <= 0.0 {
        return f64::INFINITY;
    }
    let (hits, misses) = (sum, (samples - sum).max(0.0));
    let [before_hits, before_misses] = [spread * mean, spread * other];
    let [after_hits, after_misses] = [before_hits + hits, before_misses + misses];
    let after = spread + samples;
    let distance = hits - samples * mean;
    let divergence = after_hits * ln_1p(distance / (after * mean))
        + after_misses * ln_1p(-distance / (after * other));
    let spread_ratio = 0.5
        * (ln(before_hits / after_hits) + ln(before_misses / after_misses) + ln(after / spread));
    divergence + spread_ratio + stirling_rest(after_hits) + stirling_rest(after_misses)
        - stirling_rest(after)
        - stirling_rest(before_hits)
        - stirling_rest(before_misses)
        + stirling_rest(spread)
}

/// ln Gamma(x) less ((x - 1/2) ln x - x + ln(2 pi) / 2), for x > 0.
fn stirling_rest(x: f64) -> f64 {
    let (mut x, mut rest) = (x, 0.0);
    while x < 12.0 {
        rest += (x + 0.5) * ln_1p(1.0 / x) - 1.0;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = 1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0));
    rest + series / x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ln_gamma(x: f64) -> f64 {
        libm::lgamma(x)
    }

    /// The formula as it stands in the books.
    fn by_definition(n: f64, s: f64, p: f64, k: f64) -> f64 {
        let beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
        beta(k * p + s, k * (1.0 - p) + n - s)
            - beta(k * p, k * (1.0 - p))
            - s * p.ln()
            - (n - s) * (-p).ln_1p()
    }

    #[test]
    fn the_martingale_is_the_mixture_of_likelihood_ratios() {
        for n in [1.0, 7.0, 100.0, 4000.0] {
            for share in [0.0, 0.01, 0.37, 1.0] {
                for p in [1e-6, 0.02, 0.5, 0.999] {
                    for k in [1.0, 50.0, 1024.0] {
                        let found = log_martingale(n, share * n, p, k);
                        let expected = by_definition(n, share * n, p, k);
                        let error = (found - expected).abs() / expected.abs().max(1.0);
                        assert!(error < 1e-9, "{n} {share} {p} {k}: {found} {expected}");
                    }
                }
            }
        }
    }

    /// A fair bet: over all outcomes of n trials its expectation is 1.
    #[test]
    fn the_martingale_has_expectation_one() {
        for p in [0.003, 0.2, 0.5] {
            for k in [4.0, 64.0] {
                let n = 40;
                let mut expectation = 0.0;
                let mut probability = (1.0_f64 - p).powi(n);
                for s in 0..=n {
                    let s = f64::from(s);
                    expectation += probability * log_martingale(f64::from(n), s, p, k).exp();
                    probability *= (f64::from(n) - s) / (s + 1.0) * p / (1.0 - p);
                }
                assert!((expectation - 1.0).abs() < 1e-10, "{p} {k}: {expectation}");
            }
        }
    }

    /// So the means that it does not reject are an interval, and halving finds its ends.
    #[test]
    fn the_martingale_falls_towards_the_samples_mean_and_rises_beyond() {
        for n in [1.0, 16.0, 1000.0, 1e6] {
            for k in [1.0, 16.0, 1024.0] {
                for share in [0.0, 0.001, 0.25, 0.5] {
                    let at = |p: f64| log_martingale(n, share * n, p, k);
                    let below: Vec<f64> =
                        (1..400).map(|i| at(share * f64::from(i) / 400.0)).collect();
                    let above: Vec<f64> = (1..400)
                        .map(|i| at(share + (1.0 - share) * f64::from(i) / 400.0))
                        .collect();
                    // Near the samples' mean, below the threshold, it may do as it likes.
                    let falls = |values: &[f64]| {
                        values
                            .windows(2)
                            .all(|two| two[1] <= two[0].max(0.0) + 1e-9)
                    };
                    let risen: Vec<f64> = above.into_iter().rev().collect();
                    assert!(share == 0.0 || falls(&below), "below: {n} {k} {share}");
                    assert!(falls(&risen), "above: {n} {k} {share}");
                }
            }
        }
    }

    #[test]
    fn many_samples_give_the_normal_mixture() {
        let (first, share, alpha) = (1e6, 0.3, 0.05);
        for ratio in [1.0, 10.0, 100.0] {
            let n = first * ratio;
            let seen = Seen {
                samples: n,
                share,
                first,
            };
            let [low, high] = bounded(seen, alpha);
            let error = (share * (1.0 - share) / n).sqrt();
            let factor = normal_factor(ratio, alpha);
            for width in [(share - low) / error, (high - share) / error] {
                assert!(
                    (width / factor - 1.0).abs() < 0.01,
                    "{ratio}: {width} {factor}"
                );
            }
        }
    }

    #[test]
    fn as_many_samples_as_a_run_may_have_are_no_trouble() {
        let seen = Seen {
            samples: 1e18,
            share: 0.5,
            first: 1e15,
        };
        let [low, high] = bounded(seen, 0.05);
        let half_width = normal_factor(1e3, 0.05) * 0.5e-9;
        assert!((high - 0.5 - half_width).abs() < 1e-3 * half_width);
        assert!((0.5 - low - half_width).abs() < 1e-3 * half_width);
    }
}
