//! Wilson's interval at levels other than the usual one.

use croupier_compute::{Estimates, Proportion, Tally};

/// Level, hits, samples, and the ends, computed to 40 digits from the formula.
const REFERENCES: [(f64, u64, u64, f64, f64); 12] = [
    (0.5, 1, 3, 0.182_817_250_158_613_2, 0.527_741_823_140_608_9),
    (0.5, 3, 7, 0.310_603_477_749_751_4, 0.555_257_215_991_545_1),
    (
        0.5,
        40,
        1_000,
        0.036_025_233_773_179_226,
        0.044_393_117_412_898_58,
    ),
    (
        0.5,
        999_999,
        1_000_000,
        0.999_998_060_719_664_7,
        0.999_999_484_345_028_9,
    ),
    (
        0.95,
        1,
        3,
        0.061_491_944_720_396_23,
        0.792_340_399_197_952_3,
    ),
    (0.95, 3, 7, 0.158_219_855_251_469_7, 0.749_541_635_472_342_8),
    (
        0.95,
        40,
        1_000,
        0.029_510_973_685_452_756,
        0.054_009_644_121_257_96,
    ),
    (
        0.95,
        999_999,
        1_000_000,
        0.999_994_335_088_195_7,
        0.999_999_823_475_423_3,
    ),
    (
        0.999_999,
        1,
        3,
        0.013_032_446_669_659_194,
        0.949_831_661_893_979_6,
    ),
    (
        0.999_999,
        3,
        7,
        0.045_058_138_033_985_07,
        0.922_608_833_821_576_4,
    ),
    (
        0.999_999,
        40,
        1_000,
        0.018_923_248_007_744_52,
        0.082_576_187_586_210_92,
    ),
    (
        0.999_999,
        999_999,
        1_000_000,
        0.999_974_111_119_116_8,
        0.999_999_961_374_302_8,
    ),
];

#[test]
fn is_right_at_any_level() {
    for (level, hits, samples, low, high) in REFERENCES {
        let mut proportion = Proportion::new();
        for sample in 0..samples {
            proportion.record(sample < hits);
        }
        let mut estimates = Estimates::new("x", level);
        proportion.estimates(&mut estimates);
        let [found_low, found_high] = estimates.get("x").unwrap().interval.unwrap();
        assert!(
            (found_low / low - 1.0).abs() < 1e-9,
            "{hits}/{samples}: {found_low}, expected {low}"
        );
        assert!(
            (found_high / high - 1.0).abs() < 1e-9,
            "{hits}/{samples}: {found_high}, expected {high}"
        );
    }
}
