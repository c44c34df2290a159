//! What is cancelled ends, and what ended badly has its reason.

use croupier_fleet::engine::{BatchOptions, Dealing, Engine};
use croupier_tests::batch::{Fate, Settings, Status};

use super::{all, bench, options};

#[tokio::test]
async fn cancelling_ends_parents_and_what_waits_and_reasons_say_so() {
    let bench = bench(
        8,
        false,
        Settings {
            slots: 3,
            ..Settings::default()
        },
    )
    .await;
    bench.server.set_fate(|start| match start.index {
        Some(1) => Fate::CannotStart,
        Some(2) => Fate::Exit(137),
        Some(3) => Fate::HostLost,
        _ => Fate::Hold,
    });
    let mut engine = bench.engine(BatchOptions {
        attempts: 1,
        ..options(Dealing::Arrays)
    });
    engine.start(&all(0..8), None).await.unwrap();
    bench.wait_for(Status::Failed, 3);
    bench.wait_for(Status::Running, 3);
    let mut other = bench.arrays();
    other.cancel().await.unwrap();
    bench.wait_for(Status::Failed, 8);
    assert_eq!(bench.server.count("TerminateJob"), 1);
    assert!(engine.at_work().await.unwrap().is_empty());
    let reasons = other.reasons().await.unwrap();
    assert_eq!(reasons.len(), 8);
    let of = |shard: u32| reasons.iter().find(|reason| reason.shard == shard).unwrap();
    assert!(
        of(1).reason.contains("CannotPullContainerError"),
        "{:?}",
        of(1)
    );
    assert_eq!(of(1).logs, None);
    assert!(of(2).reason.contains("exit code 137"), "{:?}", of(2));
    assert!(of(3).reason.contains("Host EC2"), "{:?}", of(3));
    assert!(of(7).reason.contains("run demo was stopped"), "{:?}", of(7));
    let logs = of(2).logs.as_ref().unwrap();
    assert!(
        logs.starts_with("aws logs get-log-events --region eu-west-1 --log-group-name /aws/batch/job --log-stream-name worker/default/"),
        "{logs}"
    );
    assert_eq!(reasons[0].shard, 1, "the worst are first");
}
