//! A crate of a user's own, outside the workspace: the README's sketch compiles with `croupier` and `serde` as its only
//! dependencies, and gives the bits that the same kernel gives in here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use croupier_tests::program::{Program, built};

/// The program of the design, word for word.
const SKETCH: &str = r#"
use std::process::ExitCode;

use croupier::prelude::*;

/// Estimates pi by throwing darts at the unit square.
#[derive(Args, Serialize, Deserialize)]
struct Pi {}

impl Kernel for Pi {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, hits: &mut Mean) {
        let [x, y]: [f64; 2] = rng.random();
        hits.record(if x * x + y * y < 1.0 { 4.0 } else { 0.0 });
    }
}

fn main() -> ExitCode {
    croupier::main::<Pi>()
}
"#;

fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("tests/ is in the workspace")
        .to_owned()
}

/// The profile that the workspace has, as a user pastes it.
fn profile() -> String {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let start = manifest
        .find("[profile.release]")
        .expect("a profile to paste");
    manifest[start..].to_owned()
}

/// Makes the crate and builds it; what it builds is kept for the next time.
fn build() -> PathBuf {
    let target = built().parent().expect("Cargo's directory").join("outside");
    let package = target.join("darts");
    fs::create_dir_all(package.join("src")).unwrap();
    fs::write(package.join("src/main.rs"), SKETCH).unwrap();
    fs::copy(workspace().join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    fs::write(
        package.join("Cargo.toml"),
        format!(
            "[package]\nname = \"darts\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\ncroupier = {{ path = {:?}, default-features = false }}\n\
             serde = {{ version = \"1\", features = [\"derive\"] }}\n\n{}",
            workspace().display().to_string(),
            profile()
        ),
    )
    .unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--offline"])
        .current_dir(&package)
        .env("CARGO_TARGET_DIR", target.join("target"))
        .output()
        .expect("cargo starts");
    assert!(
        built.status.success(),
        "the sketch does not compile outside the workspace:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    target.join("target/release/darts")
}

#[test]
fn the_sketch_gives_the_examples_bits() {
    let darts = build();
    let directory = tempfile::tempdir().unwrap();
    let call = "run --samples 3e6 --seed 7 --json";
    let digest = |program: Program| {
        let ended = program.call(call).exits(0);
        ended.json()["digest"]
            .as_str()
            .map(str::to_owned)
            .expect("a digest")
    };
    assert_eq!(
        digest(Program::new(darts, directory.path())),
        digest(Program::example("pi", directory.path()))
    );
}
