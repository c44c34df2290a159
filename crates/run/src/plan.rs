//! Makes a run, or finds the one that is there.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use croupier_compute::Grid;
use croupier_store::{Placed, Prefixed, Store, honours_put_if_absent};
use rand::TryRng;
use rand::rngs::SysRng;

use crate::cases::Case;
use crate::manifest::{FORMAT, Manifest, Segment, encode, parse, read_segments};
use crate::random::random_id;
use crate::{Error, FailedSamplesLimit, Identity, InputSource, Policy, Until, check_name, layout};

/// What a run is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What its numbers are a function of.
    pub identity: Identity,
    /// How many samples.
    pub samples: u64,
    /// How many shards they are dealt to.
    pub shards: u32,
    /// Where inputs were read from.
    pub inputs: InputSource,
    /// How many holes the result may have.
    pub policy: Policy,
    /// How many samples may fail.
    pub failed_samples: FailedSamplesLimit,
    /// Whether no shard may be started twice.
    pub at_most_once: bool,
    /// When it is precise enough: then `samples` is how many it begins with.
    pub until: Option<Until>,
}

/// A run in a store.
#[derive(Clone, Debug)]
pub struct StoredRun {
    pub(crate) store: Arc<Prefixed<Arc<dyn Store>>>,
    /// The run that it is a case of.
    pub(crate) case: Option<Case>,
    /// What it is.
    pub manifest: Manifest,
    /// How it is dealt; the first is what was planned, the others extend it.
    pub segments: Vec<Segment>,
}

/// What planning found.
#[derive(Debug)]
pub struct Planned {
    /// The run.
    pub run: StoredRun,
    /// Whether it was made now; otherwise it was there and is the same.
    pub is_new: bool,
    /// Whether the store keeps its word on conditional puts. Asked only where the run is new.
    pub honours_put_if_absent: Option<bool>,
}

impl StoredRun {
    /// What a person can paste back as `--run`.
    pub fn uri(&self) -> String {
        self.store.uri()
    }

    /// The run's own folder, as a store.
    pub fn folder(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as _
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.manifest.run
    }

    /// Looks whether it was extended meanwhile.
    ///
    /// # Errors
    ///
    /// What can't be read; what the store reports.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let segments = read_segments(&*self.store, &self.manifest.identity).await?;
        if segments.len() > self.segments.len() {
            self.segments = segments;
        }
        Ok(())
    }

    /// How many shards it is dealt to, over all segments.
    pub fn shards(&self) -> u32 {
        self.segments
            .last()
            .map_or(0, |segment| segment.first_shard + segment.shards)
    }

    /// The segment that `shard` is in, and that segment's grid.
    ///
    /// # Errors
    ///
    /// Where the run has no such shard.
    pub fn segment_of(&self, shard: u32) -> Result<(Segment, Grid), Error> {
        let segment = self
            .segments
            .iter()
            .find(|segment| {
                (segment.first_shard..segment.first_shard + segment.shards).contains(&shard)
            })
            .ok_or_else(|| {
                Error::Input(format!(
                    "shard {shard} does not exist: run {} has {} shards, 0 to {}",
                    self.name(),
                    self.shards(),
                    self.shards().saturating_sub(1)
                ))
            })?;
        Ok((segment.clone(), segment.grid(&self.manifest.identity)?))
    }

    /// Seconds since it was planned, by the clocks of whoever planned it and of this machine.
    pub(crate) fn seconds_since_planned(&self) -> f64 {
        let planned = DateTime::parse_from_rfc3339(&self.manifest.created);
        planned.map_or(0.0, |planned| {
            let since = Utc::now().signed_duration_since(planned);
            since.num_milliseconds().max(0) as f64 / 1000.0
        })
    }

    /// One past the run's last sample.
    pub fn samples(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.end_sample)
    }
}

/// Plans the run `name` in `store`, or finds the same run there.
///
/// Harmless at any number of places at once, and when repeated after being interrupted.
///
/// # Errors
///
/// [`Error::Taken`] where `name` is another run; what is wrong with the plan; what the store reports.
pub async fn plan(store: &Arc<dyn Store>, name: &str, plan: &Plan) -> Result<Planned, Error> {
    check_name(name)?;
    let store = Arc::new(Prefixed::new(Arc::clone(store), name)?);
    plan_in(store, name, plan, None).await
}

/// The same in the folder `store`. Of a case it is known what the store does with conditional puts.
pub(crate) async fn plan_in(
    store: Arc<Prefixed<Arc<dyn Store>>>,
    name: &str,
    plan: &Plan,
    case: Option<Case>,
) -> Result<Planned, Error> {
    let segment = first_segment(plan)?;
    let there = match store.get(layout::MANIFEST).await {
        Ok(bytes) => Some(bytes),
        Err(croupier_store::Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let mut honours = None;
    let (manifest, is_new) = match there {
        Some(bytes) => (parse(&key_of(&store, layout::MANIFEST), &bytes)?, false),
        None => {
            if case.is_none() {
                refuse_cases(&store, name).await?;
                honours = Some(probed(&*store, plan.at_most_once).await?);
            }
            place_manifest(&store, name, plan).await?
        }
    };
    let mut differences = manifest.identity.differences(&plan.identity);
    if manifest.at_most_once != plan.at_most_once {
        let said = |at_most_once| {
            if at_most_once {
                "at most once"
            } else {
                "any number of times"
            }
        };
        differences.push(format!(
            "its shards start {}, expected {}",
            said(manifest.at_most_once),
            said(plan.at_most_once)
        ));
    }
    if manifest.until != plan.until {
        let said = |until: &Option<Until>| match until {
            Some(until) => format!("until {until}"),
            None => "with the samples that it has".to_owned(),
        };
        differences.push(format!(
            "it is done {}, expected {}",
            said(&manifest.until),
            said(&plan.until)
        ));
    }
    if differences.is_empty() {
        let segment = place_segment(&store, segment, &mut differences).await?;
        if differences.is_empty() {
            let mut segments = match case {
                // A case never has another.
                Some(_) if is_new => Vec::new(),
                _ => read_segments(&*store, &manifest.identity).await?,
            };
            if segments.is_empty() {
                // Also of a store whose lists lag what was just placed is known.
                segments.push(segment);
            }
            let run = StoredRun {
                store,
                case,
                manifest,
                segments,
            };
            return Ok(Planned {
                run,
                is_new,
                honours_put_if_absent: honours,
            });
        }
    }
    Err(Error::Taken {
        name: name.to_owned(),
        differences,
    })
}

/// A seed that nobody chose, from the operating system.
///
/// # Errors
///
/// Where the system gives none.
pub fn drawn_seed() -> Result<u64, Error> {
    SysRng
        .try_next_u64()
        .map_err(|error| Error::Input(format!("no seed could be drawn ({error}): give one")))
}

/// Refuses a name that is a run of cases.
async fn refuse_cases(store: &dyn Store, name: &str) -> Result<(), Error> {
    match store.get(layout::CASES).await {
        Err(croupier_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Error::Taken {
            name: name.to_owned(),
            differences: vec!["it is a run of cases, expected one run".to_owned()],
        }),
    }
}

/// Whether the store keeps its word on conditional puts; refused where a run rests on that.
pub(crate) async fn probed(store: &dyn Store, at_most_once: bool) -> Result<bool, Error> {
    let honoured = honours_put_if_absent(store, "probe").await?;
    if at_most_once && !honoured {
        return Err(Error::Input(format!(
            "--at-most-once: {} ignores conditional puts, so two workers could both start a shard there; use another store",
            store.uri()
        )));
    }
    Ok(honoured)
}

fn first_segment(plan: &Plan) -> Result<Segment, Error> {
    if let (Some(domain), Some(_)) = (plan.identity.domain, &plan.until) {
        return Err(Error::Input(format!(
            "--until: the parameters fix the number of samples at {domain}, so it can't grow until it is precise enough"
        )));
    }
    let length = plan.identity.block_length;
    let grid = Grid::new(length, 0, plan.samples)?;
    if let Some(domain) = plan.identity.domain
        && domain != plan.samples
    {
        return Err(Error::Input(format!(
            "{} samples: the parameters fix their number at {domain}",
            plan.samples
        )));
    }
    if plan.shards == 0 {
        return Err(Error::Input(
            "no shards: a run needs at least one".to_owned(),
        ));
    }
    if u64::from(plan.shards) > grid.block_count() {
        return Err(Error::Input(format!(
            "{} shards for {} blocks: a shard needs at least one block of {} samples; ask for at most {} shards, or shorter blocks with --block",
            plan.shards,
            grid.block_count(),
            length.samples(),
            grid.block_count()
        )));
    }
    Ok(Segment {
        format: FORMAT,
        croupier: env!("CARGO_PKG_VERSION").to_owned(),
        first_block: 0,
        end_sample: plan.samples,
        first_shard: 0,
        shards: plan.shards,
    })
}

async fn place_manifest(
    store: &Prefixed<Arc<dyn Store>>,
    name: &str,
    plan: &Plan,
) -> Result<(Manifest, bool), Error> {
    let manifest = Manifest {
        format: FORMAT,
        croupier: env!("CARGO_PKG_VERSION").to_owned(),
        run: name.to_owned(),
        id: random_id(),
        created: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        identity: plan.identity.clone(),
        inputs: plan.inputs.clone(),
        policy: plan.policy,
        failed_samples: plan.failed_samples,
        at_most_once: plan.at_most_once,
        until: plan.until.clone(),
    };
    let bytes = encode(layout::MANIFEST, &manifest)?;
    match store.put_if_absent(layout::MANIFEST, bytes).await? {
        Placed::Written | Placed::Identical => Ok((manifest, true)),
        Placed::Different(there) => Ok((parse(&key_of(store, layout::MANIFEST), &there)?, false)),
    }
}

/// Places the first segment, or says how the one that is there differs.
async fn place_segment(
    store: &Prefixed<Arc<dyn Store>>,
    segment: Segment,
    differences: &mut Vec<String>,
) -> Result<Segment, Error> {
    let key = layout::segment(0);
    let Placed::Different(there) = store.put_if_absent(&key, encode(&key, &segment)?).await? else {
        return Ok(segment);
    };
    let there: Segment = parse(&key_of(store, &key), &there)?;
    for (what, there, here) in [
        ("samples", there.end_sample, segment.end_sample),
        ("shards", there.shards.into(), segment.shards.into()),
    ] {
        if there != here {
            differences.push(format!("{what} is {there}, expected {here}"));
        }
    }
    Ok(there)
}

fn key_of(store: &Prefixed<Arc<dyn Store>>, key: &str) -> String {
    format!("{}/{key}", store.uri())
}
