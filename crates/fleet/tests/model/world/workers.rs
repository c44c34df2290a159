//! Workers from their start to their end: what they may write, and how they may end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use croupier_run::{Death, Digest, Error, Worked, open, work};
use croupier_store::Store;
use tokio::task::JoinHandle;

use super::World;
use crate::kernel::{BLOCK, Tying, Watch};
use crate::operation::Worker;
use crate::reference::Published;
use crate::store::{Fate, RUN, Sight, View};

/// A worker that was started.
pub(super) struct Started {
    pub(super) shard: u32,
    pub(super) worker: Worker,
    pub(super) attempt: String,
    pub(super) view: Arc<View>,
    pub(super) begun: Arc<AtomicU64>,
    pub(super) task: JoinHandle<Result<Worked, Error>>,
    /// How many of the keys that it wrote the model knows of.
    pub(super) noted: usize,
    /// How it ended.
    pub(super) outcome: Option<Result<Worked, Error>>,
    /// The driver whose engine it is of.
    pub(super) driver: Option<u32>,
    pub(super) was_stopped: bool,
    pub(super) was_started: bool,
    /// What was there of its shard when it looked, and what it is to publish.
    pub(super) reading: Option<Reading>,
}

#[derive(Clone)]
pub(super) struct Reading {
    pub(super) before: BTreeSet<u64>,
    pub(super) is_complete: bool,
    pub(super) expected: BTreeSet<u64>,
}

impl World<'_> {
    pub(super) fn spawn(&mut self, shard: u32, worker: Worker, driver: Option<u32>) -> Started {
        let view = View::new(&self.land, worker.sight);
        let store: Arc<dyn Store> = view.clone();
        let begun = Arc::new(AtomicU64::new(0));
        let mut options = self.quiet.options(worker.threads);
        self.attempts += 1;
        let attempt = format!("{:016x}", self.attempts);
        options.attempt = Some(attempt.clone());
        if worker.stop_in == Some(0) {
            options.control.stop();
        }
        let first_block = self.model.segment_of(shard).blocks_of(shard).start;
        let watch = Watch {
            first_sample: first_block * BLOCK,
            starts: Arc::clone(self.starts.entry(shard).or_default()),
            begun: Arc::clone(&begun),
            stop_in: worker.stop_in,
            control: Arc::clone(&options.control),
        };
        let kernel = Arc::new(Tying { watch: Some(watch) });
        let task = tokio::spawn(async move {
            let run = open(&store, RUN).await?;
            work(&run, &kernel, shard, &options).await
        });
        Started {
            shard,
            worker,
            attempt,
            view,
            begun,
            task,
            noted: 0,
            outcome: None,
            driver,
            was_stopped: self.model.is_stopped,
            was_started: self.model.started.contains(&shard),
            reading: None,
        }
    }

    /// Starts a worker, and waits until it has ended or is held up.
    pub(super) async fn start(
        &mut self,
        shard: u32,
        worker: Worker,
        driver: Option<u32>,
    ) -> Started {
        let mut started = self.spawn(shard, worker, driver);
        tokio::select! {
            biased;
            () = started.view.held.notified() => {}
            outcome = &mut started.task => started.outcome = Some(outcome.unwrap()),
        }
        started.reading = self.reading(&started);
        // One that is held up may have written some of it before.
        self.note(&mut started).await;
        started
    }

    /// What a worker saw of its shard; none where it did not look.
    pub(super) fn reading(&self, started: &Started) -> Option<Reading> {
        let seen = started.view.partials()?;
        let all = self.model.blocks_of(started.shard);
        let before = self.model.covered(started.shard, &seen);
        let stop_in = started.worker.stop_in.unwrap_or(u64::MAX) as usize;
        let todo = all.difference(&before).take(stop_in).copied();
        Some(Reading {
            is_complete: self.model.complete(started.shard, &seen).is_some(),
            expected: before.iter().copied().chain(todo).collect(),
            before,
        })
    }

    /// Settles a worker that has ended; one that is held up waits.
    pub(super) async fn go_on(&mut self, started: Started) {
        if started.outcome.is_some() {
            let (mut started, outcome) = self.outcome(started).await;
            self.settle(&mut started, &outcome).await;
            if started.worker.sight.held_at.is_none() {
                self.check_outcome(&started, &outcome);
            }
        } else {
            self.tell("held up");
            self.held.push_back(started);
        }
    }

    pub(super) async fn release_oldest(&mut self) {
        let Some(started) = self.held.pop_front() else {
            return;
        };
        started.view.release();
        let (mut started, outcome) = self.outcome(started).await;
        if started.reading.is_none() {
            started.reading = self.reading(&started);
        }
        self.settle(&mut started, &outcome).await;
    }

    pub(super) async fn outcome(
        &mut self,
        mut started: Started,
    ) -> (Started, Result<Worked, Error>) {
        let outcome = match started.outcome.take() {
            Some(outcome) => outcome,
            None => (&mut started.task).await.unwrap(),
        };
        (started, outcome)
    }

    pub(super) async fn settle_two(
        &mut self,
        one: (Started, Result<Worked, Error>),
        other: (Started, Result<Worked, Error>),
    ) {
        // Whether one saw what the other wrote is a matter of luck. Neither is stopped, so that both write all.
        for (mut started, outcome) in [one, other] {
            if started.view.partials().is_some() {
                started.reading = Some(Reading {
                    before: BTreeSet::new(),
                    is_complete: false,
                    expected: self.model.blocks_of(started.shard),
                });
            }
            self.settle(&mut started, &outcome).await;
        }
    }

    /// Enters what a worker wrote since the last time.
    pub(super) async fn note(&mut self, started: &mut Started) {
        let shard = started.shard;
        let landed = started.view.landed();
        for key in &landed[started.noted..] {
            if key.starts_with("started/") {
                assert!(self.plan.at_most_once);
                assert!(
                    self.model.started.insert(shard),
                    "shard {shard} was claimed twice"
                );
                self.tell("claimed");
            } else if key.starts_with("partials/") {
                let reading = started.reading.as_ref().expect("it looked before it wrote");
                self.publish(key, shard, reading.expected.clone()).await;
            } else if key == "stopped.json" {
                assert!(self.plan.policy.fail_fast);
                self.model.is_stopped = true;
                self.tell("failed fast");
            } else {
                assert!(
                    key.starts_with("attempts/") || key.starts_with("builds/"),
                    "{key}"
                );
            }
        }
        started.noted = landed.len();
    }

    /// Compares how a worker ended with what it left.
    pub(super) async fn settle(&mut self, started: &mut Started, outcome: &Result<Worked, Error>) {
        self.note(started).await;
        let wrote = |key: &String| key.starts_with("partials/");
        let wrote = started.view.landed().iter().any(wrote);
        self.tell(match outcome {
            Ok(worked) if worked.blocks_before == worked.blocks && !wrote => "found it done",
            Ok(worked) if worked.blocks_before > 0 => "did the rest",
            Ok(_) => "did all",
            Err(Error::Stopped { done: 0, .. }) => "stopped with nothing",
            Err(Error::Stopped { .. }) => "stopped with a part",
            Err(Error::RunStopped { .. }) => "met a stopped run",
            Err(Error::StartedBefore { .. }) => "met a claim",
            Err(_) if wrote => "died after it published",
            Err(_) => "died before it published",
        });
        let shard = started.shard;
        let has_stopped = started
            .view
            .landed()
            .iter()
            .any(|key| key == "stopped.json");
        assert!(!has_stopped || outcome.is_err());
        if let Ok(worked) = outcome {
            let published = &self.model.partials[&worked.partial];
            assert_eq!(published.blocks, self.model.blocks_of(shard));
            assert_eq!(worked.blocks, published.blocks.len() as u64);
        }
        if started.driver.is_some() && started.view.is_dead() && self.attempts.is_multiple_of(2) {
            // As an engine does that sees how a process ends.
            let run = self.run().await;
            let death = Death::default();
            run.record_death(shard, &started.attempt, death)
                .await
                .unwrap();
        }
    }

    /// Whether a worker that nothing happened to ended as it should.
    pub(super) fn check_outcome(&self, started: &Started, outcome: &Result<Worked, Error>) {
        let begun = started.begun.load(Ordering::Relaxed);
        let landed = started.view.landed();
        let wrote = landed.iter().any(|key| key.starts_with("partials/"));
        let sight = started.worker.sight;
        if sight.fate != Fate::Lives {
            return;
        }
        match (outcome, &started.reading) {
            (Err(Error::RunStopped { .. }), None) => assert!(started.was_stopped),
            (Err(Error::StartedBefore { .. }), _) => {
                assert!(self.plan.at_most_once && started.was_started);
                assert_eq!(begun, 0);
            }
            (Err(Error::Input(reason)), None) => assert!(
                sight.lag > 0
                    && (reason.contains("not planned to the end")
                        || reason.contains("does not exist")),
                "{reason}"
            ),
            (ended, Some(reading)) => {
                let todo = reading.expected.len() - reading.before.len();
                assert!(!started.was_stopped);
                assert!(!started.was_started || todo == 0);
                assert_eq!(
                    begun, todo as u64,
                    "it ran what was done, or left out what was not"
                );
                let is_all = reading.expected == self.model.blocks_of(started.shard);
                match ended {
                    Ok(worked) => {
                        assert!(is_all);
                        assert_eq!(wrote, !reading.is_complete);
                        assert_eq!(worked.blocks_before, reading.before.len() as u64);
                    }
                    Err(Error::Stopped { done, .. }) => {
                        assert!(!is_all);
                        assert_eq!(*done, reading.expected.len() as u64);
                        assert_eq!(wrote, *done > 0);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            (outcome, None) => panic!("{outcome:?}"),
        }
    }

    /// Enters what was published, which must be what a quiet worker publishes of these blocks.
    pub(super) async fn publish(&mut self, key: &str, shard: u32, blocks: BTreeSet<u64>) {
        let dealt = self.model.segment_of(shard);
        let encoded = self.quiet.partial(dealt, shard, &blocks).await;
        assert_eq!(
            key,
            key_of(shard, encoded.blocks, &encoded.sha256),
            "other bytes of {blocks:?}"
        );
        let published = Published {
            shard,
            blocks,
            is_damaged: false,
        };
        let before = self.model.partials.insert(key.to_owned(), published);
        match before {
            None => {}
            Some(before) if before.is_damaged => self.tell("mended"),
            Some(_) => self.tell("published again"),
        }
    }

    pub(super) async fn checkpoint(&mut self, shard: u32, mask: u64) {
        let all = self.model.blocks_of(shard);
        let first = all.first().copied().unwrap();
        let blocks: BTreeSet<u64> = all
            .into_iter()
            .filter(|block| mask >> (block - first) & 1 == 1)
            .collect();
        // Where none may start twice, nobody checkpoints whom the model did not see start.
        if blocks.is_empty() || self.plan.at_most_once {
            return;
        }
        let dealt = self.model.segment_of(shard);
        let encoded = self.quiet.partial(dealt, shard, &blocks).await;
        let key = key_of(shard, encoded.blocks, &encoded.sha256);
        let view = View::new(&self.land, Sight::CLEAR);
        view.put(&format!("{RUN}/{key}"), encoded.bytes)
            .await
            .unwrap();
        self.publish(&key, shard, blocks).await;
    }
}

fn key_of(shard: u32, blocks: u64, sha256: &Digest) -> String {
    format!("partials/{shard:05}-{blocks}-{sha256}.arrow")
}
