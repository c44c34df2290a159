//! Uniform, normal and exponential variates by inversion: one u64 each, always.
//!
//! Inversion costs a little more than a table method, and buys what simulations lean on: a fixed
//! number of draws, variates that are monotone in the uniform they come from (so that common random
//! numbers and antithetic pairs work), and a recipe short enough to be repeated in any language.

use rand::Rng;

use super::maths::ln;

/// 2^-53: the distance between neighbouring variates of [`uniform`].
const STEP: f64 = 1.0 / (1u64 << 53) as f64;

/// A uniform variate in [0, 1): the upper 53 bits of one u64, times 2^-53.
#[inline]
pub fn uniform(rng: &mut (impl Rng + ?Sized)) -> f64 {
    (rng.next_u64() >> 11) as f64 * STEP
}

/// A uniform variate in (0, 1): the upper 52 bits of one u64, and a half, times 2^-52.
///
/// Exact, symmetric about 1/2, and safe to take the logarithm of.
#[inline]
pub fn uniform_positive(rng: &mut (impl Rng + ?Sized)) -> f64 {
    (((rng.next_u64() >> 12) as f64) + 0.5) * (2.0 * STEP)
}

/// A standard normal variate: [`normal_quantile`] of [`uniform_positive`].
///
/// Its largest values are +-8.2, which one sample in 10^16 would exceed.
#[inline]
pub fn normal(rng: &mut (impl Rng + ?Sized)) -> f64 {
    normal_quantile(uniform_positive(rng))
}

/// An exponential variate of mean 1: -ln of [`uniform_positive`].
#[inline]
pub fn exponential(rng: &mut (impl Rng + ?Sized)) -> f64 {
    -ln(uniform_positive(rng))
}

/// The quantile of the standard normal distribution: x such that a normal variate is below it with
/// probability `p`.
///
/// Relative error about 10^-16. Infinite at 0 and 1, NaN outside [0, 1]. Source: M. J. Wichura,
/// "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37
/// (1988), 477-484, the routine PPND16.
#[inline]
pub fn normal_quantile(p: f64) -> f64 {
    let from_half = p - 0.5;
    if from_half.abs() <= 0.425 {
        let r = 0.180_625 - from_half * from_half;
        return from_half * ratio(r, &CENTRE);
    }
    normal_quantile_of_tail(p, from_half)
}

#[inline(never)]
fn normal_quantile_of_tail(p: f64, from_half: f64) -> f64 {
    let tail = if from_half < 0.0 { p } else { 1.0 - p };
    if tail == 0.0 {
        return f64::INFINITY.copysign(from_half);
    }
    let r = (-ln(tail)).sqrt();
    let size = if r <= 5.0 {
        ratio(r - 1.6, &MIDDLE)
    } else {
        ratio(r - 5.0, &FAR)
    };
    size.copysign(from_half)
}

/// Numerator over denominator, by Horner's rule from the highest power down.
#[inline]
fn ratio(r: f64, coefficients: &[[f64; 2]; 8]) -> f64 {
    let [mut above, mut below] = coefficients[0];
    for [a, b] in &coefficients[1..] {
        above = above * r + a;
        below = below * r + b;
    }
    above / below
}

// [numerator, denominator] from the seventh power down to the constant.
#[expect(clippy::excessive_precision, reason = "the digits as published")]
const CENTRE: [[f64; 2]; 8] = [
    [2.509_080_928_730_122_672_7e3, 5.226_495_278_852_854_561e3],
    [3.343_057_558_358_812_810_5e4, 2.872_908_573_572_194_267_4e4],
    [6.726_577_092_700_870_085_3e4, 3.930_789_580_009_271_061e4],
    [4.592_195_393_154_987_145_7e4, 2.121_379_430_158_659_586_7e4],
    [1.373_169_376_550_946_112_5e4, 5.394_196_021_424_751_107_7e3],
    [1.971_590_950_306_551_442_7e3, 6.871_870_074_920_579_083e2],
    [1.331_416_678_917_843_774_5e2, 4.231_333_070_160_091_125_2e1],
    [3.387_132_872_796_366_608, 1.0],
];
#[expect(clippy::excessive_precision, reason = "the digits as published")]
const MIDDLE: [[f64; 2]; 8] = [
    [
        7.745_450_142_783_414_076_4e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
    [
        2.272_384_498_926_918_458_33e-2,
        5.475_938_084_995_344_946e-4,
    ],
    [
        2.417_807_251_774_506_117_7e-1,
        1.519_866_656_361_645_719_66e-2,
    ],
    [1.270_458_252_452_368_382_58, 1.481_039_764_274_800_745_9e-1],
    [3.647_848_324_763_204_605_04, 6.897_673_349_851_000_045_5e-1],
    [5.769_497_221_460_691_405_5, 1.676_384_830_183_803_849_4],
    [4.630_337_846_156_545_295_9, 2.053_191_626_637_758_821_87],
    [1.423_437_110_749_683_577_34, 1.0],
];
#[expect(clippy::excessive_precision, reason = "the digits as published")]
const FAR: [[f64; 2]; 8] = [
    [
        2.010_334_399_292_288_132_65e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
    [
        2.711_555_568_743_487_578_15e-5,
        1.421_511_758_316_445_888_7e-7,
    ],
    [
        1.242_660_947_388_078_438_6e-3,
        1.846_318_317_510_054_681_8e-5,
    ],
    [2.653_218_952_657_612_309_3e-2, 7.868_691_311_456_132_591e-4],
    [
        2.965_605_718_285_048_912_3e-1,
        1.487_536_129_085_061_485_25e-2,
    ],
    [1.784_826_539_917_291_335_8, 1.369_298_809_227_358_053_1e-1],
    [5.463_784_911_164_114_369_9, 5.998_322_065_558_879_376_9e-1],
    [6.657_904_643_501_103_777_2, 1.0],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pinned::{erfc, exp};
    use crate::{Domain, Stream, StreamNumber};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn quantiles_invert_the_distribution() {
        for x in [
            -8.0, -5.5, -5.0, -3.0, -1.5, -1.0, -0.3, 0.0, 0.1, 0.9, 1.3, 2.5, 4.0,
        ] {
            let p = 0.5 * erfc(-x / std::f64::consts::SQRT_2);
            let back = normal_quantile(p);
            // Near 1 the rounding of p itself moves x by p's spacing over the density.
            let density = exp(-0.5 * x * x) / (2.0 * std::f64::consts::PI).sqrt();
            let allowed = 1e-14 * f64::max(1.0, x.abs()) + 2e-16 * p / density;
            assert!((back - x).abs() <= allowed, "{x} came back as {back}");
        }
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert!(normal_quantile(-0.1).is_nan() && normal_quantile(1.1).is_nan());
    }

    #[test]
    fn is_monotone_across_its_seams() {
        for seam in [0.075, 0.925, exp(-25.0), 1.0 - exp(-25.0)] {
            let mut last = f64::NEG_INFINITY;
            for step in -1000..1000 {
                let x = normal_quantile(seam + f64::from(step) * seam.min(1.0 - seam) * 1e-6);
                assert!(x >= last - 1e-14 * x.abs(), "at {seam} step {step}");
                last = x;
            }
        }
    }

    /// Mean and variance within 4 standard errors, and the variates' range.
    #[test]
    fn moments_are_known() {
        let mut stream = Stream::<ChaCha8Rng>::new(1);
        stream.start(StreamNumber::new(Domain::Author, 0));
        let count = 200_000;
        let mut check =
            |sampler: fn(&mut Stream<ChaCha8Rng>) -> f64, mean: f64, variance: f64, fourth: f64| {
                let values: Vec<f64> = (0..count).map(|_| sampler(&mut stream)).collect();
                let n = f64::from(count);
                let seen = values.iter().sum::<f64>() / n;
                assert!(
                    (seen - mean).abs() < 4.0 * (variance / n).sqrt(),
                    "mean {seen}"
                );
                let spread = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
                let error = ((fourth - variance * variance) / n).sqrt();
                assert!((spread - variance).abs() < 4.0 * error, "variance {spread}");
            };
        check(uniform, 0.5, 1.0 / 12.0, 1.0 / 80.0);
        check(uniform_positive, 0.5, 1.0 / 12.0, 1.0 / 80.0);
        check(normal, 0.0, 1.0, 3.0);
        check(exponential, 1.0, 1.0, 9.0);
    }

    #[test]
    fn the_ends_are_finite() {
        struct Constant(u64);
        impl rand::TryRng for Constant {
            type Error = std::convert::Infallible;
            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                Ok(self.0 as u32)
            }
            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                Ok(self.0)
            }
            fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
                bytes.fill(self.0 as u8);
                Ok(())
            }
        }
        for word in [0, u64::MAX] {
            assert!(normal(&mut Constant(word)).is_finite());
            assert!(exponential(&mut Constant(word)).is_finite());
            let positive = uniform_positive(&mut Constant(word));
            assert!(0.0 < positive && positive < 1.0);
            assert!((0.0..1.0).contains(&uniform(&mut Constant(word))));
        }
        let (low, high) = (
            uniform_positive(&mut Constant(0)),
            uniform_positive(&mut Constant(u64::MAX)),
        );
        assert_eq!(low, 1.0 - high, "symmetric about one half");
    }
}
