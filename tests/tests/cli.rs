//! The command line as a person and a scheduler use it: real programs in fresh directories.

mod cli {
    mod bad_input;
    mod documents;
    mod exits;
    mod failing;
    mod forecast;
    mod index;
    mod json;
    mod parameters;
    mod target;
    mod threads;
    mod verbs;

    use croupier_tests::program::Program;
    use tempfile::TempDir;

    /// A directory that goes with the test.
    fn fresh() -> TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn pi(directory: &TempDir) -> Program {
        Program::example("pi", directory.path())
    }

    fn option(directory: &TempDir) -> Program {
        Program::example("european_option", directory.path())
    }

    /// One of this package's own kernels.
    macro_rules! kernel {
        ($name:literal, $directory:expr) => {
            croupier_tests::program::Program::new(
                env!(concat!("CARGO_BIN_EXE_", $name)),
                $directory.path(),
            )
        };
    }
    use kernel;
}
