//! Bets on samples in [0, 1] that win the more, the less the samples vary: an empirical Bernstein bound, in a form that
//! takes no more than the samples' number, mean and variance.
//!
//! A gambler stakes a fixed `lambda` on each sample X being above `mean`, as it shows against a fixed `centre` c.
//! With Y = X - c >= -c, the inequality exp(lambda Y - psi(lambda) Y^2) <= 1 + lambda Y of X. Fan, I. Grama and Q. Liu,
//! "Exponential inequalities for martingales with applications", Electronic Journal of Probability 20 (2015), gives
//!
//! exp(lambda sum(Y) - psi(lambda) sum(Y^2)) / (1 + lambda (mean - c))^n,
//! psi(lambda) = (-ln(1 - c lambda) - c lambda) / c^2,
//!
//! whose expectation is at most 1, and which is a supermartingale, if the samples' mean is `mean`. The bet that samples are
//! below it is the same with 1 - X. It is mixed over stakes and centres, since neither the variance nor the mean is
//! known beforehand. (Waudby-Smith and Ramdas bet with stakes that follow each sample: "Estimating means of bounded random
//! variables by betting", Journal of the Royal Statistical Society B 86 (2024). Merged samples have no order to
//! follow.)

use crate::pinned::{exp, ln, ln_1p};

/// Centres lie so many to the unit, and at its ends.
const CENTRES: u32 = 8;
/// The largest stake, over the most that a sample can be beyond its centre on the side that loses.
const LARGEST_STAKE: f64 = 0.9;
/// The least of that distance that a stake is sized by.
const LEAST_LOSS: f64 = 0.125;
/// Samples over the first look's, up to which there are stakes small enough.
const FURTHEST: f64 = 1000.0;
/// Half the square of the standard errors that intervals are long, about.
const LOG_THRESHOLD: f64 = 5.0;

/// All bets, after the samples that were seen.
pub(super) struct Bets {
    samples: f64,
    share: f64,
    bets: Vec<Bet>,
}

struct Bet {
    /// Negative where it is on samples below.
    stake: f64,
    centre: f64,
    /// What the samples' squares about the centre cost.
    cost: f64,
}

impl Bets {
    /// On `samples` samples with mean `share` and a sum of `squares` about it; the first look was after `first` of them.
    pub(super) fn new(samples: f64, share: f64, squares: f64, first: f64) -> Self {
        // The best stake is about sqrt(2 * threshold / n) over the standard deviation, which is at most 1/2.
        let smallest = (8.0 * LOG_THRESHOLD / (FURTHEST * first)).sqrt();
        let mut bets = Vec::new();
        for at in 0..=CENTRES {
            let centre = f64::from(at) / f64::from(CENTRES);
            let squares = squares + samples * (share - centre) * (share - centre);
            for (side, loss) in [(1.0, centre), (-1.0, 1.0 - centre)] {
                let mut stake = LARGEST_STAKE / loss.max(LEAST_LOSS);
                while stake > 0.5 * smallest {
                    bets.push(Bet {
                        stake: side * stake,
                        centre,
                        cost: squares * cost_of_squares(stake, loss),
                    });
                    stake *= 0.5;
                }
            }
        }
        Self {
            samples,
            share,
            bets,
        }
    }

    /// The logarithm of what the gambler has who spreads a stake of 1 evenly over all bets that the mean is not `mean`.
    /// Convex in `mean` before the logarithm is taken, and at most 1 at the samples' own mean.
    pub(super) fn log_martingale(&self, mean: f64) -> f64 {
        let distance = self.share - mean;
        let log_gain = |bet: &Bet| {
            let excess = excess_over_logarithm(bet.stake * (mean - bet.centre));
            self.samples * (bet.stake * distance + excess) - bet.cost
        };
        let gains: Vec<f64> = self.bets.iter().map(log_gain).collect();
        log_mean(&gains)
    }
}

/// The logarithm of the mean of the numbers that `logarithms` are of.
pub(super) fn log_mean(logarithms: &[f64]) -> f64 {
    let largest = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return largest;
    }
    let sum: f64 = logarithms.iter().map(|one| exp(one - largest)).sum();
    largest + ln(sum / logarithms.len() as f64)
}

/// psi, for a sample that can be `loss` beyond its centre.
fn cost_of_squares(stake: f64, loss: f64) -> f64 {
    if loss == 0.0 {
        return 0.5 * stake * stake;
    }
    excess_over_logarithm(-loss * stake) / (loss * loss)
}

/// y - ln(1 + y), also where the two are nearly the same.
fn excess_over_logarithm(y: f64) -> f64 {
    if y.abs() > 0.01 {
        return y - ln_1p(y);
    }
    // y^2 / 2 - y^3 / 3 + ...
    let mut series = 0.0;
    for power in (2..=9).rev() {
        series = 1.0 / f64::from(power) - y * series;
    }
    y * y * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excess_is_right_where_the_series_ends_too() {
        for y in [-0.9, -0.5, -0.0101, 0.0101, 2.0] {
            let expected = y - f64::ln_1p(y);
            assert!((excess_over_logarithm(y) / expected - 1.0).abs() < 1e-12);
        }
        for y in [-0.0099_f64, 0.0099] {
            let expected = y - f64::ln_1p(y);
            let found = excess_over_logarithm(y);
            assert!((found / expected - 1.0).abs() < 1e-10, "{y}: {found}");
        }
        assert!((excess_over_logarithm(1e-9) - 0.5e-18).abs() < 1e-26);
    }

    /// What makes it a supermartingale: no bet is better than fair on one more sample, whatever the distribution. Those
    /// with two values are the extreme ones of all that have one mean.
    #[test]
    fn no_bet_is_better_than_fair() {
        let values = [0.0, 0.03, 0.2, 0.5, 0.77, 0.99, 1.0];
        for low in values {
            for high in values.into_iter().filter(|high| *high > low) {
                for p in [0.001, 0.1, 0.5, 0.9] {
                    let mean = low + p * (high - low);
                    let after = |value: f64| Bets::new(1.0, value, 0.0, 16.0);
                    let [at_low, at_high] = [low, high].map(after);
                    for (low_bet, high_bet) in at_low.bets.iter().zip(&at_high.bets) {
                        let gain = |bet: &Bet, value: f64| {
                            let excess = excess_over_logarithm(bet.stake * (mean - bet.centre));
                            (bet.stake * (value - mean) + excess - bet.cost).exp()
                        };
                        let expected = (1.0 - p) * gain(low_bet, low) + p * gain(high_bet, high);
                        assert!(
                            expected <= 1.0 + 1e-12,
                            "{low} {high} {p}: stake {} centre {}: {expected}",
                            low_bet.stake,
                            low_bet.centre
                        );
                    }
                }
            }
        }
    }

    /// And what is said of it for many samples is the product over them.
    #[test]
    fn merged_samples_give_what_one_after_the_other_gives() {
        let values: Vec<f64> = (0..40_u32).map(|i| f64::from(i * i % 17) / 16.0).collect();
        let n = values.len() as f64;
        let share = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|x| (x - share).powi(2)).sum();
        let merged = Bets::new(n, share, squares, 16.0);
        for mean in [0.01, 0.3, 0.5, 0.9] {
            let mut capital = 0.0;
            for bet in &merged.bets {
                let loss = if bet.stake > 0.0 {
                    bet.centre
                } else {
                    1.0 - bet.centre
                };
                let psi = cost_of_squares(bet.stake.abs(), loss);
                let gain = |x: &f64| {
                    let y = x - bet.centre;
                    (bet.stake * y - psi * y * y).exp() / (1.0 + bet.stake * (mean - bet.centre))
                };
                capital += values.iter().map(gain).product::<f64>();
            }
            let expected = (capital / merged.bets.len() as f64).ln();
            let found = merged.log_martingale(mean);
            assert!(
                (found - expected).abs() < 1e-9,
                "{mean}: {found} {expected}"
            );
        }
    }

    #[test]
    fn it_has_nothing_to_say_against_the_samples_mean() {
        for n in [1.0, 100.0, 1e6] {
            for share in [0.0, 0.1, 0.5, 1.0] {
                for variance in [0.0, 0.5 * share * (1.0 - share), share * (1.0 - share)] {
                    let bets = Bets::new(n, share, n * variance, 64.0);
                    assert!(bets.log_martingale(share) <= 1e-9, "{n} {share} {variance}");
                }
            }
        }
    }
}
