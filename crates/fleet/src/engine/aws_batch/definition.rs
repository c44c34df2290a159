//! What of a job definition decides how its jobs are submitted.

use aws_sdk_batch::types::{
    EksContainer, EksContainerResourceRequirements, JobDefinition, ResourceRequirement,
    ResourceType,
};

use super::options::{BatchOptions, OverrideKind};

/// A job definition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) kind: OverrideKind,
    /// The worker's container in a task or pod.
    pub(super) container: Option<String>,
    /// What its jobs are given, unless they ask for something else.
    pub(super) vcpus: Option<f64>,
}

impl Definition {
    /// What is `found` of it, or what `options` say where it could not be looked up.
    pub(super) fn new(
        name: &str,
        found: Option<&JobDefinition>,
        options: &BatchOptions,
    ) -> Result<Self, String> {
        let mut definition = Self {
            name: name.to_owned(),
            kind: options.override_kind.unwrap_or(OverrideKind::Container),
            container: options.container.clone(),
            vcpus: None,
        };
        let Some(found) = found else {
            return match options.override_kind {
                Some(OverrideKind::Ecs | OverrideKind::Eks) if options.container.is_none() => {
                    Err("it can't be looked up: name its container with --container".to_owned())
                }
                Some(_) => Ok(definition),
                None => Err("there is no active one of that name in this region".to_owned()),
            };
        };
        let wanted = options.container.as_deref();
        if let Some(container) = found.container_properties() {
            definition.kind = OverrideKind::Container;
            definition.vcpus = vcpus(container.resource_requirements());
        } else if let Some(tasks) = found.ecs_properties() {
            let task = tasks.task_properties().first();
            let containers = task.map_or(&[][..], |task| task.containers());
            let container = named(containers, wanted, |container| container.name())?;
            definition.kind = OverrideKind::Ecs;
            definition.container = container.name().map(str::to_owned);
            definition.vcpus = vcpus(container.resource_requirements());
        } else if let Some(pods) = found.eks_properties() {
            let containers = pods
                .pod_properties()
                .map_or(&[][..], |pod| pod.containers());
            let container = named(containers, wanted, EksContainer::name)?;
            definition.kind = OverrideKind::Eks;
            definition.container = container.name().map(str::to_owned);
            definition.vcpus = container.resources().and_then(cpu);
        } else {
            return Err(
                "it has no container, task or pod; multi-node jobs are no arrays".to_owned(),
            );
        }
        Ok(definition)
    }
}

/// The container of that name, or the first one.
fn named<'c, C>(
    containers: &'c [C],
    wanted: Option<&str>,
    name: impl Fn(&C) -> Option<&str>,
) -> Result<&'c C, String> {
    let mut all = containers.iter();
    match wanted {
        None => all.next().ok_or_else(|| "it has no container".to_owned()),
        Some(wanted) => all
            .find(|container| name(container) == Some(wanted))
            .ok_or_else(|| format!("it has no container {wanted:?}")),
    }
}

fn vcpus(requirements: &[ResourceRequirement]) -> Option<f64> {
    let mut all = requirements.iter();
    let found = all.find(|found| found.r#type() == Some(&ResourceType::Vcpu));
    found?.value()?.parse().ok()
}

fn cpu(resources: &EksContainerResourceRequirements) -> Option<f64> {
    let of = |quantities: Option<&std::collections::HashMap<String, String>>| {
        quantities?.get("cpu")?.parse().ok()
    };
    of(resources.limits()).or_else(|| of(resources.requests()))
}
