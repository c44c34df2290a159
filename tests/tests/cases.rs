//! Runs of cases: many sets of parameters in one run, each by real programs.

mod cases {
    mod array;
    mod bad_input;
    mod shards;
    mod tracker;
    mod verbs;

    use std::fs;
    use std::path::Path;

    use croupier_tests::program::Program;
    use serde_json::Value;
    use tempfile::TempDir;

    fn fresh() -> TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn several(directory: &Path) -> Program {
        Program::new(env!("CARGO_BIN_EXE_several"), directory)
    }

    fn write(directory: &Path, name: &str, text: &str) {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// The digest of one run with these parameters.
    fn digest_alone(directory: &Path, parameters: &str) -> Value {
        let run = format!("uniform run --samples 640 --seed 7 {parameters} --json");
        several(directory).call(&run).exits(0).json()["digest"].clone()
    }

    fn digests(report: &Value) -> Vec<Value> {
        let cases = report["cases"].as_array().expect("a list of cases");
        cases.iter().map(|case| case["digest"].clone()).collect()
    }
}
