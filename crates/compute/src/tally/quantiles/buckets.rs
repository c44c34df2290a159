//! Buckets from the bits of a double, and the counts of a block that is being recorded.
//!
//! A positive double's bits grow with it. Without the lower bits of the mantissa they number buckets
//! whose ends differ by a constant factor, but for the subnormals, where they lie at equal distances. A
//! negative value's bucket is that of its size, with a minus.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const MANTISSA_BITS: u32 = 52;
/// Of infinities and NaN.
const LARGEST_EXPONENT: u32 = 0x7ff;

/// How narrow the buckets of [`Quantiles`](crate::Quantiles) are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resolution {
    /// 2^5 buckets an octave: values within 1.6 %.
    Coarse = 5,
    /// 2^7 buckets an octave: values within 0.39 %.
    #[default]
    Medium = 7,
    /// 2^10 buckets an octave: values within 0.049 %.
    Fine = 10,
}

impl Resolution {
    /// How many upper bits of the mantissa are part of a bucket's number.
    #[inline]
    fn bits(self) -> u32 {
        self as u32
    }

    /// The number of a value's bucket, without its sign.
    #[inline]
    fn bucket_of(self, value: f64) -> usize {
        ((value.to_bits() << 1) >> (MANTISSA_BITS + 1 - self.bits())) as usize
    }

    /// Of zero and all finite values of one sign.
    pub(super) fn buckets_of_one_sign(self) -> u32 {
        LARGEST_EXPONENT << self.bits()
    }

    /// Where the values of a bucket lie: the ends nearest to it on both sides. Of bucket 0 zero.
    pub(super) fn ends(self, bucket: i32) -> [f64; 2] {
        let at = |number: u32| {
            let bits = u64::from(number) << (MANTISSA_BITS - self.bits());
            f64::from_bits(bits).min(f64::MAX)
        };
        let number = bucket.unsigned_abs();
        match bucket {
            0 => [0.0; 2],
            1.. => [at(number), at(number + 1)],
            _ => [-at(number + 1), -at(number)],
        }
    }
}

/// The buckets of a window, at most.
const WIDEST: usize = 1 << 16;
/// So many values outside a window that can't be widened, and it is begun anew where they are.
const PATIENCE: u32 = 1 << 10;

/// Counts by bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Windows {
    /// Those of bucket 0, which lies far from all that is not zero.
    zeros: u64,
    /// Of positive values and of negative ones, by size.
    signs: [Window; 2],
    /// The first value of the block that was NaN or infinite.
    refused: Option<f64>,
}

/// Dense where most values are, one by one elsewhere.
#[derive(Clone, Debug, Default, PartialEq)]
struct Window {
    first: usize,
    counts: Vec<u64>,
    outside: BTreeMap<usize, u64>,
    /// How many values went there since the window was begun.
    missed: u32,
}

impl Windows {
    #[inline]
    pub(super) fn record(&mut self, value: f64, resolution: Resolution) {
        let bucket = resolution.bucket_of(value);
        let window = &mut self.signs[usize::from(value.is_sign_negative())];
        match window.counts.get_mut(bucket.wrapping_sub(window.first)) {
            Some(count) => *count += 1,
            None => self.record_outside(value, resolution),
        }
    }

    /// Counts what the windows don't hold yet, or refuses it.
    #[cold]
    #[inline(never)]
    fn record_outside(&mut self, value: f64, resolution: Resolution) {
        if !value.is_finite() {
            self.refuse(Some(value));
            return;
        }
        match resolution.bucket_of(value) {
            0 => self.zeros += 1,
            bucket => {
                let window = &mut self.signs[usize::from(value.is_sign_negative())];
                window.take_in(bucket, 1 << resolution.bits());
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        let of_one = |sign: &Window| {
            let outside: u64 = sign.outside.values().sum();
            sign.counts.iter().sum::<u64>() + outside
        };
        self.zeros + self.signs.iter().map(of_one).sum::<u64>()
    }

    /// All that was counted, as ascending buckets and their counts; leaves none.
    pub(super) fn take(&mut self) -> (Vec<i32>, Vec<u64>) {
        let [positive, negative] = std::mem::take(&mut self.signs).map(Window::into_buckets);
        let mut zeros = std::mem::take(&mut self.zeros);
        let mut all: Vec<(i32, u64)> = Vec::with_capacity(positive.len() + negative.len());
        for (bucket, count) in negative.into_iter().rev() {
            match bucket {
                0 => zeros += count,
                _ => all.push((-bucket, count)),
            }
        }
        let positive = match positive.split_first() {
            Some(((0, count), rest)) => {
                zeros += count;
                rest
            }
            _ => &positive[..],
        };
        if zeros > 0 {
            all.push((0, zeros));
        }
        all.extend_from_slice(positive);
        all.into_iter().unzip()
    }

    pub(super) fn refuse(&mut self, value: Option<f64>) {
        self.refused = self.refused.or(value);
    }

    pub(super) fn refused(&self) -> Option<f64> {
        self.refused
    }
}

impl Window {
    /// Counts a value of `bucket`, which the window does not have, and takes in the octave of it and all between if
    /// that makes it no wider than it may be.
    fn take_in(&mut self, bucket: usize, octave: usize) {
        let [begin, end] = if self.counts.is_empty() {
            [bucket, bucket + 1]
        } else {
            let end = self.first + self.counts.len();
            [self.first.min(bucket), end.max(bucket + 1)]
        };
        let begin = begin - begin % octave;
        let end = end.next_multiple_of(octave);
        if end - begin > WIDEST {
            *self.outside.entry(bucket).or_default() += 1;
            self.missed += 1;
            if self.missed == PATIENCE {
                self.begin_anew();
            }
            return;
        }
        let mut counts = vec![0; end - begin];
        if !self.counts.is_empty() {
            let from = self.first - begin;
            counts[from..from + self.counts.len()].copy_from_slice(&self.counts);
        }
        counts[bucket - begin] += 1;
        self.first = begin;
        self.counts = counts;
    }

    /// Puts what the window holds outside.
    fn begin_anew(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        for (bucket, count) in (self.first..).zip(counts) {
            if count > 0 {
                *self.outside.entry(bucket).or_default() += count;
            }
        }
        self.missed = 0;
    }

    /// What holds something, in ascending order.
    fn into_buckets(mut self) -> Vec<(i32, u64)> {
        if !self.outside.is_empty() {
            self.begin_anew();
            let outside = self.outside.into_iter();
            return outside
                .map(|(bucket, count)| (bucket as i32, count))
                .collect();
        }
        (self.first as i32..)
            .zip(self.counts)
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(Resolution, f64); 3] = [
        (Resolution::Coarse, 1.0 / 64.0),
        (Resolution::Medium, 1.0 / 256.0),
        (Resolution::Fine, 1.0 / 2048.0),
    ];

    fn bucket_of(value: f64, resolution: Resolution) -> i32 {
        let mut windows = Windows::default();
        windows.record(value, resolution);
        windows.record(value, resolution);
        let (buckets, counts) = windows.take();
        assert_eq!((buckets.len(), counts), (1, vec![2]), "{value}");
        buckets[0]
    }

    #[test]
    fn buckets_ascend_and_hold_their_values() {
        for (resolution, error) in ALL {
            let sizes = (-1074..1024).flat_map(|exponent| {
                [1.0, 1.01, 1.49, 1.999].map(|mantissa| mantissa * 2f64.powi(exponent))
            });
            let sizes = sizes.chain([f64::MIN_POSITIVE, f64::MAX, 5e-324]);
            let mut values: Vec<f64> = sizes.flat_map(|size| [size, -size]).collect();
            values.extend([0.0, -0.0]);
            values.sort_by(f64::total_cmp);
            let mut before = i32::MIN;
            for value in values {
                let bucket = bucket_of(value, resolution);
                assert!(bucket >= before, "{value} in {bucket} after {before}");
                before = bucket;
                let [low, high] = resolution.ends(bucket);
                if bucket == 0 {
                    assert!(value.abs() < f64::MIN_POSITIVE / 16.0, "{value} is no zero");
                    assert_eq!([low, high], [0.0; 2]);
                    continue;
                }
                assert!(low <= value && value <= high, "{value} in {low}..{high}");
                let middle = low + 0.5 * (high - low);
                if value.abs() >= f64::MIN_POSITIVE {
                    let off = (middle - value).abs() / value.abs();
                    assert!(off <= error * 1.000_001, "{value} as {middle}: {off}");
                }
            }
            assert!(before < resolution.buckets_of_one_sign() as i32);
        }
    }

    #[test]
    fn memory_is_bounded_as_said() {
        for (resolution, _) in ALL {
            let mut windows = Windows::default();
            let mut count = 0;
            // Each ten times what the window is patient with, back and forth.
            for round in 0..30 {
                for value in [
                    1.0,
                    f64::MAX,
                    5e-324,
                    f64::MIN,
                    -5e-324,
                    0.0,
                    -0.0,
                    1e-3,
                    1e200,
                ] {
                    for _ in 0..10 * PATIENCE / (1 + round * round) {
                        windows.record(value, resolution);
                        count += 1;
                    }
                }
            }
            for sign in &windows.signs {
                assert!(8 * sign.counts.len() <= 1 << 19);
                assert!(sign.outside.len() <= 4);
            }
            assert_eq!(windows.count(), count);
            let (buckets, counts) = windows.take();
            assert!(buckets.windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!((buckets.len(), counts.iter().sum()), (6, count));
            assert_eq!(windows, Windows::default());
        }
    }

    #[test]
    fn a_window_comes_to_where_the_values_are() {
        let resolution = Resolution::Fine;
        let mut windows = Windows::default();
        windows.record(1e-300, resolution);
        for _ in 0..PATIENCE + 100 {
            windows.record(1.0, resolution);
        }
        let window = &windows.signs[0];
        assert_eq!(window.counts.iter().sum::<u64>(), 100);
        assert_eq!(window.outside.len(), 2);
    }
}
