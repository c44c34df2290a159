//! A crate outside the workspace, as the README tells an author to make one.
//!
//! Apart from its test, because what it builds can also be measured against the workspace's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::built;

/// Makes the crate in `directory`, builds it without default features, and returns its two programs: the README's
/// `dice`, and `pi`, whose source is the example's, word for word.
///
/// It is built beside the workspace, so that what they share is built once.
///
/// # Panics
/// If the README has no such crate, or it does not build.
#[must_use]
pub fn build(directory: &Path) -> [PathBuf; 2] {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    let read = |name: &str| {
        let path = workspace.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let readme = read("README.md");
    let manifest = block(&readme, "toml", "name = \"dice\"");
    let dependency = "croupier = { path = \"../croupier\" }";
    assert!(
        manifest.contains(dependency),
        "{dependency} was expected in {manifest}"
    );
    let here = format!(
        "croupier = {{ path = {:?}, default-features = false }}",
        workspace
    );
    let manifest = manifest.replace(dependency, &here);
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    };
    write("Cargo.toml", &manifest);
    write("Cargo.lock", &read("Cargo.lock"));
    write("src/main.rs", &block(&readme, "rust,no_run", "struct Dice"));
    write("src/bin/pi.rs", &read("examples/pi.rs"));

    let release = built();
    let target = release.parent().expect("a target directory");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--offline", "--quiet"])
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .expect("cargo starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{manifest}\n{text}");
    // The profile names packages that are only there with S3; cargo says so. Nothing else is to be said.
    let complaints: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("warning") && !line.contains("profile package spec"))
        .collect();
    assert!(complaints.is_empty(), "{text}");
    ["dice", "pi"].map(|name| release.join(name))
}

/// The README's only block in `language` that has `words`.
fn block(readme: &str, language: &str, words: &str) -> String {
    let mut found = Vec::new();
    let mut rest = readme;
    while let Some((_, after)) = rest.split_once(&format!("\n```{language}\n")) {
        let (text, after) = after.split_once("\n```").expect("a block ends");
        if text.contains(words) {
            found.push(format!("{text}\n"));
        }
        rest = after;
    }
    assert_eq!(
        found.len(),
        1,
        "README.md: blocks of {language} with {words}"
    );
    found.remove(0)
}
