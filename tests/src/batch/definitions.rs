//! What a job runs: its definition's container, and what the job overrides of it.

use serde_json::{Value, json};

use super::limits::{Refusal, client};

/// A registered definition.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) revision: u64,
    /// As it was registered.
    body: Value,
}

/// What a container is started with.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// As in a view of the job.
    pub(super) requirements: Value,
    pub(super) log_configuration: Value,
    pub(super) is_eks: bool,
}

impl Definition {
    pub(super) fn new(body: &Value, revision: u64) -> Self {
        Self {
            name: text(&body["jobDefinitionName"]),
            revision,
            body: body.clone(),
        }
    }

    pub(super) fn arn(&self) -> String {
        format!(
            "arn:aws:batch:eu-west-1:123456789012:job-definition/{}:{}",
            self.name, self.revision
        )
    }

    /// Whether `asked`, a name, a name and a revision or an ARN, means this one.
    pub(super) fn is(&self, asked: &str) -> bool {
        let arn = self.arn();
        asked == self.name
            || asked == format!("{}:{}", self.name, self.revision)
            || asked == arn
            || arn.strip_suffix(&format!(":{}", self.revision)) == Some(asked)
    }

    pub(super) fn view(&self) -> Value {
        let mut view = self.body.clone();
        view["jobDefinitionArn"] = json!(self.arn());
        view["revision"] = json!(self.revision);
        view["status"] = json!("ACTIVE");
        view
    }

    /// One of its fields, unless the job has its own.
    pub(super) fn or_own<'v>(&'v self, job: &'v Value, field: &str) -> &'v Value {
        match job[field].is_null() {
            true => &self.body[field],
            false => &job[field],
        }
    }

    /// The container with the job's overrides, which must be of its kind.
    pub(super) fn container(&self, job: &Value) -> Result<Container, Refusal> {
        let kinds = [
            ("containerProperties", "containerOverrides"),
            ("ecsProperties", "ecsPropertiesOverride"),
            ("eksProperties", "eksPropertiesOverride"),
        ];
        for (kind, overrides) in kinds {
            if self.body[kind].is_null() && !job[overrides].is_null() {
                return Err(client(format!(
                    "{overrides} can't be specified: the job definition has no {kind}"
                )));
            }
        }
        if !self.body["eksProperties"].is_null() {
            let pod = &self.body["eksProperties"]["podProperties"];
            let overrides = &job["eksPropertiesOverride"]["podProperties"]["containers"];
            let (own, other) = named(&pod["containers"], overrides)?;
            // Kubernetes' command takes the place of the image's program, and args that of its arguments.
            let command = of_either(own, other, "command");
            return Ok(Container {
                program: command.first().map_or(text(&own["image"]), Clone::clone),
                arguments: command
                    .into_iter()
                    .skip(1)
                    .chain(of_either(own, other, "args"))
                    .collect(),
                environment: environment(&own["env"], &other["env"]),
                requirements: other["resources"].clone(),
                log_configuration: Value::Null,
                is_eks: true,
            });
        }
        let (own, other) = match self.body["ecsProperties"].is_null() {
            true => (
                &self.body["containerProperties"],
                &job["containerOverrides"],
            ),
            false => named(
                &self.body["ecsProperties"]["taskProperties"][0]["containers"],
                &job["ecsPropertiesOverride"]["taskProperties"][0]["containers"],
            )?,
        };
        Ok(Container {
            program: text(&own["image"]),
            arguments: of_either(own, other, "command"),
            environment: environment(&own["environment"], &other["environment"]),
            requirements: match other["resourceRequirements"].is_null() {
                true => own["resourceRequirements"].clone(),
                false => other["resourceRequirements"].clone(),
            },
            log_configuration: own["logConfiguration"].clone(),
            is_eks: false,
        })
    }
}

/// The first container, and what overrides it by its name.
fn named<'v>(
    containers: &'v Value,
    overrides: &'v Value,
) -> Result<(&'v Value, &'v Value), Refusal> {
    let own = &containers[0];
    for other in overrides.as_array().into_iter().flatten() {
        let name = &other["name"];
        let mut names = containers.as_array().into_iter().flatten();
        if !names.any(|container| container["name"] == *name) {
            return Err(client(format!(
                "no container of the job definition is named {name}"
            )));
        }
        if own["name"] == *name {
            return Ok((own, other));
        }
    }
    Ok((own, &Value::Null))
}

fn of_either(own: &Value, other: &Value, field: &str) -> Vec<String> {
    let list = match other[field].is_null() {
        true => &own[field],
        false => &other[field],
    };
    list.as_array().into_iter().flatten().map(text).collect()
}

/// The override's variables are set last.
fn environment(own: &Value, other: &Value) -> Vec<(String, String)> {
    let lists = [own, other].into_iter().filter_map(Value::as_array);
    let pair = |variable: &Value| (text(&variable["name"]), text(&variable["value"]));
    lists.flatten().map(pair).collect()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
