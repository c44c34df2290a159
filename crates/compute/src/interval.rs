//! Quantiles for confidence intervals. No run's bits depend on them.

use crate::pinned::normal_quantile;

/// Above this many degrees of freedom Student's t is taken from its expansion about the normal.
const EXPANSION_FROM: f64 = 1000.0;

/// The factor of a two-sided normal interval at `level`: 1.96 for 0.95.
pub(crate) fn normal_interval_quantile(level: f64) -> f64 {
    normal_quantile(0.5 + 0.5 * level)
}

/// The quantile of Student's t distribution: t such that a variate is below it with probability `p`.
///
/// For `p` in [0.5, 1) and at least one degree of freedom; relative error below 1e-9. From the
/// inverse of the incomplete beta function, and for many degrees of freedom from the expansion about
/// the normal quantile, Abramowitz and Stegun 26.7.5.
pub(crate) fn student_quantile(p: f64, degrees_of_freedom: f64) -> f64 {
    let nu = degrees_of_freedom;
    if p <= 0.5 {
        return 0.0;
    }
    if nu >= EXPANSION_FROM {
        let z = normal_quantile(p);
        let z2 = z * z;
        let g1 = z * (z2 + 1.0) / 4.0;
        let g2 = z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
        let g3 = z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
        return z + (g1 + (g2 + g3 / nu) / nu) / nu;
    }
    let x = puruspe::invbetai(2.0 * (1.0 - p), 0.5 * nu, 0.5);
    (nu * (1.0 - x) / x).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values computed to 30 digits by inverting the distribution function in
    /// arbitrary-precision arithmetic.
    #[test]
    fn student_is_right_on_both_sides_of_the_seam() {
        for (p, nu, expected) in [
            (0.975, 1.0, 12.706_204_736_174_705),
            (0.975, 2.0, 4.302_652_729_749_464),
            (0.975, 10.0, 2.228_138_851_986_273_5),
            (0.975, 30.0, 2.042_272_456_301_237_5),
            (0.995, 5.0, 4.032_142_983_555_228),
        ] {
            let found = student_quantile(p, nu);
            assert!((found / expected - 1.0).abs() < 1e-9, "{p} {nu}: {found}");
        }
        for p in [0.75, 0.95, 0.975, 0.995, 0.9995] {
            let below = student_quantile(p, EXPANSION_FROM - 1e-6);
            let above = student_quantile(p, EXPANSION_FROM);
            assert!((below / above - 1.0).abs() < 1e-9, "{p}: {below} {above}");
            let far = student_quantile(p, 1e12);
            assert!((far / normal_quantile(p) - 1.0).abs() < 1e-11);
        }
        assert!((normal_interval_quantile(0.95) - 1.959_963_984_540_054).abs() < 1e-15);
    }
}
