//! `--on kubernetes`. Flags are called as `kubectl` and manifests call them.

use clap::Args;
use croupier_fleet::engine::kubernetes::{KubernetesOptions, List, MOST_INDEXES, Subject};
use croupier_fleet::engine::{WorkerCall, parts};
use croupier_run::{Found, Standing};

use crate::flags::StoreFlags;
use crate::{CliError, show};

/// How often the last Job looks.
const LOOK_EVERY: &str = "4m";
/// How long nothing may be at work before the last Job reduces what there is. Kubernetes waits up to six minutes before
/// it repeats an index, and a node that is added for a pod, with the image on it, takes some ten.
const MAX_IDLE: &str = "30m";

// Indexed Jobs of Kubernetes.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct KubernetesFlags {
    /// kubernetes: the image, whose entry point is this program
    #[arg(long, value_name = "IMAGE", help_heading = "Engine")]
    pub(crate) container_image: Option<String>,
    /// kubernetes: the namespace
    #[arg(long, value_name = "NAME", help_heading = "Engine")]
    pub(crate) namespace: Option<String>,
    /// kubernetes: who the pods are
    #[arg(long, value_name = "NAME", help_heading = "Engine")]
    pub(crate) service_account: Option<String>,
    /// kubernetes: a variable of the pods; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, help_heading = "Engine")]
    pub(crate) container_env: Vec<(String, String)>,
    /// kubernetes: what a shard asks for, such as cpu=2,memory=4Gi; cpu is also its number of threads
    #[arg(long, value_name = "NAME=QUANTITY", value_parser = pair, value_delimiter = ',', help_heading = "Engine")]
    pub(crate) resource_requests: Vec<(String, String)>,
    /// kubernetes: what a shard is bound to
    #[arg(long, value_name = "NAME=QUANTITY", value_parser = pair, value_delimiter = ',', help_heading = "Engine")]
    pub(crate) resource_limits: Vec<(String, String)>,
    /// kubernetes: how many shards run at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Engine")]
    pub(crate) parallelism: Option<u32>,
    /// kubernetes: how long a pod that is told to end may take, in seconds
    #[arg(long, value_name = "N", default_value_t = 60, help_heading = "Engine")]
    pub(crate) termination_grace_period_seconds: u32,
    /// kubernetes: after how many seconds a Job that has ended is removed
    #[arg(long, value_name = "N", help_heading = "Engine")]
    pub(crate) ttl_seconds_after_finished: Option<u32>,
}

impl KubernetesFlags {
    /// How many threads a shard has.
    pub(crate) fn threads(&self) -> Option<u64> {
        self.options(String::new()).threads()
    }

    /// That the Jobs can't do what `--until` may need.
    pub(crate) fn further_segments() -> CliError {
        CliError::Usage(
            "--on kubernetes: a driver begins the further segments of --until, and none of the Jobs is one: plan a fixed number of samples with --samples, or choose an engine with a driver (such as --on slurm or --on aws-batch), or give --no-driver, and when the Jobs have ended call `drive`, which runs the other segments where it is called".to_owned(),
        )
    }

    fn options(&self, image: String) -> KubernetesOptions {
        KubernetesOptions {
            image,
            namespace: self.namespace.clone(),
            service_account: self.service_account.clone(),
            environment: self.container_env.clone(),
            requests: self.resource_requests.iter().cloned().collect(),
            limits: self.resource_limits.iter().cloned().collect(),
            parallelism: self.parallelism,
            termination_grace_period_seconds: self.termination_grace_period_seconds,
            ttl_seconds_after_finished: self.ttl_seconds_after_finished,
        }
    }
}

/// Prints the Jobs of all shards that have holes, and the one that waits for them: for somebody to apply.
pub(crate) async fn print(
    flags: &KubernetesFlags,
    run: &mut Found,
    call: &WorkerCall,
    store: &StoreFlags,
    with_last_job: bool,
    json: bool,
) -> Result<(), CliError> {
    let Some(image) = flags.container_image.clone() else {
        return Err(CliError::Usage(
            "--on kubernetes needs --container-image, whose entry point is this program".to_owned(),
        ));
    };
    let uri = run.uri();
    if !uri.contains("://") {
        eprintln!("warning: {uri} is a path: every pod needs it mounted there, or a --store in S3");
    }
    let survey = run.survey().await?;
    let holes = survey.shards.iter();
    let holes: Vec<_> = holes.filter(|shard| shard.standing.is_hole()).collect();
    let is_first = holes
        .iter()
        .all(|shard| shard.standing == Standing::Waiting);
    let holes: Vec<u32> = holes.iter().map(|shard| shard.shard).collect();
    let parts = match is_first {
        true => parts(&holes, None, MOST_INDEXES),
        // Its Jobs have names that were not there yet.
        false => {
            let next = survey.rounds.last().map_or(1, |round| round.round + 1);
            let round = run.begin_round(next, holes).await?;
            parts(&round.shards, Some(round.round), MOST_INDEXES)
        }
    };
    let subject = Subject {
        name: run.name(),
        uri: &uri,
        policy: run.policy(),
        at_most_once: run.at_most_once(),
    };
    let options = flags.options(image);
    let mut jobs = options.shard_jobs(&subject, &call.arguments, &parts);
    if with_last_job {
        let timeout = format!("{}ms", store.store_timeout.as_millis());
        let wait = ["wait", "--run", &uri, "--every", LOOK_EVERY];
        let wait = wait.into_iter().chain(["--max-idle", MAX_IDLE]);
        let wait = wait.chain(["--store-timeout", &timeout]);
        jobs.push(options.last_job(&subject, &parts, wait.map(str::to_owned).collect()));
    }
    let list = List::new(jobs);
    let yaml = list.yaml().map_err(|error| CliError::System {
        what: "the manifests can't be written",
        error: error.into(),
    })?;
    eprintln!("nothing is started yet: apply this, such as by `kubectl apply -f -`");
    show::print(json, &list, |_| yaml.trim_end().to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as cpu=2".to_owned()),
    }
}
