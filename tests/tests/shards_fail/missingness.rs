//! Work that dies because of what it sampled.

use super::{doomed, fresh};

/// Samples above 3.2 take a minute, and a worker has less. So the shards that drew one die of their time; what is
/// left of them, and the result without them, has too few large values.
#[test]
fn the_bias_of_what_is_left_is_warned_of() {
    let here = fresh();
    let doomed = doomed(here.path());
    let _ = doomed
        .call("plan --samples 1600 --seed 7 --shards 100 --block 16 --name demo --policy tolerate=80%")
        .exits(0);
    let long = doomed.with("LONG_FROM", "3.2").with("SLOW", "200");
    let mut stopped = 0;
    let shards: Vec<u32> = (0..100).collect();
    for at_once in shards.chunks(20) {
        let start = |shard: &u32| {
            long.start(&format!(
                "shard --run demo --shard {shard} --threads 1 --deadline 1500ms --no-progress"
            ))
        };
        let workers: Vec<_> = at_once.iter().map(start).collect();
        for worker in workers {
            stopped += usize::from(worker.wait().code() == Some(75));
        }
    }
    assert!((20..70).contains(&stopped), "{stopped}");
    let reduced = long.call("reduce --run demo --json").exits(0).json();
    let estimate = &reduced["estimates"][0];
    let (value, error) = (
        estimate["value"].as_f64().unwrap(),
        estimate["std_error"].as_f64().unwrap(),
    );
    // The mean of what is drawn is 1. Leaving out blocks with a value above 3.2 makes it look like less, by more than
    // its error owns up to.
    assert!(value < 1.0 - 4.0 * error, "{value} +- {error}");
    let compared = reduced["missingness"].as_array().unwrap();
    let seconds = compared
        .iter()
        .find(|compared| compared["what"] == "seconds per block")
        .unwrap_or_else(|| panic!("{compared:?}"));
    assert!(seconds["z"].as_f64().unwrap() > 4.0, "{seconds}");
    let warnings = reduced["warnings"].to_string();
    assert!(warnings.contains("are unlike the"), "{warnings}");
    assert!(
        warnings.contains("because of what they sampled"),
        "{warnings}"
    );
}

/// Shards that die at random, and are run again, look like the rest.
#[test]
fn chance_is_not_warned_of() {
    let here = fresh();
    let doomed = doomed(here.path());
    let _ = doomed
        .call("plan --samples 1600 --seed 7 --shards 50 --block 16 --name demo")
        .exits(0);
    for shard in 0..50 {
        if shard % 7 == 3 {
            let dying = doomed.clone().with("DIE_AT", (shard * 32 + 9).to_string());
            let killed = dying.call(&format!("shard --run demo --shard {shard} --threads 1"));
            assert_eq!(killed.code(), Some(137), "{killed}");
        }
        let _ = doomed
            .clone()
            .with("SLOW", "300")
            .call(&format!("shard --run demo --shard {shard} --threads 1"))
            .exits(0);
    }
    let reduced = doomed.call("reduce --run demo --json").exits(0).json();
    assert!(!reduced["missingness"].as_array().unwrap().is_empty());
    let warnings = reduced["warnings"].to_string();
    assert!(!warnings.contains("unlike"), "{warnings}");
}
