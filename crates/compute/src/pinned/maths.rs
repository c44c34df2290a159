//! The functions a kernel needs, by the names `f64` gives them, over the crate `libm`.

/// The version of `libm` that this build's bits come from. Part of a run's identity.
pub const LIBM_VERSION: &str = "0.2.16";

macro_rules! pinned {
    ($($(#[$doc:meta])* $name:ident = $libm:ident($($argument:ident),+);)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name($($argument: f64),+) -> f64 {
            libm::$libm($($argument),+)
        }
    )*};
}

pinned! {
    /// The natural logarithm.
    ln = log(x);
    /// ln(1 + x), right near 0 too.
    ln_1p = log1p(x);
    /// The logarithm to base 2.
    log2 = log2(x);
    /// The logarithm to base 10.
    log10 = log10(x);
    /// e to the power of x.
    exp = exp(x);
    /// 2 to the power of x.
    exp2 = exp2(x);
    /// exp(x) - 1, right near 0 too.
    exp_m1 = expm1(x);
    /// x to the power of y.
    powf = pow(x, y);
    /// The cube root.
    cbrt = cbrt(x);
    /// The length of the hypotenuse, without overflow on the way.
    hypot = hypot(x, y);
    /// The sine of an angle in radians.
    sin = sin(x);
    /// The cosine of an angle in radians.
    cos = cos(x);
    /// The tangent of an angle in radians.
    tan = tan(x);
    /// The angle in radians, in [-pi/2, pi/2], whose sine is x.
    asin = asin(x);
    /// The angle in radians, in [0, pi], whose cosine is x.
    acos = acos(x);
    /// The angle in radians, in [-pi/2, pi/2], whose tangent is x.
    atan = atan(x);
    /// The angle in radians, in [-pi, pi], of the point (x, y).
    atan2 = atan2(y, x);
    /// The hyperbolic sine.
    sinh = sinh(x);
    /// The hyperbolic cosine.
    cosh = cosh(x);
    /// The hyperbolic tangent.
    tanh = tanh(x);
    /// The error function.
    erf = erf(x);
    /// 1 - erf(x), right in the tail too.
    erfc = erfc(x);
    /// The natural logarithm of |gamma(x)|.
    ln_gamma = lgamma(x);
}

/// The sine and the cosine of an angle in radians.
#[inline]
pub fn sin_cos(x: f64) -> (f64, f64) {
    libm::sincos(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins() {
        let x = 0.731_058_578_630_004_9;
        let bits = [
            ln(x),
            exp(x),
            sin(x),
            cos(x),
            tan(x),
            powf(x, 2.5),
            tanh(x),
            erf(x),
            erfc(3.0 * x),
            atan2(x, 0.3),
            ln_1p(x * 1e-3),
            exp_m1(x * 1e-3),
            log2(x),
            log10(x),
            cbrt(x),
            ln_gamma(x),
        ]
        .map(f64::to_bits);
        assert_eq!(bits, PINNED_BITS, "{bits:#x?}");
    }

    const PINNED_BITS: [u64; 16] = [
        0xbfd4_0c7a_bfbe_c124,
        0x4000_9e44_242c_a509,
        0x3fe5_5d74_7e06_2c92,
        0x3fe7_d2ae_a980_dbbe,
        0x3fec_b2cb_d3bd_e1f4,
        0x3fdd_3edf_1f8d_3a70,
        0x3fe3_f574_0573_6bc8,
        0x3fe6_5c9b_2187_479b,
        0x3f5f_8897_71cb_c1df,
        0x3ff2_e6f6_bfbb_4616,
        0x3f47_f252_c3e0_f587,
        0x3f47_f6ce_5746_93c0,
        0xbfdc_ec9a_4ae3_df68,
        0xbfc1_6a03_d9b1_b4f7,
        0x3fec_d3bb_bc78_b1e0,
        0x3fcc_b637_5bcc_07e6,
    ];

    #[test]
    fn the_version_named_is_the_version_built() {
        let manifest = include_str!("../../Cargo.toml");
        assert!(manifest.contains("libm.workspace = true"));
        let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"));
        assert!(
            lock.contains(&format!("name = \"libm\"\nversion = \"{LIBM_VERSION}\"")),
            "the lock file has another version of libm than {LIBM_VERSION}"
        );
    }
}
