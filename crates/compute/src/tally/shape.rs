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
