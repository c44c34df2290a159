//! Which of n ordered values bound a quantile of their distribution.
//!
//! How many of n values lie below the q-quantile is binomial, whatever the distribution. So order
//! statistics bound it with a probability that only their ranks decide.

use crate::pinned::normal_quantile;

/// Up to this variance the binomial distribution is summed; above, it is expanded about the normal.
const SUMMED_VARIANCE: f64 = 1e6;

/// The rank, from 1, of the value that stands for the `q`-quantile of `count` values.
pub(super) fn quantile(count: u64, q: f64) -> u64 {
    // Less than rounding: 0.07 * 100 is a little above 7.
    let rank = (count as f64 * q * (1.0 - 2.0 * f64::EPSILON)).ceil() as u64;
    rank.clamp(1, count)
}

/// The ranks between which the `q`-quantile lies with probability `level` or more, as much on either
/// side; none on a side where no value is far enough out.
pub(super) fn interval(count: u64, q: f64, level: f64) -> [Option<u64>; 2] {
    let tail = 0.5 * (1.0 - level);
    let from_above = lower_rank(count, 1.0 - q, tail);
    [
        lower_rank(count, q, tail),
        from_above.map(|rank| count + 1 - rank),
    ]
}

/// The ranks one standard deviation below and above; none on a side where there is no such value.
pub(super) fn one_standard_error(count: u64, q: f64) -> [Option<u64>; 2] {
    let n = count as f64;
    let [middle, deviation] = [n * q, (n * q * (1.0 - q)).sqrt()];
    let in_range = |rank: f64| (1.0..=n).contains(&rank).then_some(rank as u64);
    [
        in_range((middle - deviation).floor()),
        in_range((middle + deviation).ceil()),
    ]
}

/// The largest rank whose value exceeds the `q`-quantile with probability at most `tail`: the largest
/// l with P(X < l) <= tail, where X is binomial with `count` trials; none where that is 0.
fn lower_rank(count: u64, q: f64, tail: f64) -> Option<u64> {
    let variance = count as f64 * q * (1.0 - q);
    let rank = if variance <= SUMMED_VARIANCE {
        summed(count, q, tail)
    } else {
        expanded(count, q, tail)
    };
    (rank > 0).then_some(rank)
}

/// By adding up terms relative to the largest, downwards and upwards from it.
fn summed(count: u64, q: f64, tail: f64) -> u64 {
    const NEGLIGIBLE: f64 = 1e-30;
    if q <= 0.0 || q >= 1.0 {
        return if q <= 0.0 { 0 } else { count };
    }
    let n = count as f64;
    let odds = q / (1.0 - q);
    let mode = (((n + 1.0) * q) as u64).min(count);
    let mut below = vec![1.0];
    let mut term = 1.0;
    let mut at = mode;
    while at > 0 && term > NEGLIGIBLE {
        term *= at as f64 / ((n - at as f64 + 1.0) * odds);
        at -= 1;
        below.push(term);
    }
    let lowest = at;
    let mut total: f64 = below.iter().sum();
    (term, at) = (1.0, mode);
    while at < count && term > NEGLIGIBLE {
        term *= (n - at as f64) / (at as f64 + 1.0) * odds;
        at += 1;
        total += term;
    }
    let mut so_far = 0.0;
    for (rank, term) in (lowest..).zip(below.iter().rev()) {
        so_far += term;
        if so_far > tail * total {
            return rank;
        }
    }
    mode
}

/// The normal quantile with a correction for skewness (R. A. Fisher and E. A. Cornish, "The Percentile
/// Points of Distributions Having Known Cumulants", Technometrics 2 (1960), 209-225), which is right to
/// a small part of a rank where the variance is large; rounded down.
fn expanded(count: u64, q: f64, tail: f64) -> u64 {
    let n = count as f64;
    let z = normal_quantile(tail);
    let skew = (z * z - 1.0) * (1.0 - 2.0 * q) / 6.0;
    (n * q + z * (n * q * (1.0 - q)).sqrt() + skew - 0.5).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From tables of nonparametric intervals for the median, and of the exact binomial distribution:
    /// 0.5^n at the ends.
    #[test]
    fn known_ranks() {
        // n = 5: P(X = 0) = 1/32 > 0.025, so no interval at 95 %; n = 6: 1/64 < 0.025.
        assert_eq!(interval(5, 0.5, 0.95), [None, None]);
        assert_eq!(interval(6, 0.5, 0.95), [Some(1), Some(6)]);
        assert_eq!(interval(10, 0.5, 0.95), [Some(2), Some(9)]);
        assert_eq!(interval(20, 0.5, 0.95), [Some(6), Some(15)]);
        assert_eq!(interval(100, 0.5, 0.95), [Some(40), Some(61)]);
        // 0.99^367 = 0.02502 and 0.99^368 = 0.02477: the largest of 368 values bounds the 99 % quantile.
        assert_eq!(interval(367, 0.99, 0.95)[1], None);
        assert_eq!(interval(368, 0.99, 0.95)[1], Some(368));
        assert_eq!(quantile(100, 0.07), 7);
        assert_eq!((quantile(10, 0.0), quantile(10, 1.0)), (1, 10));
        assert_eq!((quantile(3, 0.5), quantile(4, 0.5)), (2, 2));
    }

    #[test]
    fn both_ways_agree() {
        for q in [0.001, 0.1, 0.5, 0.97] {
            for tail in [0.25, 0.025, 0.0005] {
                let count = (SUMMED_VARIANCE / (q * (1.0 - q))) as u64;
                let [sum, normal] = [summed(count, q, tail), expanded(count, q, tail)];
                assert!(
                    normal <= sum && sum - normal <= 1,
                    "{q} {tail}: {sum} and {normal}"
                );
            }
        }
    }
}
