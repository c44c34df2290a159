//! Tasks, and several of a kind in one program.

mod tasks {
    mod app;
    mod copy;
    mod once;

    use std::path::Path;

    use croupier_tests::program::Program;
    use tempfile::TempDir;

    fn fresh() -> TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn several(directory: &Path) -> Program {
        Program::new(env!("CARGO_BIN_EXE_several"), directory)
    }
}
