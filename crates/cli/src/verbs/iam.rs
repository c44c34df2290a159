//! `iam`: prints the policy that a role needs for a run, and no more.

use clap::{Args, ValueEnum};
use croupier_fleet::iam::{Role, Scope, policy};
use croupier_store::split_last;

use crate::exit::Exit;
use crate::{CliError, show};

/// `--role`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    /// Plans, launches, watches, retries and cancels
    Submit,
    /// Runs shards
    Work,
    /// Applies the run's policy
    Drive,
    /// Merges what is there
    Reduce,
    /// Removes partials and runs
    Clean,
}

// What `iam` is asked.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct IamVerb {
    /// Whom the policy is for
    #[arg(long, value_name = "ROLE", value_enum)]
    role: RoleName,
    /// Where runs are kept: s3://bucket/prefix
    #[arg(long, value_name = "URI", default_value = "./croupier-runs")]
    store: String,
    /// One run alone: its name in --store, or its URI; all of the store if left out
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// The tracker, where it is a table: dynamodb://table
    #[arg(long, value_name = "URI")]
    tracker: Option<String>,
    /// The ARN of the key that the bucket is encrypted with
    #[arg(long, value_name = "ARN")]
    kms_key_arn: Option<String>,
    /// Where jobs are submitted to: name or ARN, any number
    #[arg(long, value_name = "QUEUE")]
    job_queue: Vec<String>,
    /// What jobs are of: name or ARN, without a revision, any number
    #[arg(long, value_name = "DEFINITION")]
    job_definition: Vec<String>,
    /// The ARN of a state machine that starts shards, any number
    #[arg(long, value_name = "ARN")]
    state_machine_arn: Vec<String>,
    /// The partition
    #[arg(long, default_value = "aws")]
    partition: String,
    /// The region
    #[arg(long, default_value = "*")]
    region: String,
    /// The account's number
    #[arg(long, default_value = "*")]
    account: String,
}

impl IamVerb {
    fn role(&self) -> Role {
        match self.role {
            RoleName::Submit => Role::Submit,
            RoleName::Work => Role::Work,
            RoleName::Drive => Role::Drive,
            RoleName::Reduce => Role::Reduce,
            RoleName::Clean => Role::Clean,
        }
    }

    fn scope(&self) -> Result<Scope, CliError> {
        let (store, run) = match self.run.as_deref().map(split_last) {
            None => (self.store.as_str(), None),
            Some((store, name)) => (store.unwrap_or(&self.store), Some(name)),
        };
        if let Some(name) = run {
            croupier_run::check_name(name)?;
        }
        let place = store.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() || (bucket.to_owned() + prefix).contains(['*', '?', '$']) {
            return Err(CliError::Usage(format!(
                "{store}: a policy is for runs in S3: give --store s3://bucket/prefix"
            )));
        }
        let table = match self.tracker.as_deref() {
            None | Some("store") => None,
            Some(uri) => Some(table(uri)?),
        };
        for arn in &self.state_machine_arn {
            if !arn.contains(":stateMachine:") {
                return Err(CliError::Usage(format!(
                    "--state-machine-arn {arn}: expected arn:aws:states:REGION:ACCOUNT:stateMachine:NAME"
                )));
            }
        }
        Ok(Scope {
            partition: self.partition.clone(),
            region: self.region.clone(),
            account: self.account.clone(),
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            run: run.map(str::to_owned),
            table,
            kms_key: self.kms_key_arn.clone(),
            job_queues: self.job_queue.clone(),
            job_definitions: self.job_definition.clone(),
            state_machines: self.state_machine_arn.clone(),
        })
    }
}

pub(crate) fn iam(flags: &IamVerb) -> Result<Exit, CliError> {
    let policy = policy(flags.role(), &flags.scope()?);
    // A policy has one form, whoever reads it.
    show::print(true, &policy, |_| String::new())?;
    Ok(Exit::Done)
}

fn table(uri: &str) -> Result<String, CliError> {
    let table = uri.strip_prefix("dynamodb://").unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if table.is_empty() || !table.chars().all(is_name) {
        return Err(CliError::Usage(format!(
            "--tracker {uri}: expected store, or dynamodb://table"
        )));
    }
    Ok(table.to_owned())
}
