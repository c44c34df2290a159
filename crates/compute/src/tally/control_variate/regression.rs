//! The regression of an output on its controls.

use crate::tally::covariance::Closed;

/// A control of whose variation those before it leave no more than this share is no control.
const INDEPENDENT_SHARE: f64 = 1e-10;

/// What regression says of the output where all controls have their known means.
pub(super) struct Regression<const D: usize> {
    pub(super) value: f64,
    /// None without degrees of freedom.
    pub(super) std_error: Option<f64>,
    pub(super) degrees_of_freedom: f64,
    /// By number; the first is none.
    pub(super) coefficients: [f64; D],
    pub(super) is_used: [bool; D],
    /// How many of its standard errors each control's mean is from what is known.
    pub(super) errors_off: [Option<f64>; D],
    plain_error: f64,
}

impl<const D: usize> Regression<D> {
    /// None of no samples.
    pub(super) fn of(closed: &Closed<D>) -> Option<Self> {
        if closed.count == 0 {
            return None;
        }
        let n = closed.count as f64;
        let mut matrix: [[f64; D]; D] =
            std::array::from_fn(|i| std::array::from_fn(|j| closed.product(i, j)));
        let is_used: [bool; D] = std::array::from_fn(|k| {
            let is_independent = matrix[k][k] > INDEPENDENT_SHARE * closed.product(k, k);
            let is_control = k > 0 && is_independent;
            if is_control {
                sweep(&mut matrix, k);
            }
            is_control
        });
        let used = |k: &usize| is_used[*k];
        let coefficients = std::array::from_fn(|k| if is_used[k] { matrix[k][0] } else { 0.0 });
        let controls = || (1..D).filter(used);
        let means = &closed.means;
        let value = means[0] - controls().map(|k| coefficients[k] * means[k]).sum::<f64>();
        let leverage: f64 = controls()
            .flat_map(|j| controls().map(move |k| (j, k)))
            .map(|(j, k)| means[j] * matrix[j][k] * means[k])
            .sum();
        let degrees_of_freedom = n - 1.0 - controls().count() as f64;
        let total = closed.product(0, 0);
        let residual = if matrix[0][0] < 0.0 {
            0.0
        } else {
            matrix[0][0]
        };
        let residual_variance = residual / degrees_of_freedom;
        let is_known = degrees_of_freedom >= 1.0;
        Some(Self {
            value,
            std_error: is_known.then(|| (residual_variance * (1.0 / n + leverage.max(0.0))).sqrt()),
            degrees_of_freedom,
            coefficients,
            is_used,
            errors_off: std::array::from_fn(|k| {
                let error = (closed.product(k, k) / (n - 1.0) / n).sqrt();
                (k > 0 && error > 0.0).then(|| means[k].abs() / error)
            }),
            plain_error: (total / (n - 1.0) / n).sqrt(),
        })
    }

    pub(super) fn variance_reduction(&self) -> Option<f64> {
        let ratio = self.plain_error / self.std_error?;
        Some(ratio * ratio).filter(|factor| factor.is_finite())
    }
}

/// Makes number `k` a cause of the others: J. H. Goodnight, "A Tutorial on the SWEEP Operator", The
/// American Statistician 33 (1979), 149-158. Afterwards column 0 has coefficients, element (0, 0) what
/// is left of the output, and the rest the inverse of the controls' matrix.
fn sweep<const D: usize>(matrix: &mut [[f64; D]; D], k: usize) {
    let pivot = matrix[k][k];
    let row = matrix[k].map(|element| element / pivot);
    for (i, other) in matrix.iter_mut().enumerate() {
        if i != k {
            let factor = other[k];
            for (element, by) in other.iter_mut().zip(row) {
                *element -= factor * by;
            }
            other[k] = -factor / pivot;
        }
    }
    matrix[k] = row;
    matrix[k][k] = 1.0 / pivot;
}
