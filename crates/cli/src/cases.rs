//! Runs of cases: planned from the flags, and each case's kernel made of its own parameters.

mod source;

use std::future::ready;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};
use croupier_fleet::{Explicit, attempt, index};
use croupier_run::{
    CaseSource, CasesWanted, CommonFlags, InputSource, Plan, StoredCases, StoredRun,
};
use croupier_store::Options;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};
use source::Source;

use crate::flags::{PlanFlags, StoreFlags};
use crate::kind::{Instance, Kind};
use crate::parameters::{JsonFlags, JsonText, ParametersError, parse_file};
use crate::setup::{Loaded, default_name, flags_for, load, plan_of, unique};
use crate::until::UntilFlags;
use crate::verbs::ShardVerb;
use crate::{CliError, environment, run_uri};
pub(crate) use source::{lines, numbered};

/// So many cases are read, planned or uploaded at a time.
pub(crate) const AT_ONCE: usize = 32;

/// Where the cases are that a call plans; none where it plans one run. A `shard` takes `--kwargs` for a folder of cases,
/// unless it names a `.json`.
pub(crate) fn source(flags: &PlanFlags, is_shard: bool) -> Result<Option<CaseSource>, CliError> {
    let folder = flags
        .kwargs
        .as_ref()
        .filter(|uri| is_shard && !names_one(uri));
    if flags.until.are_given() && (flags.cases.is_some() || folder.is_some()) {
        return Err(CliError::Usage(
            "--until: cases have a number of samples that is fixed; plan those that are to be precise as runs of their own".to_owned(),
        ));
    }
    match (&flags.cases, folder) {
        (None, None) => Ok(None),
        (Some(_), _) if flags.kwargs.is_some() => Err(CliError::Usage(
            "--cases and --kwargs both say where parameters are: give one of them".to_owned(),
        )),
        (Some(uri), _) if is_lines(uri) => Ok(Some(CaseSource::Lines(uri.clone()))),
        (Some(uri), _) => Ok(Some(CaseSource::Folder(folder_of(uri)))),
        (None, Some(_)) if flags.shards.is_some_and(|shards| shards > 1) => {
            Err(CliError::Usage(
                "--shards: with --kwargs each process of an array runs its case whole; give --cases instead to deal each case to several".to_owned(),
            ))
        }
        (None, Some(uri)) => Ok(Some(CaseSource::Folder(folder_of(uri)))),
    }
}

/// Whether a URI names one object of parameters rather than a folder of them.
pub(crate) fn names_one(uri: &str) -> bool {
    uri.ends_with(".json")
}

fn is_lines(uri: &str) -> bool {
    uri.ends_with(".jsonl") || uri.ends_with(".ndjson")
}

fn folder_of(uri: &str) -> String {
    uri.trim_end_matches('/').to_owned()
}

/// What the flags ask for.
pub(crate) fn wanted(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &PlanFlags,
    source: CaseSource,
) -> Result<CasesWanted, CliError> {
    let flags = flags_for(kind, matches, flags)?;
    Ok(CasesWanted {
        kernel: kind.name(),
        version: kind.version(),
        shards: flags.shards.unwrap_or(1),
        samples: flags.samples,
        seed: flags.seed,
        block: flags.block,
        common: CommonFlags {
            parameters: given(kind, matches, ValueSource::CommandLine)?,
            defaults: given(kind, matches, ValueSource::EnvVariable)?,
        },
        inputs: unique(&flags.input)?,
        policy: flags.policy.unwrap_or_default(),
        failed_samples: flags.failed_samples.unwrap_or_default(),
        at_most_once: flags.at_most_once,
        source,
    })
}

/// Cases that are planned in all that they share.
pub(crate) struct Placed {
    pub(crate) cases: StoredCases,
    pub(crate) is_new: bool,
    pub(crate) seed_was_drawn: bool,
}

/// Plans a run of cases, or finds the same one. The cases themselves are planned one by one.
pub(crate) async fn place(
    kind: &dyn Kind,
    wanted: &CasesWanted,
    name: &str,
    store_flags: &StoreFlags,
) -> Result<Placed, CliError> {
    let store = run_uri::open_store(store_flags).await?;
    if let Some(cases) = StoredCases::open(&store, name).await? {
        cases.refuse_others(wanted)?;
        return Ok(Placed {
            cases,
            is_new: false,
            seed_was_drawn: false,
        });
    }
    let numbers = source::numbers(&wanted.source, &run_uri::options(store_flags)).await?;
    let seed = match wanted.seed {
        Some(seed) => seed,
        None if kind.is_task() => 0,
        None => croupier_run::drawn_seed()?,
    };
    let (cases, honours) = StoredCases::plan(&store, name, wanted, numbers, seed).await?;
    if !honours {
        eprintln!(
            "warning: {} ignores conditional writes (If-None-Match): two plans of one name at the same time would not notice each other; plan once, before the shards start",
            store.uri()
        );
    }
    Ok(Placed {
        cases,
        is_new: true,
        seed_was_drawn: wanted.seed.is_none() && !kind.is_task(),
    })
}

/// What a run of cases is called that this process alone plans.
pub(crate) fn name(kind: &dyn Kind, flags: &PlanFlags) -> Result<String, CliError> {
    flags.name.clone().map_or_else(|| default_name(kind), Ok)
}

/// What a run of cases is called that all processes of an array plan: by `--name`, or by the array's own name.
pub(crate) fn name_of_array(
    kind: &dyn Kind,
    matches: &ArgMatches,
    flags: &ShardVerb,
) -> Result<String, CliError> {
    if let Some(name) = &flags.plan.name {
        return Ok(name.clone());
    }
    let has_index = matches.value_source("index") == Some(ValueSource::CommandLine);
    let explicit = Explicit {
        index: flags.index.clone().filter(|_| has_index),
        from: flags.index_from.clone(),
    };
    let job = index::find(&environment::variable, &explicit)
        .ok()
        .and_then(|found| attempt::array_job(&environment::variable, found.scheduler?));
    let Some(job) = job else {
        return Err(CliError::Usage(
            "nothing tells what this array is called: give --name NAME, the same for all its processes".to_owned(),
        ));
    };
    let plain = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '-',
    };
    let job: String = job.chars().map(plain).take(35).collect();
    Ok(format!("{}-{job}", kind.name()))
}

/// The parameters that came from `source`, as the flags of an object.
fn given(
    kind: &dyn Kind,
    matches: &ArgMatches,
    source: ValueSource,
) -> Result<Map<String, Value>, CliError> {
    let mut given = Map::new();
    for arg in kind.augment(Command::new("kernel")).get_arguments() {
        let id = arg.get_id().as_str();
        if matches.value_source(id) != Some(source) {
            continue;
        }
        let Some(name) = arg.get_long() else {
            return Err(CliError::Usage(format!(
                "{id} has no flag with a name, so it can't be given for all cases: put it into each"
            )));
        };
        let value = match arg.get_action() {
            ArgAction::SetTrue => Value::Bool(matches.get_flag(id)),
            ArgAction::SetFalse => Value::Bool(!matches.get_flag(id)),
            ArgAction::Count => Value::from(matches.get_count(id)),
            _ => {
                let texts = matches.get_raw(id).into_iter().flatten();
                let mut texts: Vec<Value> = texts
                    .map(|text| Value::String(text.to_string_lossy().into_owned()))
                    .collect();
                match texts.len() {
                    1 => texts.remove(0),
                    _ => Value::Array(texts),
                }
            }
        };
        given.insert(name.to_owned(), value);
    }
    Ok(given)
}

/// Makes the kernels of a run's cases.
pub(crate) struct CaseReader<'k> {
    kind: &'k dyn Kind,
    command: Command,
    common: JsonFlags,
    defaults: JsonFlags,
    flags: PlanFlags,
    source_uri: CaseSource,
    source: Source,
    loaded: Loaded,
}

impl<'k> CaseReader<'k> {
    /// Reads what the cases share. `inputs` go before where the run says that its inputs are.
    pub(crate) async fn new(
        kind: &'k dyn Kind,
        wanted: &CasesWanted,
        inputs: &[(String, String)],
        options: &Options,
    ) -> Result<Self, CliError> {
        let command = kind.augment(Command::new("case"));
        let read = |what: &str, flags: &Map<String, Value>| {
            let text = Value::Object(flags.clone()).to_string();
            let text = JsonText::from_bytes(what, text.into())?;
            JsonFlags::read(&command, &text)
        };
        let common = read("the parameters of all cases", &wanted.common.parameters)?;
        let defaults = read("the defaults of all cases", &wanted.common.defaults)?;
        let mut sources: InputSource = wanted.inputs.clone();
        sources.extend(unique(inputs)?);
        let loaded = load(kind, sources, options).await?;
        Ok(Self {
            kind,
            common,
            defaults,
            flags: PlanFlags {
                samples: wanted.samples,
                seed: None,
                shards: Some(wanted.shards),
                block: wanted.block,
                name: None,
                policy: Some(wanted.policy),
                failed_samples: Some(wanted.failed_samples),
                at_most_once: wanted.at_most_once,
                input: Vec::new(),
                kwargs: None,
                cases: None,
                until: UntilFlags::default(),
            },
            source_uri: wanted.source.clone(),
            source: Source::open(&wanted.source, options).await?,
            command,
            loaded,
        })
    }

    /// Reads all cases, so that a bad one is found while nothing has begun.
    pub(crate) async fn check(&self, options: &Options) -> Result<(), CliError> {
        const ANY_SEED: u64 = 0;
        let ranges = source::numbers(&self.source_uri, options).await?;
        let numbers = ranges.iter().flat_map(|range| range.first..=range.last);
        // In order, so that of several bad ones the first is told of.
        stream::iter(numbers)
            .map(|case| self.read(case, ANY_SEED))
            .buffered(AT_ONCE)
            .try_for_each(|_| ready(Ok(())))
            .await
    }

    /// The kernel of `case`, and the plan for it.
    async fn read(&self, case: u32, seed: u64) -> Result<(Box<dyn Instance>, Plan), CliError> {
        let (label, text) = self.source.text(case).await?;
        let own = JsonFlags::read(&self.command, &text)?;
        let matches =
            parse_file(&self.command, &self.common, &own, &self.defaults).map_err(|error| {
                match error {
                    ParametersError::Missing { missing, .. } => ParametersError::Missing {
                        file: label.clone(),
                        missing,
                    },
                    other => other,
                }
            })?;
        let mut kernel = self
            .kind
            .read_flags(&matches)
            .map_err(|error| CliError::Parameters(error.into()))?;
        let planned = plan_of(self.kind, &mut *kernel, &self.flags, seed, &self.loaded);
        let plan = planned.map_err(|error| match error {
            CliError::Kernel { what, failure } => {
                CliError::Usage(format!("{label}: {what}: {failure}"))
            }
            other => other,
        })?;
        Ok((kernel, plan))
    }

    /// Plans all cases, or finds them planned in the same way.
    pub(crate) async fn place_all(&self, cases: &StoredCases) -> Result<(), CliError> {
        stream::iter(cases.manifest.numbers())
            .map(|case| self.place(cases, case))
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| ready(Ok(())))
            .await
    }

    /// Plans `case`, or finds it planned in the same way.
    pub(crate) async fn place(
        &self,
        cases: &StoredCases,
        case: u32,
    ) -> Result<(StoredRun, Box<dyn Instance>), CliError> {
        let (kernel, plan) = self.read(case, cases.manifest.seed()?).await?;
        Ok((cases.plan_case(case, &plan).await?.run, kernel))
    }
}

/// The kind of which the cases are.
pub(crate) fn check<'k>(kind: &'k dyn Kind, cases: &StoredCases) -> Result<&'k dyn Kind, CliError> {
    let wanted = &cases.manifest.wanted;
    let here = kind.named(&wanted.kernel);
    match here {
        Some(kind) if kind.version() == wanted.version => Ok(kind),
        other => Err(CliError::Run(croupier_run::Error::Foreign {
            what: format!("run {}", cases.name()),
            differences: vec![match other {
                Some(kind) => format!("version is {}, expected {}", wanted.version, kind.version()),
                None => format!("kernel is {:?}, expected {:?}", wanted.kernel, kind.name()),
            }],
            advice: "use the program and version that planned it",
        })),
    }
}
