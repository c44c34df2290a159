//! Rights to a directory that are taken away.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use croupier_tests::program::Program;
use tempfile::TempDir;

use super::{PLAN, SHARD, SLOW, ends, is_gone_on_with, is_kept, quiet_digest, wait_until};

/// Whom rights can be taken from: root has them all, whatever a directory says.
const NOBODY: u32 = 65_534;

/// Takes rights away in mid-run, and gives them back.
fn without(mode: u32) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let doomed = nobodys(&directory);
    let quiet = quiet_digest(&doomed);
    let _ = doomed.call(&format!("plan {PLAN} --name demo")).exits(0);
    for shard in [0, 2, 3] {
        let _ = doomed
            .call(&format!("shard --run demo --shard {shard}"))
            .exits(0);
    }
    let run = directory.path().join("croupier-runs/demo");
    let call = format!("shard --run demo {SHARD}");
    let running = doomed.clone().with("SLOW", SLOW).start(&call);
    wait_until("a checkpoint", || {
        let partials = fs::read_dir(run.join("partials")).expect("a directory");
        partials
            .flatten()
            .any(|file| file.file_name().to_string_lossy().starts_with("00001-"))
    });
    let directories = all_directories(&run);
    assert!(directories.len() > 3, "{directories:?}");
    // From within, since what is closed can't be looked into.
    for directory in directories.iter().rev() {
        allow(directory, mode);
    }
    let words = [
        "is not allowed",
        "Permission denied",
        "choose another directory",
    ];
    ends(running.wait(), 2, &words);
    ends(doomed.call(&call), 2, &words);
    for directory in &directories {
        allow(directory, 0o755);
    }
    // What was being written at that moment could not be removed again; nobody lists it.
    let files = directories
        .iter()
        .flat_map(|at| fs::read_dir(at).expect("open again").flatten());
    let asides = files.filter(|file| file.file_name().to_string_lossy().starts_with('.'));
    assert!(
        asides.count() <= 1,
        "more were left than were being written"
    );
    let kept = is_kept(&doomed, "demo");
    is_gone_on_with(&doomed, "demo", &call, kept, &quiet);
}

/// The program as somebody whom a directory can refuse: a copy, since where it was built may be closed to others.
fn nobodys(directory: &TempDir) -> Program {
    let built = env!("CARGO_BIN_EXE_doomed");
    if !rustix::process::geteuid().is_root() {
        return Program::new(built, directory.path());
    }
    let copy = directory.path().join("doomed");
    fs::copy(built, &copy).expect("a copy of the program");
    allow(&copy, 0o755);
    chown(directory.path(), Some(NOBODY), Some(NOBODY)).expect("root may give away");
    Program::new(copy, directory.path()).as_user(NOBODY)
}

/// A directory and all below it, each before what it holds.
fn all_directories(root: &Path) -> Vec<PathBuf> {
    let mut all = vec![root.to_owned()];
    let mut next = 0;
    while let Some(directory) = all.get(next).cloned() {
        let entries = fs::read_dir(directory).expect("a directory").flatten();
        all.extend(
            entries
                .map(|entry| entry.path())
                .filter(|path| path.is_dir()),
        );
        next += 1;
    }
    all
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its owner may");
}

#[test]
fn a_directory_that_becomes_read_only_in_mid_run() {
    without(0o555);
}

#[test]
fn a_directory_that_is_closed_in_mid_run() {
    without(0o000);
}
