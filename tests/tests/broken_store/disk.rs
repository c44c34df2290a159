//! A disk that takes no more.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use croupier_tests::program::{Ended, Program, Running};
use rustix::process::{Resource, Rlimit, prlimit};

use super::{PLAN, SHARD, SLOW, ends, is_gone_on_with, is_kept, quiet_digest, wait_until};

/// A worker below `store` that breaks off, what it should say, and its run gone on with.
fn breaks_off(
    directory: &Path,
    store: &Path,
    end: impl FnOnce(&Program, &str) -> Ended,
    words: &[&str],
) {
    let doomed = Program::new(env!("CARGO_BIN_EXE_doomed"), directory);
    let quiet = quiet_digest(&doomed);
    let run = store.join("demo");
    let named = run.to_str().expect("a path in UTF-8");
    let _ = doomed
        .call(&format!(
            "plan {PLAN} --name demo --store {}",
            store.display()
        ))
        .exits(0);
    for shard in [0, 2, 3] {
        let _ = doomed
            .call(&format!("shard --run {named} --shard {shard}"))
            .exits(0);
    }
    let call = format!("shard --run {named} {SHARD}");
    // The disk may have space again before long, so a repeat is worth while.
    ends(end(&doomed.clone().with("SLOW", SLOW), &call), 1, words);
    for folder in ["", "partials", "attempts/00001"] {
        for file in fs::read_dir(run.join(folder)).expect("a directory") {
            let name = file.expect("a file").file_name();
            assert!(
                !name.to_string_lossy().starts_with('.'),
                "{name:?} was left"
            );
        }
    }
    let kept = is_kept(&doomed, named);
    is_gone_on_with(&doomed, named, &call, kept, &quiet);
}

fn wait_for_a_checkpoint(store: &Path) {
    let partials = store.join("demo/partials");
    wait_until("a checkpoint", || {
        let there = fs::read_dir(&partials).expect("a directory");
        there
            .flatten()
            .any(|file| file.file_name().to_string_lossy().starts_with("00001-"))
    });
}

/// A disk of one megabyte, which is there as long as this is.
struct SmallDisk {
    holder: Child,
    /// Where everybody sees it.
    path: PathBuf,
}

impl SmallDisk {
    /// None where this user may neither mount nor have a namespace to mount in.
    fn at(directory: &Path) -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let own: &[&str] = if is_root {
            &["--mount"]
        } else {
            &["--user", "--map-root-user", "--mount"]
        };
        // In a namespace of its own, so that nothing is left to be unmounted, however this process ends: then the pipe
        // that is its standard input closes.
        let mut holder = Command::new("unshare")
            .args(own)
            .args(["sh", "-c"])
            .arg("mount -t tmpfs -o size=1m,mode=0777 none \"$0\" && echo mounted && exec cat")
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut said = String::new();
        let stdout = holder.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut said).ok()?;
        let path = PathBuf::from(format!("/proc/{}/root", holder.id()));
        let disk = Self {
            holder,
            path: path.join(directory.strip_prefix("/").expect("an absolute path")),
        };
        (said == "mounted\n").then_some(disk)
    }

    /// Takes all the space that there is, again and again, until a worker has ended; then gives it back.
    fn is_full_until(&self, running: Running) -> Ended {
        let filler = self.path.join("filler");
        let is_over = AtomicBool::new(false);
        let was_full = AtomicBool::new(false);
        let ended = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut file = File::create(&filler).expect("a file");
                while !is_over.load(Ordering::SeqCst) {
                    match file.write_all(&[0; 4096]) {
                        Ok(()) => {}
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
                            was_full.store(true, Ordering::SeqCst);
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    }
                }
            });
            let ended = running.wait();
            is_over.store(true, Ordering::SeqCst);
            ended
        });
        assert!(was_full.load(Ordering::SeqCst), "it never was full");
        fs::remove_file(filler).expect("the filler");
        ended
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// A worker whose files may not grow any more, as by a quota, from its first checkpoint on.
fn limited(program: &Program, call: &str, store: &Path) -> Ended {
    // A process that doesn't care to be told by a signal gets an error.
    let careless = ["-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let file = program.file().to_str().expect("a path in UTF-8");
    let arguments: Vec<&str> = careless
        .into_iter()
        .chain([file])
        .chain(call.split_whitespace())
        .collect();
    let running = program.in_shell().start_with(&arguments);
    wait_for_a_checkpoint(store);
    let limit = Rlimit {
        current: Some(100),
        maximum: Some(100),
    };
    let worker = running.process().child().expect("a supervised worker");
    prlimit(Some(worker), Resource::Fsize, limit).expect("a limit for one's own process");
    running.wait()
}

/// Says that something can't be had here: to whoever looks at the output, and in the file that `.ci/run` reads, which
/// then names it at its end.
fn is_passed_over(what: &str, why: &str) {
    eprintln!("SKIPPED {what}: {why}");
    let Some(skips) = std::env::var_os("CROUPIER_TESTS_SKIPS") else {
        return;
    };
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(skips)
        .expect("the file of what is passed over");
    writeln!(file, "{what}").expect("the file of what is passed over");
}

fn breaks_off_by_a_limit() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("store");
    breaks_off(
        directory.path(),
        &store,
        |slow, call| limited(slow, call, &store),
        &["cannot write", "File too large"],
    );
}

#[test]
fn a_disk_that_is_full_in_mid_run() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = directory.path().join("disk");
    fs::create_dir(&at).expect("a directory");
    let Some(disk) = SmallDisk::at(&at) else {
        return is_passed_over(
            "full-disk",
            "no disk can be mounted here, neither by this user nor in a namespace of its own",
        );
    };
    let fill = |slow: &Program, call: &str| {
        let running = slow.start(call);
        wait_for_a_checkpoint(&disk.path);
        disk.is_full_until(running)
    };
    let words = ["cannot write", "No space left on device", "free some space"];
    breaks_off(directory.path(), &disk.path, fill, &words);
}

#[test]
fn files_that_may_not_grow_any_more() {
    breaks_off_by_a_limit();
}
