//! One run against everything at once: a store that fails in every way it can, and workers that are killed at any
//! moment, for as long as one likes. It must come out as if nothing had happened.
//!
//! The tests in `crash` name the point at which something breaks; this one looks for what nobody thought of. Its draws
//! come from one seed, but how many are made depends on the clock, and who meets them on the machine. So a failure's
//! seed repeats the kind of weather, and need not repeat the failure: the shapes of faults, and how often each strikes,
//! are the same, and the order of events is not. `CROUPIER_CAMPAIGN_SECONDS` makes it longer, `CROUPIER_CAMPAIGN_SEED`
//! makes it another one.

mod campaign {
    mod crew;
    mod weather;

    use std::time::Duration;

    use croupier_tests::program::Program;
    use croupier_tests::s3::S3Server;
    use serde_json::{Value, json};

    use crew::Crew;
    use weather::Weather;

    const SEED: u64 = 20_260_704;
    const SECONDS: u64 = 30;

    const SHARDS: u32 = 64;
    /// Workers that are alive at a time, for two cores; `CROUPIER_CAMPAIGN_AT_ONCE` says another number.
    const AT_ONCE: u64 = 16;

    fn at_once() -> u64 {
        told("CROUPIER_CAMPAIGN_AT_ONCE", AT_ONCE)
    }
    /// How long a worker takes for a sample.
    const SAMPLE_MICROSECONDS: u64 = 2000;
    const BLOCK: u64 = 16;

    /// How often calls look at the clock, and when they give up.
    const PACE: &str = "--threads 1 --checkpoint 300ms --store-timeout 5s --no-progress";

    /// Says what weather it was, where it fails.
    struct Seed(u64);

    impl Drop for Seed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!(
                    "the same kind of weather, though not the same events, comes with CROUPIER_CAMPAIGN_SEED={}",
                    self.0
                );
            }
        }
    }

    fn told(name: &str, default: u64) -> u64 {
        match std::env::var(name) {
            Ok(text) => text
                .parse()
                .unwrap_or_else(|error| panic!("{name}={text}: {error}")),
            Err(_) => default,
        }
    }

    #[test]
    fn a_run_outlives_a_campaign_against_it() {
        let seed = Seed(told("CROUPIER_CAMPAIGN_SEED", SEED));
        let seconds = told("CROUPIER_CAMPAIGN_SECONDS", SECONDS);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let server = S3Server::start();
        let doomed = Program::new(env!("CARGO_BIN_EXE_doomed"), directory.path()).with_s3(&server);
        // A twelfth of the time for each shard, were it left in peace. The last block is short.
        let blocks = seconds * 1_000_000 / 12 / (BLOCK * SAMPLE_MICROSECONDS);
        let samples = blocks * BLOCK * u64::from(SHARDS) - 5;
        let quiet = doomed
            .call(&format!(
                "run --samples {samples} --seed 7 --name quiet --json"
            ))
            .exits(0)
            .json();
        let run = format!("{}/demo", server.uri("runs"));
        let _ = doomed
            .call(&format!(
                "plan --samples {samples} --seed 7 --shards {SHARDS} --policy retry=99 --name demo --store {}",
                server.uri("runs")
            ))
            .exits(0);

        let weather = Weather::new(seed.0);
        let sky = weather.clone();
        server.set_fault(move |request| sky.fault(request));
        let crew = Crew::new(&doomed, &run, &weather, seed.0);
        let workers = crew.work_under_attack(Duration::from_secs(seconds));
        eprintln!("{workers:#?}\n{:#?}", weather.counts());
        server.clear_fault();
        let status = doomed.call(&format!("status --run {run} --json")).exits(0);
        let (shards, blocks) = (&status.json()["shards"], &status.json()["blocks"]);
        eprintln!("after the attack: shards {shards}, blocks {blocks}");
        assert!(blocks["done"].as_u64() > Some(0), "{status}");

        weather.set_rarer(4);
        let sky = weather.clone();
        server.set_fault(move |request| sky.fault(request));
        let driven = drive(&doomed, &run);
        server.clear_fault();
        is_as_if_nothing_had_happened(&driven, &quiet, "driven");
        assert_eq!(driven["accepted"], json!(true));
        let reduce = format!("reduce --run {run} --json");
        is_as_if_nothing_had_happened(&doomed.call(&reduce).exits(0).json(), &quiet, "reduced");
        let verified = doomed
            .call(&format!("verify --run {run} --deep --json"))
            .exits(0)
            .json();
        assert_eq!(
            (
                &verified["blocks"],
                &verified["missing"],
                &verified["invalid"]
            ),
            (&quiet["blocks"]["planned"], &json!(0), &json!(0))
        );
        let _ = doomed.call(&format!("clean --run {run} --yes")).exits(0);
        is_as_if_nothing_had_happened(&doomed.call(&reduce).exits(0).json(), &quiet, "cleaned");
    }

    /// Drives the run to its end. A driver may fail as the store does; then it is started again.
    fn drive(doomed: &Program, run: &str) -> Value {
        const STARTS: usize = 10;
        for _ in 0..STARTS {
            let driven = doomed.call(&format!(
                "drive --run {run} --jobs {} --every 500ms --json {PACE}",
                at_once()
            ));
            match driven.code() {
                Some(0) => return driven.json(),
                Some(1) => eprintln!("the driver failed, and is started again: {driven}"),
                _ => panic!("{driven}"),
            }
        }
        panic!("{STARTS} drivers failed");
    }

    /// Asserts that a report is the quiet run's: every sample once, and nothing odd was read.
    fn is_as_if_nothing_had_happened(report: &Value, quiet: &Value, context: &str) {
        for part in ["digest", "estimates", "samples", "blocks"] {
            assert_eq!(report[part], quiet[part], "{context}: {part}");
        }
        assert_eq!(
            report["samples"]["done"], report["samples"]["planned"],
            "{context}"
        );
        assert_eq!(report["shards"]["missing"], json!([]), "{context}");
        let warnings = report["warnings"].to_string();
        for litter in ["no partials by their names", "was not used", "unfinished"] {
            assert!(!warnings.contains(litter), "{context}: {warnings}");
        }
    }
}
