//! Arithmetic and samplers whose bits are the same on every machine.
//!
//! A run's bits can only be as portable as the functions a kernel calls. `+ - * /` and `sqrt` are
//! exact by IEEE 754. `f64::ln`, `exp`, `sin`, `powf` and their kin go to the platform's C library,
//! which takes another path on a CPU with fused multiply-add and rounds the last bit differently.
//! What is here goes to the crate `libm` in the one version that is part of a run's identity.
//!
//! | use | bits |
//! |---|---|
//! | the functions and samplers of this module | pinned |
//! | `+ - * /`, `f64::sqrt`, `abs`, `floor`, `mul_add` | pinned by IEEE 754 |
//! | integers and ranges from `rand` (`random`, `random_range`) | pinned as long as `rand`'s minor version is |
//! | `f64::ln`, `exp`, `sin`, `cos`, `powf`, `tanh`, ... | **not** pinned: another CPU, another last bit |
//! | `rand_distr` | usable, **not** pinned: its maths depends on features of other crates in the build |
//!
//! A kernel that uses what isn't pinned has the same bits on one machine for any threads and shards,
//! and may have others on another type of CPU.

mod maths;
mod samplers;

pub use maths::{
    LIBM_VERSION, acos, asin, atan, atan2, cbrt, cos, cosh, erf, erfc, exp, exp_m1, exp2, hypot,
    ln, ln_1p, ln_gamma, log2, log10, powf, sin, sin_cos, sinh, tan, tanh,
};
pub use samplers::{exponential, normal, normal_quantile, uniform, uniform_positive};
