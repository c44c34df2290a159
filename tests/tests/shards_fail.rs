//! What becomes of a run whose shards fail: real workers, really killed, under each policy.

mod shards_fail {
    mod at_most_once;
    mod drive;
    mod launch;
    mod missingness;
    mod stop;
    mod wait;
    mod why;

    use std::path::Path;

    use croupier_tests::program::Program;
    use serde_json::Value;
    use tempfile::TempDir;

    /// 3,200 samples in 200 blocks, 25 blocks a shard.
    const PLAN: &str = "plan --samples 3200 --seed 7 --shards 8 --name demo";

    fn fresh() -> TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn doomed(directory: &Path) -> Program {
        Program::new(env!("CARGO_BIN_EXE_doomed"), directory)
    }

    /// The digest of a run in which nothing failed.
    fn quiet_digest(directory: &Path, samples: u64) -> Value {
        let run = format!("run --samples {samples} --seed 7 --name quiet-{samples} --json");
        doomed(directory).call(&run).exits(0).json()["digest"].clone()
    }

    /// Whether anything of a shard was published.
    fn has_partial(directory: &Path, shard: u32) -> bool {
        let partials = std::fs::read_dir(directory.join("croupier-runs/demo/partials"));
        let begins = format!("{shard:05}-");
        partials.is_ok_and(|mut partials| {
            partials.any(|file| {
                file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with(&begins))
            })
        })
    }

    fn is_there(directory: &Path, key: &str) -> bool {
        directory.join("croupier-runs/demo").join(key).exists()
    }
}
