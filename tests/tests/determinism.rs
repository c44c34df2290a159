//! The same bits however it was dealt: every example, as real processes, over threads, shards, order of arrival,
//! repeats, and workers that were killed and resumed. All of it against one run at once on one thread.

use std::path::Path;

use croupier_tests::program::Program;

/// An example, and a call that is quick and has enough blocks to be dealt to 64 shards.
const EXAMPLES: [(&str, &str); 5] = [
    ("pi", "--samples 400_007 --block 4096"),
    (
        "european_option",
        "--samples 200_003 --block 2048 --strike 105",
    ),
    ("own_tally", "--samples 200_003 --block 2048"),
    ("neutron_slab", "--samples 60_001 --block 512"),
    ("costly", "--samples 130 --customers 500"),
];

const SEED: &str = "--seed 7";

fn digest_of(program: &Program, arguments: &str) -> String {
    let ended = program.call(arguments).exits(0);
    let digest = ended.json()["digest"].as_str().map(str::to_owned);
    digest.unwrap_or_else(|| panic!("no digest: {ended}"))
}

fn at_once(program: &Program, call: &str) -> String {
    digest_of(
        program,
        &format!("run {call} {SEED} --name once --threads 1 --json"),
    )
}

/// The numbers below `count` in an order that has nothing to do with them.
fn shuffled(count: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..count).collect();
    numbers.sort_by_key(|number| (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    numbers
}

fn example(name: &str, directory: &Path) -> Program {
    Program::example(name, directory)
}

#[test]
fn threads_do_not_show() {
    for (name, call) in EXAMPLES {
        let directory = tempfile::tempdir().unwrap();
        let program = example(name, directory.path());
        let expected = at_once(&program, call);
        for threads in [2, 8] {
            let arguments = format!("run {call} {SEED} --threads {threads} --json");
            assert_eq!(
                digest_of(&program, &arguments),
                expected,
                "{name}, {threads} threads"
            );
        }
    }
}

#[test]
fn shards_in_any_order_and_twice_do_not_show() {
    for (name, call) in EXAMPLES {
        let directory = tempfile::tempdir().unwrap();
        let program = example(name, directory.path());
        let expected = at_once(&program, call);
        for (shards, threads) in [(7, 8), (64, 1), (64, 2)] {
            let run = format!("{shards}-{threads}");
            let mut order = shuffled(shards);
            order.extend(shuffled(shards).into_iter().take(3));
            for shard in order {
                let _ = program
                    .clone()
                    .with("AWS_BATCH_JOB_ARRAY_INDEX", shard.to_string())
                    .call(&format!(
                        "shard {call} {SEED} --shards {shards} --name {run} --threads {threads}"
                    ))
                    .exits(0);
            }
            let reduced = digest_of(&program, &format!("reduce --run {run} --json"));
            assert_eq!(
                reduced, expected,
                "{name}, {shards} shards, {threads} threads"
            );
        }
    }
}

#[test]
fn a_killed_worker_that_is_resumed_does_not_show() {
    for (name, call) in EXAMPLES {
        let directory = tempfile::tempdir().unwrap();
        let program = example(name, directory.path());
        let expected = at_once(&program, call);
        let shard = |number: u64| {
            format!("shard {call} {SEED} --shards 7 --name crash --shard {number} --threads 2")
        };
        for number in shuffled(7) {
            // Wherever it is by then, perhaps done: it may be at any point from its start to its end.
            let running = program.start(&shard(number));
            let process = running.process();
            if number % 2 == 0 {
                process.terminate();
            } else {
                process.kill();
            }
            let _ = running.wait();
            let _ = program.call(&shard(number)).exits(0);
        }
        let reduced = digest_of(&program, "reduce --run crash --json");
        assert_eq!(reduced, expected, "{name}");
    }
}

#[test]
fn another_seed_or_block_length_does_show() {
    let directory = tempfile::tempdir().unwrap();
    let program = example("pi", directory.path());
    let call = "run --samples 400_007 --json";
    let digests = [
        "--seed 7 --block 4096",
        "--seed 8 --block 4096",
        "--seed 7 --block 8192",
    ]
    .map(|different| digest_of(&program, &format!("{call} {different}")));
    assert_ne!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
}
