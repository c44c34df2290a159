//! Workers that die, meet and are cut off: whatever happens, the run comes out as if nothing had.

mod crash {
    mod directory;
    mod faults;
    mod s3;
    mod together;

    use croupier_tests::program::Program;
    use serde_json::Value;

    /// So many deaths at named points, and as many at random times, in a directory and in S3 each.
    const DEATHS: usize = 100;

    /// Small, and dealt to three shards.
    const PLAN: &str = "--samples 30000 --block 1024 --seed 7 --shards 3";

    /// The result that every run must come to.
    fn expected() -> Value {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let pi = Program::example("pi", directory.path());
        pi.call("run --samples 30000 --block 1024 --seed 7 --threads 1 --json")
            .exits(0)
            .json()
    }

    /// Asserts that a report is the expected one: every sample once, and nothing odd was read.
    fn is_as_if_nothing_had_happened(report: &Value, expected: &Value, context: &str) {
        for part in ["digest", "estimates", "samples", "blocks"] {
            assert_eq!(report[part], expected[part], "{context}: {part}");
        }
        assert_eq!(
            report["samples"]["done"], report["samples"]["planned"],
            "{context}"
        );
        assert_eq!(
            report["shards"]["missing"],
            serde_json::json!([]),
            "{context}"
        );
        for litter in ["no partials by their names", "was not used", "unfinished"] {
            let warnings = report["warnings"].to_string();
            assert!(!warnings.contains(litter), "{context}: {warnings}");
        }
    }
}
