//! Pinned digests, which hold on any processor: glibc has its fast paths for processors with fused multiply-add, and
//! other bits on them.

use super::report;

const PINS: &str = include_str!("../../pins.txt");

/// Both spellings: a release knows its own and passes over the other.
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
const NO_FMA: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable",
);

fn hold(environment: &[(&str, &str)]) {
    let mut differences = String::new();
    let lines = PINS.lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        let mut words = line.splitn(3, ' ');
        let [name, digest, arguments] = [(); 3].map(|()| words.next().expect("three words"));
        let found = report(name, arguments, environment)["digest"].clone();
        if found != digest {
            differences += &format!("{name} {} {arguments}\n", found.as_str().unwrap_or("none"));
        }
    }
    assert!(
        differences.is_empty(),
        "results have changed. Where that is meant, say so in the changelog, raise what must be raised, and pin:\n{differences}"
    );
}

#[test]
fn every_example_gives_the_bits_it_gave() {
    hold(&[]);
}

/// Where glibc can be told to do without. On a processor that has none there is nothing to switch off, and it is what
/// every test here holds on.
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
#[test]
fn the_same_bits_without_fused_multiply_add() {
    use std::path::Path;

    use croupier_tests::program::Program;

    // What this would miss if the switch did nothing: with it, the standard library's functions have other bits.
    let digest = |environment: &[(&str, &str)]| {
        let maths = environment.iter().fold(
            Program::new(env!("CARGO_BIN_EXE_std-maths"), Path::new("/")),
            |maths, (name, value)| maths.with(name, *value),
        );
        maths.call("").exits(0).stdout
    };
    let switches_off = digest(&[]) != digest(&[NO_FMA]);
    assert_eq!(
        switches_off,
        std::arch::is_x86_feature_detected!("fma"),
        "what was switched off is not what this processor has"
    );
    hold(&[NO_FMA]);
}
