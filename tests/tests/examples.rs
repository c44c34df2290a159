//! The examples against answers that are known, and against the bits they gave before.

mod examples {
    mod answers;
    mod jackknife;
    mod pins;

    use croupier_tests::program::Program;
    use serde_json::Value;

    /// Runs an example; its report.
    fn report(name: &str, arguments: &str, environment: &[(&str, &str)]) -> Value {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let program = environment.iter().fold(
            Program::example(name, directory.path()),
            |program, (name, value)| program.with(name, *value),
        );
        program
            .call(&format!("run {arguments} --threads 2 --json"))
            .exits(0)
            .json()
    }
}
