//! One digest for every example: on 1, 2 and 8 threads, dealt to 1, 7 and 64 shards that come in any order, some of
//! them twice, some of them killed at first.

use std::time::Duration;

use croupier::ChaCha8Rng;
use croupier::rand::seq::SliceRandom;
use croupier::rand::{RngExt, SeedableRng};
use croupier_tests::program::Program;
use serde_json::Value;

/// Runs `example` once in one piece, and in every other way.
fn is_dealt_without_a_trace(example: &str, plan: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = Program::example(example, directory.path());
    let whole = program
        .call(&format!(
            "run {plan} --seed 7 --name whole --threads 1 --json"
        ))
        .exits(0)
        .json();
    // Every shuffle and every death is drawn from this.
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_122);
    let mut deaths = 0;
    for threads in [1, 2, 8] {
        for shards in [1, 7, 64] {
            let name = format!("t{threads}-s{shards}");
            program
                .call(&format!(
                    "plan {plan} --seed 7 --name {name} --shards {shards}"
                ))
                .exits(0);
            deaths += in_any_order(&program, &name, shards, threads, &mut rng);
            let reduced = program
                .call(&format!("reduce --run {name} --json"))
                .exits(0)
                .json();
            is_the_same(&reduced, &whole, &name);
        }
    }
    assert!(deaths > 0, "every worker that was to die was done before");
    // One process that works on all shards, one after the other.
    let alone = program
        .call(&format!(
            "run {plan} --seed 7 --name alone --shards 13 --threads 3 --json"
        ))
        .exits(0)
        .json();
    is_the_same(&alone, &whole, "alone");
    // A digest of nothing in particular would pass all of this.
    let other = program
        .call(&format!("run {plan} --seed 8 --json"))
        .exits(0)
        .json();
    assert_ne!(other["digest"], whole["digest"]);
}

/// Works on all shards, and gives how many workers died at it.
fn in_any_order(
    program: &Program,
    name: &str,
    shards: u32,
    threads: u32,
    rng: &mut ChaCha8Rng,
) -> usize {
    let mut deaths = 0;
    let mut order: Vec<u32> = (0..shards).collect();
    // Some come twice.
    order.extend((0..3).map(|_| rng.random_range(0..shards)));
    order.shuffle(rng);
    for (position, shard) in order.iter().enumerate() {
        let call = format!("shard --run {name} --shard {shard} --threads {threads}");
        if position % 16 == 0 {
            // Dies at any moment of its life, which is short.
            let worker = program.start(&call);
            std::thread::sleep(Duration::from_micros(rng.random_range(0..30_000)));
            worker.process().kill();
            deaths += usize::from(worker.wait().was_killed());
        }
        program.call(&call).exits(0);
    }
    deaths
}

fn is_the_same(found: &Value, whole: &Value, name: &str) {
    assert_eq!(found["digest"], whole["digest"], "{name}");
    for part in ["estimates", "samples", "blocks", "failed_samples"] {
        assert_eq!(found[part], whole[part], "{name}: {part}");
    }
    assert_eq!(found["shards"]["missing"], serde_json::json!([]), "{name}");
}

// At least 64 blocks each, the last of them short.

#[test]
fn pi() {
    is_dealt_without_a_trace("pi", "--samples 70000 --block 1024");
}

#[test]
fn european_option() {
    is_dealt_without_a_trace("european_option", "--samples 70000 --block 1024");
}

#[test]
fn own_tally() {
    is_dealt_without_a_trace("own_tally", "--samples 70000 --block 1024");
}

#[test]
fn neutron_slab() {
    is_dealt_without_a_trace("neutron_slab", "--samples 20000 --block 256");
}

#[test]
fn costly() {
    is_dealt_without_a_trace("costly", "--samples 77 --customers 300");
}

/// The same parameters, a thousand times: a shard a sample.
#[test]
fn a_thousand_slow_samples_over_a_thousand_shards() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let costly = Program::example("costly", directory.path());
    let plan = "--samples 1000 --customers 300 --seed 7 --json";
    let dealt = costly
        .call(&format!("run {plan} --shards 1000"))
        .exits(0)
        .json();
    let whole = costly.call(&format!("run {plan}")).exits(0).json();
    assert_eq!(dealt["shards"]["done"], 1000);
    is_the_same(&dealt, &whole, "a thousand");
}
