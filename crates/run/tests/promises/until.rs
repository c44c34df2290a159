//! Runs that go on until they are precise enough: looks that decide once, and the bits of one run.

use std::sync::Arc;

use croupier_compute::{Kernel, Mean, Proportion, Stream, pinned};
use croupier_run::{
    Ending, Policy, ReduceOptions, Reduced, StoredRun, Until, Verdict, open, plan, reduce,
};
use croupier_store::Store;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::support::{NORMAL, finished, memory, plan_of, reduced, work_all};

fn until(aims: &[&str]) -> Until {
    let aims = aims.iter().map(|aim| aim.parse().unwrap()).collect();
    Until::new(aims).named(&["normal".to_owned()]).unwrap()
}

/// Begins with four blocks of 64 samples.
async fn planned(store: &Arc<dyn Store>, shards: u32, until: Until) -> StoredRun {
    let mut plan_of_it = plan_of(&NORMAL, 256, shards);
    plan_of_it.until = Some(until);
    plan(store, "demo", &plan_of_it).await.unwrap().run
}

/// Works on what is planned and looks, until there is nothing more to do.
async fn drive(run: &mut StoredRun) -> Reduced<Mean> {
    let mut first = 0;
    loop {
        work_all(run, Arc::new(NORMAL), first..run.shards()).await;
        first = run.shards();
        let reduced = reduced(run).await;
        if !run.go_on(&reduced.report).await.unwrap() {
            return reduced;
        }
    }
}

#[tokio::test]
async fn a_run_grows_until_it_is_precise_and_has_the_bits_of_one_run() {
    let store = memory();
    let mut run = planned(&store, 3, until(&["rel=0.02"])).await;
    let driven = drive(&mut run).await;
    assert_eq!(driven.verdict, Verdict::Accepted);
    let report = driven.report;
    let look_of = report.until.as_ref().unwrap();
    assert!(look_of.met && look_of.looks.len() > 1);
    assert_eq!(look_of.looks.len(), run.segments.len());
    for (look, segment) in look_of.looks.iter().zip(&run.segments) {
        assert_eq!(look.samples, segment.end_sample);
        assert_eq!(segment.end_sample % 64, 0, "a short block is drawn twice");
        let is_last = segment.end_sample == run.samples();
        assert_eq!(look.ended, is_last.then_some(Ending::Met));
        assert_eq!(look.goes_on_to.is_none(), is_last);
    }
    let estimate = &report.estimates[0];
    let value = estimate.value.unwrap();
    assert!(estimate.high.unwrap() - value <= 0.02 * value);
    let ordinary = &look_of.intervals[0];
    assert_eq!(
        ordinary.method.as_deref(),
        Some("asymptotic confidence sequence")
    );
    let widths = [
        estimate.high.unwrap() - estimate.low.unwrap(),
        ordinary.ordinary_high.unwrap() - ordinary.ordinary_low.unwrap(),
    ];
    assert!(widths[0] > 1.4 * widths[1], "{widths:?}");
    let at_once = reduced(&finished(&memory(), run.samples(), 1).await).await;
    assert_eq!(report.digest, at_once.report.digest);
    assert_eq!(driven.tally, at_once.tally);
}

#[tokio::test]
async fn a_first_error_sizes_the_next_segment() {
    let store = memory();
    // 3.6 standard errors at 256 samples are 0.23: a half of that takes about four times as many.
    let mut run = planned(&store, 1, until(&["abs=0.1"])).await;
    let report = drive(&mut run).await.report;
    let looks = report.until.unwrap().looks;
    assert!(looks.len() <= 3, "{looks:?}");
    assert!((900..2000).contains(&run.samples()), "{}", run.samples());
}

#[tokio::test]
async fn two_drivers_at_once_decide_the_same_once() {
    let store = memory();
    let mut one = planned(&store, 2, until(&["rel=0.01"])).await;
    work_all(&one, Arc::new(NORMAL), 0..2).await;
    let mut other = one.clone();
    let report = reduced(&one).await.report;
    let mut late = report.clone();
    // The other one saw a hole, say, and would decide otherwise.
    let look = late.until.as_mut().unwrap().looks.last_mut().unwrap();
    look.goes_on_to = Some(512);
    assert!(one.go_on(&report).await.unwrap());
    assert!(other.go_on(&late).await.unwrap());
    assert_eq!(one.segments, other.segments);
    assert_eq!(one.looks().await.unwrap(), report.until.unwrap().looks);
}

#[tokio::test]
async fn a_driver_that_was_killed_after_its_look_is_taken_up() {
    let store = memory();
    let mut run = planned(&store, 2, until(&["rel=0.01"])).await;
    work_all(&run, Arc::new(NORMAL), 0..2).await;
    let own = reduced(&run).await.report;
    // The one that was killed saw a hole, say, and decided otherwise.
    let mut killed = own.clone();
    let look = killed.until.as_mut().unwrap().looks.last_mut().unwrap();
    look.goes_on_to = Some(512);
    assert!(run.go_on(&killed).await.unwrap());
    store.delete("demo/segments/1.json").await.unwrap();
    let mut again = open(&store, "demo").await.unwrap();
    assert_eq!(again.segments.len(), 1);
    assert!(!again.is_over().await.unwrap());
    let shown = reduced(&again).await.report;
    assert_eq!(shown.until.unwrap().looks, killed.until.unwrap().looks);
    assert!(again.go_on(&own).await.unwrap());
    assert_eq!(again.segments, run.segments);
    let driven = drive(&mut again).await;
    assert_eq!(driven.verdict, Verdict::Accepted);
    assert!(again.is_over().await.unwrap());
    // And once more changes nothing.
    let mut once_more = open(&store, "demo").await.unwrap();
    let same = reduced(&once_more).await.report;
    assert!(!once_more.go_on(&same).await.unwrap());
    assert_eq!(same.until, driven.report.until);
}

#[tokio::test]
async fn maxima_end_a_run_that_is_not_accepted() {
    let store = memory();
    let most = Until {
        max_samples: Some(1000),
        ..until(&["rel=1e-4"])
    };
    let mut run = planned(&store, 2, most).await;
    let driven = drive(&mut run).await;
    assert_eq!(
        (driven.verdict, run.samples()),
        (Verdict::Imprecise, 1000),
        "exactly as many"
    );
    let refused = driven.report.refused.unwrap();
    for said in ["normal:rel=1e-4", "--max-samples"] {
        assert!(refused.contains(said), "{refused}");
    }
    let looks = driven.report.until.unwrap().looks;
    assert_eq!(looks.last().unwrap().ended, Some(Ending::MaxSamples));
    assert!(!driven.report.accepted && driven.tally.is_some());

    let store = memory();
    let most = Until {
        max_seconds: Some(1e-9),
        ..until(&["rel=1e-4"])
    };
    let mut run = planned(&store, 2, most).await;
    let driven = drive(&mut run).await;
    let looks = driven.report.until.unwrap().looks;
    assert_eq!(looks.len(), 1);
    assert_eq!(looks[0].ended, Some(Ending::MaxTime));
}

#[tokio::test]
async fn a_hole_is_for_the_policy_first() {
    let mut tolerant = plan_of(&NORMAL, 256, 4);
    tolerant.until = Some(until(&["abs=1"]));
    for (policy, decides) in [("complete", false), ("tolerate=1", true)] {
        let store = memory();
        tolerant.policy = policy.parse::<Policy>().unwrap();
        let mut run = plan(&store, "demo", &tolerant).await.unwrap().run;
        work_all(&run, Arc::new(NORMAL), [0, 1, 3]).await;
        let reduced = reduced(&run).await;
        assert_eq!(reduced.report.until.as_ref().unwrap().met, decides);
        assert!(!run.go_on(&reduced.report).await.unwrap());
        assert_eq!(run.is_over().await.unwrap(), decides, "{policy}");
        let looks = run.looks().await.unwrap();
        assert_eq!(looks.len(), usize::from(decides));
        let verdict = if decides {
            assert_eq!(looks[0].samples, 192);
            Verdict::Accepted
        } else {
            Verdict::Refused
        };
        assert_eq!(reduced.verdict, verdict);
    }
}

#[tokio::test]
async fn a_run_that_was_stopped_does_not_grow() {
    let store = memory();
    let mut run = planned(&store, 2, until(&["rel=0.01"])).await;
    work_all(&run, Arc::new(NORMAL), 0..2).await;
    run.stop(None, "enough".to_owned()).await.unwrap();
    let report = reduced(&run).await.report;
    assert!(!run.go_on(&report).await.unwrap());
    assert_eq!(run.segments.len(), 1);
}

#[tokio::test]
async fn what_cannot_grow_or_is_planned_otherwise_is_refused() {
    let store = memory();
    let mut fixed = plan_of(&NORMAL, 256, 1);
    fixed.identity.domain = Some(256);
    fixed.until = Some(until(&["rel=0.1"]));
    let error = plan(&store, "fixed", &fixed).await.unwrap_err().to_string();
    assert!(
        error.contains("--until") && error.contains("256"),
        "{error}"
    );

    let _ = planned(&store, 1, until(&["rel=0.1"])).await;
    let mut other = plan_of(&NORMAL, 256, 1);
    for asked in [None, Some(until(&["rel=0.2"]))] {
        other.until = asked;
        let error = plan(&store, "demo", &other).await.unwrap_err().to_string();
        assert!(error.contains("until normal:rel=0.1"), "{error}");
    }
    other.until = Some(until(&["rel=0.1"]));
    assert!(!plan(&store, "demo", &other).await.unwrap().is_new);
}

/// Seldom true.
#[derive(Serialize)]
struct Seldom {}

impl Kernel for Seldom {
    type Rng = ChaCha8Rng;
    type Tally = Proportion;
    const BLOCK: u64 = 64;

    fn tally(&self) -> Proportion {
        Proportion::new()
    }

    fn sample(&self, _: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Proportion) {
        tally.record(pinned::uniform(rng) < 0.01);
    }
}

#[tokio::test]
async fn a_proportion_has_a_sequence_that_needs_no_limit() {
    let store = memory();
    let mut plan_of_it = plan_of(&Seldom {}, 256, 1);
    let asked = Until::new(vec!["rel=0.5".parse().unwrap()]);
    plan_of_it.until = Some(asked.named(&["seldom".to_owned()]).unwrap());
    let mut run = plan(&store, "demo", &plan_of_it).await.unwrap().run;
    let mut first = 0;
    let reduced = loop {
        work_all(&run, Arc::new(Seldom {}), first..run.shards()).await;
        first = run.shards();
        let reduced = reduce::<Seldom>(&run, &ReduceOptions::default())
            .await
            .unwrap();
        if !run.go_on(&reduced.report).await.unwrap() {
            break reduced;
        }
    };
    let until = reduced.report.until.unwrap();
    assert!(until.met);
    let method = until.intervals[0].method.as_deref();
    assert_eq!(method, Some("confidence sequence"));
    let [low, high] = [
        reduced.report.estimates[0].low,
        reduced.report.estimates[0].high,
    ];
    assert!(low.unwrap() <= 0.01 && 0.01 <= high.unwrap());
    // Few hits at the first look are no matter here.
    let warnings = reduced.report.warnings.join("\n");
    assert!(!warnings.contains("hits or misses"), "{warnings}");
}

/// Uniform, so that it varies by a third of what `--bounds -1,2` allow.
#[derive(Serialize)]
struct Uniform {}

impl Kernel for Uniform {
    type Rng = ChaCha8Rng;
    type Tally = Mean;
    const BLOCK: u64 = 64;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn sample(&self, _: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Mean) {
        tally.record(pinned::uniform(rng));
    }
}

#[tokio::test]
async fn bounds_are_used_and_so_is_how_little_samples_vary() {
    let store = memory();
    let mut plan_of_it = plan_of(&Uniform {}, 1024, 1);
    let mut asked = Until::new(vec!["abs=0.1".parse().unwrap()]);
    asked.bounds = vec!["-1,2".parse().unwrap()];
    plan_of_it.until = Some(asked.named(&["uniform".to_owned()]).unwrap());
    let run = plan(&store, "demo", &plan_of_it).await.unwrap().run;
    work_all(&run, Arc::new(Uniform {}), 0..1).await;
    let reduced = reduce::<Uniform>(&run, &ReduceOptions::default())
        .await
        .unwrap();
    let until = reduced.report.until.unwrap();
    let interval = &until.intervals[0];
    assert_eq!(interval.method.as_deref(), Some("confidence sequence"));
    // By the bounds alone it is 0.17; without them 3.66 standard errors, 0.033.
    let half_width = interval.half_width.unwrap();
    assert!((0.035..0.07).contains(&half_width), "{half_width}");
    assert!(until.met && until.looks.len() == 1);
}

#[tokio::test]
async fn bounds_that_samples_leave_give_no_interval() {
    let store = memory();
    let outside = Until {
        bounds: vec!["normal:0,3.1".parse().unwrap()],
        max_samples: Some(256),
        ..until(&["rel=0.1"])
    };
    let mut run = planned(&store, 1, outside).await;
    let driven = drive(&mut run).await;
    assert_eq!(driven.verdict, Verdict::Imprecise);
    assert_eq!(driven.report.estimates[0].low, None);
    let warnings = driven.report.warnings.join("\n");
    assert!(warnings.contains("within --bounds"), "{warnings}");
}

#[tokio::test]
async fn few_samples_are_warned_of() {
    for (samples, few) in [(200, true), (256, false)] {
        let report = reduced(&finished(&memory(), samples, 1).await).await.report;
        let said = "`normal` rests on 200 samples";
        let warned = report
            .warnings
            .iter()
            .any(|warning| warning.starts_with(said));
        assert_eq!(warned, few, "{:?}", report.warnings);
    }
}
