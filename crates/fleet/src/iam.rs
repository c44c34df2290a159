//! What each who takes part in a run may do in AWS, as IAM policies: no more than it does.
//!
//! | role | who | in the bucket | elsewhere |
//! |---|---|---|---|
//! | `submit` | a person or a machine that plans, launches, watches, retries and cancels | reads, writes; deletes a stop order and the probe of `plan` | reads the table; submits and ends jobs, starts and ends executions |
//! | `work` | a shard | reads, writes | claims shards in the table |
//! | `drive` | the driver | reads, writes | the table; submits and ends jobs |
//! | `reduce` | the reducer | reads, writes | |
//! | `clean` | who removes partials and runs | reads, deletes | |
//!
//! All are confined to the keys of one prefix or one run. Writing replaces: S3 has no right to write new keys alone, but
//! nothing here deletes what it should not, and a partial that was replaced is found out by its name.

use serde::Serialize;
use serde_json::{Value, json};

/// Who a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Plans, launches, watches, retries and cancels.
    Submit,
    /// Runs shards.
    Work,
    /// Applies the run's policy.
    Drive,
    /// Merges what is there.
    Reduce,
    /// Removes partials and runs.
    Clean,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Submit,
        Self::Work,
        Self::Drive,
        Self::Reduce,
        Self::Clean,
    ];

    /// As the command line spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Work => "work",
            Self::Drive => "drive",
            Self::Reduce => "reduce",
            Self::Clean => "clean",
        }
    }
}

/// What a policy is confined to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `aws`, or `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The region of everything but the bucket, or `*`.
    pub region: String,
    /// The account's twelve digits, or `*`.
    pub account: String,
    /// The bucket's name.
    pub bucket: String,
    /// The store's key in the bucket, without a slash at its end; may be empty.
    pub prefix: String,
    /// One run of the store, or all of them.
    pub run: Option<String>,
    /// The tracker's table.
    pub table: Option<String>,
    /// The ARN of the key that the bucket is encrypted with.
    pub kms_key: Option<String>,
    /// Names or ARNs.
    pub job_queues: Vec<String>,
    /// Names or ARNs, of all revisions.
    pub job_definitions: Vec<String>,
    /// ARNs.
    pub state_machines: Vec<String>,
}

/// A policy document, as IAM takes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
}

/// The policy of `role`.
#[must_use]
pub fn policy(role: Role, scope: &Scope) -> Policy {
    let mut statement = vec![scope.list()];
    match role {
        Role::Clean => statement.push(allow(
            "Remove",
            &["s3:GetObject", "s3:DeleteObject"],
            vec![scope.objects("*")],
        )),
        Role::Submit | Role::Work | Role::Drive | Role::Reduce => statement.push(allow(
            "ReadAndWrite",
            &["s3:GetObject", "s3:PutObject"],
            vec![scope.objects("*")],
        )),
    }
    if role == Role::Submit {
        // The order that stopped a run, and what planning tries the bucket out with.
        let below = if scope.run.is_some() { "" } else { "*/" };
        let keys = ["stopped.json", "probe*"].map(|key| scope.objects(&format!("{below}{key}")));
        statement.push(allow("TakeBack", &["s3:DeleteObject"], keys.into()));
    }
    if let Some(key) = &scope.kms_key {
        let actions: &[_] = match role {
            Role::Clean => &["kms:Decrypt"],
            _ => &["kms:Decrypt", "kms:GenerateDataKey"],
        };
        statement.push(allow("Key", actions, vec![key.clone()]));
    }
    if let Some(table) = &scope.table {
        let table = vec![scope.arn("dynamodb", &format!("table/{table}"))];
        match role {
            Role::Work | Role::Drive => {
                let actions = ["dynamodb:Query", "dynamodb:UpdateItem"];
                statement.push(allow("Track", &actions, table));
            }
            Role::Submit => statement.push(allow("Watch", &["dynamodb:Query"], table)),
            Role::Reduce | Role::Clean => {}
        }
    }
    if matches!(role, Role::Submit | Role::Drive) {
        statement.extend(scope.batch());
    }
    if role == Role::Submit {
        statement.extend(scope.executions());
    }
    Policy {
        version: "2012-10-17",
        statement,
    }
}

fn allow(sid: &'static str, action: &[&'static str], resource: Vec<String>) -> Statement {
    Statement {
        sid,
        effect: "Allow",
        action: action.to_vec(),
        resource,
        condition: None,
    }
}

impl Scope {
    /// Listing what is below the prefix, and nothing beside it.
    fn list(&self) -> Statement {
        let bucket = format!("arn:{}:s3:::{}", self.partition, self.bucket);
        let below = join(&[&self.prefix, self.run.as_deref().unwrap_or(""), "*"]);
        Statement {
            condition: Some(json!({ "StringLike": { "s3:prefix": [below] } })),
            ..allow("List", &["s3:ListBucket"], vec![bucket])
        }
    }

    /// Objects of the run, or of all runs.
    fn objects(&self, key: &str) -> String {
        let key = join(&[&self.prefix, self.run.as_deref().unwrap_or(""), key]);
        format!("arn:{}:s3:::{}/{key}", self.partition, self.bucket)
    }

    fn batch(&self) -> Vec<Statement> {
        if self.job_queues.is_empty() && self.job_definitions.is_empty() {
            return Vec::new();
        }
        let queues = self.job_queues.iter();
        let queues = queues.map(|queue| self.named("batch", "job-queue/", queue));
        let definitions = self.job_definitions.iter().flat_map(|definition| {
            let all = self.named("batch", "job-definition/", definition);
            // With a revision and without one are two resources.
            [all.clone(), format!("{all}:*")]
        });
        vec![
            allow(
                "Submit",
                &["batch:SubmitJob"],
                queues.chain(definitions).collect(),
            ),
            allow(
                "Jobs",
                &["batch:TagResource", "batch:TerminateJob"],
                vec![self.arn("batch", "job/*")],
            ),
            // These know no resources.
            allow(
                "Look",
                &[
                    "batch:DescribeJobDefinitions",
                    "batch:DescribeJobs",
                    "batch:ListJobs",
                ],
                vec!["*".to_owned()],
            ),
        ]
    }

    fn executions(&self) -> Vec<Statement> {
        if self.state_machines.is_empty() {
            return Vec::new();
        }
        let of = |kind: &str, after: &str| -> Vec<String> {
            let machines = self.state_machines.iter();
            let machines = machines.map(|arn| arn.replace(":stateMachine:", kind) + after);
            machines.collect()
        };
        let executions = [
            of(":execution:", ":*"),
            of(":execution:", "/*"),
            of(":mapRun:", "/*"),
        ];
        vec![
            allow(
                "Start",
                &["states:StartExecution", "states:ListExecutions"],
                self.state_machines.clone(),
            ),
            allow(
                "Executions",
                &[
                    "states:DescribeExecution",
                    "states:DescribeMapRun",
                    "states:GetExecutionHistory",
                    "states:ListExecutions",
                    "states:ListMapRuns",
                    "states:RedriveExecution",
                    "states:StopExecution",
                ],
                executions.concat(),
            ),
        ]
    }

    fn named(&self, service: &str, kind: &str, name: &str) -> String {
        if name.starts_with("arn:") {
            name.to_owned()
        } else {
            self.arn(service, &format!("{kind}{name}"))
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let Self {
            partition,
            region,
            account,
            ..
        } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

fn join(parts: &[&str]) -> String {
    let parts: Vec<_> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("/")
}

#[cfg(test)]
mod tests;
