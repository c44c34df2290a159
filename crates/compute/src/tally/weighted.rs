//! Values with weights: what importance sampling and reweighting record.

mod mean;
mod moments;

pub use mean::WeightedMean;
pub use moments::WeightedMoments;

use crate::{Estimate, Estimates, NotFinite};

/// With fewer samples than this behind a self-normalised estimate, neither its bias nor the error of
/// its error is small.
const ENOUGH_SAMPLES: f64 = 100.0;

/// Of weights whose squares add up to less, the squares are lost below what a float can hold.
const SMALLEST_SQUARES: f64 = 1e-290;

/// What is wrong with weights and values that were recorded, if anything is.
fn refused(has_negative_weight: bool, sums: &[f64]) -> Result<(), NotFinite> {
    if has_negative_weight {
        Err(NotFinite::refused("a negative weight"))
    } else if sums.iter().all(|sum| sum.is_finite()) {
        Ok(())
    } else {
        Err(NotFinite::new(
            "a value or a weight that is NaN or infinite, or too large for the powers of it",
        ))
    }
}

/// Kish's effective sample size; none where all weights are zero, or too small to be squared.
fn effective_samples(sum: f64, sum_of_squares: f64) -> Option<f64> {
    (sum_of_squares >= SMALLEST_SQUARES).then(|| sum * (sum / sum_of_squares))
}

/// Says how many samples of equal weight would have said as much (L. Kish, Survey Sampling (1965)):
/// the square of the weights' sum over the sum of their squares.
fn say_effective_samples(effective: Option<f64>, samples: u64, estimates: &mut Estimates) {
    estimates.within("effective_samples", |estimates| {
        match effective {
            Some(_) => estimates
                .note("says what the weights leave of the samples: it has no standard error"),
            None if samples > 0 => estimates.note("has no weights to tell it from"),
            None => {}
        }
        estimates.push(Estimate {
            value: effective,
            std_error: None,
            interval: None,
            samples,
        });
    });
}

/// Notes on all that is divided by the sum of weights.
fn note_what_weights_leave(effective: Option<f64>, samples: u64, estimates: &mut Estimates) {
    match effective {
        None if samples > 0 => {
            estimates.note(
                "has no weights but zero, or such as are too small to be squared: multiply all of them by a constant",
            );
        }
        Some(effective) if samples > 1 && effective < ENOUGH_SAMPLES => estimates.note(&format!(
            "rests on no more than {effective:.1} of {samples} samples, the others having hardly any weight: neither it nor its error can be trusted"
        )),
        _ => {}
    }
}

/// An estimate with an interval of `quantile` standard errors to both sides; what is not finite is left out.
fn about(value: Option<f64>, std_error: Option<f64>, quantile: f64, samples: u64) -> Estimate {
    let [value, std_error] = [value, std_error].map(|what| what.filter(|what| what.is_finite()));
    let half = std_error.map(|error| error * quantile);
    Estimate {
        value,
        std_error,
        interval: value
            .zip(half)
            .map(|(value, half)| [value - half, value + half]),
        samples,
    }
}

/// Notes for too few samples; says whether there are two.
fn note_too_few(samples: u64, estimates: &mut Estimates) {
    match samples {
        0 => estimates.note("has no samples: nothing can be estimated"),
        1 => estimates.note("has one sample: a variance needs two"),
        _ => {}
    }
}
