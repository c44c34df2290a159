//! Tallies of moments and of several means through partials: as they were, whatever the shards.

use std::sync::Arc;

use croupier_compute::{
    ControlVariate, Covariance, Estimates, Jackknife, Kernel, Misfit, Moments, NotFinite, Ratio,
    Stream, Tally, WeightedMean, WeightedMoments, pinned,
};
use croupier_run::{ReduceOptions, Results, plan, reduce, work};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::support::{memory, options, plan_of};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Statistics {
    moments: Moments,
    weighted_mean: WeightedMean,
    weighted_moments: WeightedMoments,
    covariance: Covariance<3>,
    /// More than the arrays that serde knows.
    many: Covariance<40>,
    control_variate: ControlVariate<2>,
    ratio: Ratio,
    jackknife: Jackknife<2>,
}

impl Tally for Statistics {
    fn begin_block(&mut self, block: u64) {
        self.ratio.begin_block(block);
        self.jackknife.begin_block(block);
    }

    fn merge(&mut self, right: Self) {
        self.moments.merge(right.moments);
        self.weighted_mean.merge(right.weighted_mean);
        self.weighted_moments.merge(right.weighted_moments);
        self.covariance.merge(right.covariance);
        self.many.merge(right.many);
        self.control_variate.merge(right.control_variate);
        self.ratio.merge(right.ratio);
        self.jackknife.merge(right.jackknife);
    }

    fn end_block(&mut self) -> Result<(), NotFinite> {
        self.moments.end_block()?;
        self.weighted_mean.end_block()?;
        self.weighted_moments.end_block()?;
        self.covariance.end_block()?;
        self.many.end_block()?;
        self.control_variate.end_block()?;
        self.ratio.end_block()?;
        self.jackknife.end_block()
    }

    fn fits(&self, right: &Self) -> Result<(), Misfit> {
        self.ratio.fits(&right.ratio)?;
        self.jackknife.fits(&right.jackknife)
    }

    fn estimates(&self, estimates: &mut Estimates) {
        estimates.within("moments", |estimates| self.moments.estimates(estimates));
        estimates.within("ratio", |estimates| self.ratio.estimates(estimates));
        estimates.within("jackknife", |estimates| {
            self.jackknife.push(estimates, |[x, y]| x.exp() / y);
        });
    }
}

#[derive(Serialize)]
struct Statistical {}

impl Kernel for Statistical {
    type Rng = ChaCha8Rng;
    type Tally = Statistics;
    const BLOCK: u64 = 4;

    fn tally(&self) -> Statistics {
        Statistics {
            moments: Moments::new(),
            weighted_mean: WeightedMean::new(),
            weighted_moments: WeightedMoments::new(),
            covariance: Covariance::new(),
            many: Covariance::new(),
            control_variate: ControlVariate::new(),
            ratio: Ratio::new(),
            jackknife: Jackknife::new(),
        }
    }

    fn sample(&self, _: u64, rng: &mut Stream<ChaCha8Rng>, tally: &mut Statistics) {
        let (x, y) = (pinned::normal(rng), pinned::exponential(rng));
        tally.moments.record(x);
        tally.weighted_mean.record(x, y);
        tally.weighted_moments.record(x, y);
        tally.covariance.record([x, y, x * y]);
        tally.many.record(std::array::from_fn(|i| x + i as f64 * y));
        tally.control_variate.record([y + x, x]);
        tally.ratio.record(x, y);
        tally.jackknife.record([x, y]);
    }
}

#[tokio::test]
async fn come_back_as_they_were_and_do_not_know_shards() {
    let mut all = Vec::new();
    for shards in [1, 7] {
        let store = memory();
        let run = plan(
            &store,
            "demo",
            &plan_of(&Statistical {}, 4 * 99 + 3, shards),
        )
        .await
        .unwrap()
        .run;
        for shard in 0..shards {
            work(&run, &Arc::new(Statistical {}), shard, &options(2))
                .await
                .unwrap();
        }
        let reduced = reduce::<Statistical>(&run, &ReduceOptions::default())
            .await
            .unwrap();
        assert!(reduced.report.accepted);
        let warnings = reduced.report.warnings.join("\n");
        assert!(
            !warnings.contains("can't") && !warnings.contains("not known"),
            "{warnings}"
        );
        let read = Results::<Statistics>::read(&run).await.unwrap().tally;
        assert_eq!(Some(&read), reduced.tally.as_ref());
        assert_eq!(read.moments.count(), 399);
        assert_eq!(read.ratio.jackknife().unwrap().groups, 64);
        // A function that nobody thought of when the run was made.
        let later = read
            .jackknife
            .estimate(|[x, y]| x / (x * x + y * y))
            .unwrap();
        assert_eq!((later.groups, later.samples), (64, 399));
        assert!(later.std_error.unwrap() > 0.0);
        all.push((reduced.report.digest, read));
    }
    assert!(all[0] == all[1]);
}
