//! Skewness and kurtosis, and how far one sample moves them.

/// The variance of one sample's influence on the skewness and on the kurtosis, by the delta method.
///
/// `skewness` and `kurtosis` are the means of standardised values' third and fourth power; `powers`
/// are what the squares of the influences are averaged with: means of standardised values' powers 0 to
/// 8, or weighted sums of them. For independent values these are the variances in M. Kendall and A.
/// Stuart, The Advanced Theory of Statistics 1 (1969), 10.15.
pub(super) fn influence_variances(skewness: f64, kurtosis: f64, powers: [f64; 9]) -> [f64; 2] {
    // Of z^0 to z^4. Both know that the mean and the deviation are estimated too.
    let on_skewness = [0.5 * skewness, -3.0, -1.5 * skewness, 1.0, 0.0];
    let on_kurtosis = [kurtosis, -4.0 * skewness, -2.0 * kurtosis, 0.0, 1.0];
    [on_skewness, on_kurtosis].map(|influence| {
        let mut sum = 0.0;
        for (i, a) in influence.iter().enumerate() {
            for (j, b) in influence.iter().enumerate() {
                sum += a * b * powers[i + j];
            }
        }
        // Rounding may leave a tiny negative where the influence of every value is nothing.
        sum.max(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::influence_variances;

    /// Known from the distributions' moments: 6 and 24 for normal values, and 72 and 8064 for
    /// exponential ones, whose central moments are 1, 0, 1, 2, 9, 44, 265, 1854 and 14833.
    #[test]
    fn known_answers() {
        let normal = [1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 15.0, 0.0, 105.0];
        assert_eq!(influence_variances(0.0, 3.0, normal), [6.0, 24.0]);
        let exponential = [1.0, 0.0, 1.0, 2.0, 9.0, 44.0, 265.0, 1854.0, 14833.0];
        assert_eq!(influence_variances(2.0, 9.0, exponential), [72.0, 8064.0]);
    }
}
