//! From arguments, or from a run's manifest, to a kernel that is ready to draw samples.

use chrono::Utc;
use clap::ArgMatches;
use clap::parser::ValueSource;
use croupier_compute::{BlockLength, Inputs};
use croupier_run::{Identity, InputDigests, InputSource, Manifest, Plan, StoredRun, load_inputs};
use croupier_store::Options;

use crate::flags::{PlanFlags, StoreFlags};
use crate::grammar::SAMPLE_FLAGS;
use crate::kind::{Instance, Kind};
use crate::{CliError, run_uri};

/// A kernel that is validated and prepared, and the plan it was made for.
pub(crate) struct Planned {
    pub(crate) kernel: Box<dyn Instance>,
    pub(crate) plan: Plan,
    pub(crate) name: String,
    pub(crate) seed_was_drawn: bool,
    pub(crate) policy_was_given: bool,
}

/// The kernel and the plan that the command line asks for.
pub(crate) async fn from_flags(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &PlanFlags,
    store: &StoreFlags,
) -> Result<Planned, CliError> {
    let mut kernel = kind
        .read_flags(matches)
        .map_err(|error| CliError::Parameters(error.into()))?;
    let flags = &flags_for(kind, matches, flags)?;
    // Whoever calls again for a run without saying its seed means the one that was drawn for it.
    let planned = match &flags.name {
        Some(name) if flags.seed.is_none() && !kind.is_task() => {
            croupier_run::planned_seed(&run_uri::open_store(store).await?, name).await?
        }
        _ => None,
    };
    let seed_was_drawn = flags.seed.is_none() && planned.is_none() && !kind.is_task();
    let seed = match flags.seed.or(planned) {
        Some(seed) => seed,
        None if kind.is_task() => 0,
        None => croupier_run::drawn_seed()?,
    };
    let loaded = load(kind, unique(&flags.input)?, &run_uri::options(store)).await?;
    let plan = plan_of(kind, &mut *kernel, flags, seed, &loaded)?;
    let name = match &flags.name {
        Some(name) => name.clone(),
        None => default_name(kind)?,
    };
    croupier_run::check_name(&name)?;
    Ok(Planned {
        kernel,
        plan,
        name,
        seed_was_drawn,
        policy_was_given: flags.policy.is_some(),
    })
}

/// Inputs that were read, where they were, and their digests.
pub(crate) struct Loaded {
    sources: InputSource,
    inputs: Inputs,
    digests: InputDigests,
}

/// Reads the inputs.
pub(crate) async fn load(
    kind: &dyn Kind,
    sources: InputSource,
    options: &Options,
) -> Result<Loaded, CliError> {
    let (inputs, digests) = load_inputs(kind.inputs(), &sources, options).await?;
    Ok(Loaded {
        sources,
        inputs,
        digests,
    })
}

/// Validates and prepares a kernel, and plans for it what the flags say.
pub(crate) fn plan_of(
    kind: &dyn Kind,
    kernel: &mut dyn Instance,
    flags: &PlanFlags,
    seed: u64,
    loaded: &Loaded,
) -> Result<Plan, CliError> {
    validate(kernel)?;
    let domain = kernel.domain().map_err(|failure| CliError::Kernel {
        what: "the parameters do not say how many samples there are",
        failure,
    })?;
    let samples = match (domain, flags.samples) {
        (Some(domain), _) if flags.until.are_given() => {
            return Err(CliError::Usage(format!(
                "--until: the parameters fix the number of samples at {domain}, so it can't grow until it is precise enough"
            )));
        }
        (None, samples) if flags.until.are_given() => samples,
        (None, Some(samples)) => Some(samples),
        (None, None) => {
            return Err(CliError::Usage(
                "how many samples? give --samples, such as --samples 1e6, or a precision, such as --until rel=1e-3".to_owned(),
            ));
        }
        (Some(domain), None) => Some(domain),
        (Some(domain), Some(samples)) if samples == domain => Some(domain),
        (Some(domain), Some(samples)) => {
            return Err(CliError::Usage(format!(
                "--samples {samples}: the parameters fix the number of samples at {domain}; leave --samples out"
            )));
        }
    };
    let length =
        BlockLength::new(flags.block.unwrap_or(kind.block())).map_err(croupier_run::Error::from)?;
    prepare(kernel, loaded)?;
    let shards = flags.shards.unwrap_or(1);
    let until = flags.until.of(kernel)?;
    let samples = match &until {
        Some(until) => until.first_samples(samples, length, shards)?,
        None => samples.unwrap_or_default(),
    };
    let plan = Plan {
        identity: kernel.identity(seed, length, loaded.digests.clone())?,
        samples,
        shards,
        inputs: loaded.sources.clone(),
        policy: flags.policy.unwrap_or_default(),
        at_most_once: flags.at_most_once,
        until,
        failed_samples: flags.failed_samples.unwrap_or_default(),
    };
    if croupier_compute::engine::PANICS_ABORT && plan.failed_samples.of(samples) > 0 {
        return Err(CliError::Program(
            "--failed-samples: this program is built with panic = \"abort\", so a sample that panics can't be left out; build it with panic = \"unwind\"".to_owned(),
        ));
    }
    Ok(plan)
}

/// The kernel of a run that is there. Inputs may be read from elsewhere: their digests count.
pub(crate) async fn from_run(
    kind: &dyn Kind,
    run: &StoredRun,
    inputs: &[(String, String)],
    options: &Options,
) -> Result<Box<dyn Instance>, CliError> {
    let (kind, mut kernel) = from_manifest(kind, &run.manifest)?;
    let mut sources = run.manifest.inputs.clone();
    sources.extend(unique(inputs)?);
    let loaded = load(kind, sources, options).await?;
    prepare(&mut *kernel, &loaded)?;
    let here = identity(&*kernel, &run.manifest, loaded.digests)?;
    refuse(run, &here)?;
    Ok(kernel)
}

/// Checks that a run is one of this program's, for what draws no sample: then it does not matter how this program
/// would draw, nor are inputs read.
pub(crate) fn check_run(kind: &dyn Kind, run: &StoredRun) -> Result<(), CliError> {
    let (_, kernel) = from_manifest(kind, &run.manifest)?;
    let planned = &run.manifest.identity;
    let here = identity(&*kernel, &run.manifest, planned.inputs.clone())?;
    let here = Identity {
        kernel: here.kernel,
        version: here.version,
        parameters: here.parameters,
        ..planned.clone()
    };
    refuse(run, &here)
}

fn from_manifest<'k>(
    kind: &'k dyn Kind,
    manifest: &Manifest,
) -> Result<(&'k dyn Kind, Box<dyn Instance>), CliError> {
    let identity = &manifest.identity;
    let Some(kind) = kind.named(&identity.kernel) else {
        return Err(foreign(
            &manifest.run,
            vec![format!(
                "kernel is {:?}, expected {:?}",
                identity.kernel,
                kind.name()
            )],
        ));
    };
    let kernel = kind
        .read_parameters(&identity.parameters)
        .map_err(|error| {
            foreign(
                &manifest.run,
                vec![format!("its parameters are not this program's: {error}")],
            )
        })?;
    validate(&*kernel)?;
    Ok((kind, kernel))
}

/// The identity that a run would have, were it planned by this program.
fn identity(
    kernel: &dyn Instance,
    manifest: &Manifest,
    digests: InputDigests,
) -> Result<Identity, CliError> {
    let planned = &manifest.identity;
    Ok(kernel.identity(planned.seed, planned.block_length, digests)?)
}

fn refuse(run: &StoredRun, here: &Identity) -> Result<(), CliError> {
    let differences = run.manifest.identity.differences(here);
    if differences.is_empty() {
        Ok(())
    } else {
        Err(foreign(run.name(), differences))
    }
}

fn foreign(run: &str, differences: Vec<String>) -> CliError {
    CliError::Run(croupier_run::Error::Foreign {
        what: format!("run {run}"),
        differences,
        advice: "use the program, version and inputs that planned it",
    })
}

/// The flags, for a task without what is about samples: what the environment says of it to all programs is passed over.
pub(crate) fn flags_for(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &PlanFlags,
) -> Result<PlanFlags, CliError> {
    if !kind.is_task() {
        return Ok(flags.clone());
    }
    let is_given = |id: &&&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    if let Some(id) = SAMPLE_FLAGS.iter().find(is_given) {
        return Err(CliError::Usage(format!(
            "--{}: {} is a task, which draws no samples; leave it out",
            id.replace('_', "-"),
            kind.name()
        )));
    }
    Ok(PlanFlags {
        samples: None,
        seed: None,
        shards: None,
        block: None,
        failed_samples: None,
        ..flags.clone()
    })
}

fn validate(kernel: &dyn Instance) -> Result<(), CliError> {
    kernel.validate().map_err(|failure| CliError::Kernel {
        what: "the parameters are refused",
        failure,
    })
}

fn prepare(kernel: &mut dyn Instance, loaded: &Loaded) -> Result<(), CliError> {
    kernel
        .prepare(&loaded.inputs)
        .map_err(|failure| CliError::Kernel {
            what: "the kernel could not be prepared",
            failure,
        })
}

pub(crate) fn unique(inputs: &[(String, String)]) -> Result<InputSource, CliError> {
    let mut sources = InputSource::new();
    for (name, uri) in inputs {
        if sources.insert(name.clone(), uri.clone()).is_some() {
            return Err(CliError::Usage(format!("--input {name} was given twice")));
        }
    }
    Ok(sources)
}

/// `<kernel>-<UTC>-<4 hex>`
pub(crate) fn default_name(kind: &dyn Kind) -> Result<String, CliError> {
    let digits = croupier_run::drawn_seed()? & 0xffff;
    let time = Utc::now().format("%Y%m%dT%H%M%SZ");
    Ok(format!("{}-{time}-{digits:04x}", kind.name()))
}
