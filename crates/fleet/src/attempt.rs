//! What the scheduler tells about this start of the job: which attempt, of which job. For the record of the attempt,
//! which explains and never decides; so what cannot be read is left out, and is no error.
//!
//! | scheduler | job | attempt | counts from |
//! |---|---|---|---|
//! | AWS Batch | `AWS_BATCH_JOB_ID` | `AWS_BATCH_JOB_ATTEMPT` | 1 |
//! | Slurm | `SLURM_JOB_ID` | `SLURM_RESTART_COUNT`, unset at first | 0 |
//! | Google Cloud Batch | `BATCH_JOB_UID` | `BATCH_TASK_RETRY_ATTEMPT` | 0 |
//! | Cloud Run jobs | `CLOUD_RUN_EXECUTION` | `CLOUD_RUN_TASK_ATTEMPT` | 0 |
//! | PBS, Torque | `PBS_JOBID` | | |
//! | LSF | `LSB_JOBID` | | |
//! | Grid Engine | `JOB_ID`, if `SGE_TASK_ID` is set | | |
//! | Nomad | `NOMAD_ALLOC_ID` | | |
//! | GitLab | `CI_JOB_ID` | | |
//!
//! Kubernetes tells neither.

use crate::{Environment, Scheduler};

/// A start of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whose job it is.
    pub scheduler: Scheduler,
    /// The scheduler's name of the job.
    pub job_id: Option<String>,
    /// Which start it is, from 1.
    pub number: Option<u64>,
}

/// What is known of this start: from the first scheduler, in the order of the table, that names a job or an attempt.
#[must_use]
pub fn attempt(environment: Environment<'_>) -> Option<Attempt> {
    Scheduler::ALL.into_iter().find_map(|scheduler| {
        let job_id = job_variable(scheduler)
            .filter(|_| is_sure(environment, scheduler))
            .and_then(environment)
            .filter(|id| !id.is_empty());
        let number = number(environment, scheduler, job_id.is_some());
        (job_id.is_some() || number.is_some()).then_some(Attempt {
            scheduler,
            job_id,
            number,
        })
    })
}

/// What the scheduler calls the whole array, the same for all its indexes and for every attempt; none where it does not
/// say.
#[must_use]
pub fn array_job(environment: Environment<'_>, scheduler: Scheduler) -> Option<String> {
    let variable = match scheduler {
        Scheduler::Slurm => "SLURM_ARRAY_JOB_ID",
        // These name each process of the array, and not the array.
        Scheduler::Nomad | Scheduler::GitLab | Scheduler::Kubernetes => return None,
        other => job_variable(other)?,
    };
    let job = environment(variable)?;
    let array = match scheduler {
        Scheduler::AwsBatch => job.split(':').next()?,
        // `17[3].server`
        Scheduler::Pbs | Scheduler::Torque => job.split(['[', '-', '.']).next()?,
        _ => &job,
    };
    (!array.is_empty()).then(|| array.to_owned())
}

fn job_variable(scheduler: Scheduler) -> Option<&'static str> {
    match scheduler {
        Scheduler::AwsBatch => Some("AWS_BATCH_JOB_ID"),
        Scheduler::Slurm => Some("SLURM_JOB_ID"),
        Scheduler::Kubernetes => None,
        Scheduler::GoogleBatch => Some("BATCH_JOB_UID"),
        Scheduler::CloudRun => Some("CLOUD_RUN_EXECUTION"),
        Scheduler::Pbs | Scheduler::Torque => Some("PBS_JOBID"),
        Scheduler::Lsf => Some("LSB_JOBID"),
        Scheduler::GridEngine => Some("JOB_ID"),
        Scheduler::Nomad => Some("NOMAD_ALLOC_ID"),
        Scheduler::GitLab => Some("CI_JOB_ID"),
    }
}

/// Whether a job's variable is really this scheduler's: `JOB_ID` might be anyone's, and PBS and Torque share theirs.
fn is_sure(environment: Environment<'_>, scheduler: Scheduler) -> bool {
    match scheduler {
        Scheduler::GridEngine => environment("SGE_TASK_ID").is_some(),
        Scheduler::Pbs => environment(Scheduler::Torque.variable()).is_none(),
        Scheduler::AwsBatch
        | Scheduler::Slurm
        | Scheduler::Kubernetes
        | Scheduler::GoogleBatch
        | Scheduler::CloudRun
        | Scheduler::Torque
        | Scheduler::Lsf
        | Scheduler::Nomad
        | Scheduler::GitLab => true,
    }
}

fn number(environment: Environment<'_>, scheduler: Scheduler, has_job: bool) -> Option<u64> {
    let read = |variable: &str| environment(variable).map(|value| value.parse::<u64>().ok());
    let from_zero = |variable| read(variable)??.checked_add(1);
    match scheduler {
        Scheduler::AwsBatch => read("AWS_BATCH_JOB_ATTEMPT")?.filter(|number| *number > 0),
        Scheduler::Slurm if read("SLURM_RESTART_COUNT").is_none() => has_job.then_some(1),
        Scheduler::Slurm => from_zero("SLURM_RESTART_COUNT"),
        Scheduler::GoogleBatch => from_zero("BATCH_TASK_RETRY_ATTEMPT"),
        Scheduler::CloudRun => from_zero("CLOUD_RUN_TASK_ATTEMPT"),
        Scheduler::Kubernetes
        | Scheduler::Pbs
        | Scheduler::Torque
        | Scheduler::Lsf
        | Scheduler::GridEngine
        | Scheduler::Nomad
        | Scheduler::GitLab => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<(Scheduler, Option<String>, Option<u64>)> {
        let environment = |name: &str| {
            let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
            Some((*value).to_owned())
        };
        attempt(&environment).map(|attempt| (attempt.scheduler, attempt.job_id, attempt.number))
    }

    #[test]
    fn all_indexes_of_an_array_have_one_name() {
        use Scheduler::*;
        for (scheduler, variables, expected) in [
            (AwsBatch, &[("AWS_BATCH_JOB_ID", "u-1:3")][..], Some("u-1")),
            (
                Slurm,
                &[("SLURM_JOB_ID", "9"), ("SLURM_ARRAY_JOB_ID", "7")],
                Some("7"),
            ),
            (Slurm, &[("SLURM_JOB_ID", "9")], None),
            (GoogleBatch, &[("BATCH_JOB_UID", "j")], Some("j")),
            (CloudRun, &[("CLOUD_RUN_EXECUTION", "e")], Some("e")),
            (Pbs, &[("PBS_JOBID", "17[3].server")], Some("17")),
            (Torque, &[("PBS_JOBID", "17-3.server")], Some("17")),
            (Lsf, &[("LSB_JOBID", "5")], Some("5")),
            (GridEngine, &[("JOB_ID", "6")], Some("6")),
            (Nomad, &[("NOMAD_ALLOC_ID", "a")], None),
            (GitLab, &[("CI_JOB_ID", "8")], None),
            (Kubernetes, &[], None),
        ] {
            let environment = |name: &str| {
                let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
                Some((*value).to_owned())
            };
            assert_eq!(
                array_job(&environment, scheduler).as_deref(),
                expected,
                "{scheduler}"
            );
        }
    }

    #[test]
    fn every_scheduler_names_its_job_and_counts_from_one() {
        use Scheduler::*;
        type Row<'r> = (
            &'r [(&'r str, &'r str)],
            Scheduler,
            Option<&'r str>,
            Option<u64>,
        );
        let rows: [Row<'_>; 14] = [
            (
                &[("AWS_BATCH_JOB_ID", "u:3"), ("AWS_BATCH_JOB_ATTEMPT", "2")],
                AwsBatch,
                Some("u:3"),
                Some(2),
            ),
            (
                &[("AWS_BATCH_JOB_ID", "u"), ("AWS_BATCH_JOB_ATTEMPT", "0")],
                AwsBatch,
                Some("u"),
                None,
            ),
            (&[("SLURM_JOB_ID", "7")], Slurm, Some("7"), Some(1)),
            (
                &[("SLURM_JOB_ID", "7"), ("SLURM_RESTART_COUNT", "2")],
                Slurm,
                Some("7"),
                Some(3),
            ),
            (
                &[("SLURM_JOB_ID", "7"), ("SLURM_RESTART_COUNT", "x")],
                Slurm,
                Some("7"),
                None,
            ),
            (
                &[("BATCH_JOB_UID", "b"), ("BATCH_TASK_RETRY_ATTEMPT", "0")],
                GoogleBatch,
                Some("b"),
                Some(1),
            ),
            (
                &[
                    ("CLOUD_RUN_EXECUTION", "e"),
                    ("CLOUD_RUN_TASK_ATTEMPT", "1"),
                ],
                CloudRun,
                Some("e"),
                Some(2),
            ),
            (&[("CLOUD_RUN_TASK_ATTEMPT", "1")], CloudRun, None, Some(2)),
            (
                &[("PBS_JOBID", "9[3].server")],
                Pbs,
                Some("9[3].server"),
                None,
            ),
            (
                &[("PBS_JOBID", "9"), ("PBS_ARRAYID", "3")],
                Torque,
                Some("9"),
                None,
            ),
            (&[("LSB_JOBID", "5")], Lsf, Some("5"), None),
            (
                &[("JOB_ID", "4"), ("SGE_TASK_ID", "undefined")],
                GridEngine,
                Some("4"),
                None,
            ),
            (&[("NOMAD_ALLOC_ID", "n")], Nomad, Some("n"), None),
            (&[("CI_JOB_ID", "6")], GitLab, Some("6"), None),
        ];
        for (variables, scheduler, job_id, number) in rows {
            let expected = Some((scheduler, job_id.map(str::to_owned), number));
            assert_eq!(found(variables), expected);
        }
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[("JOB_ID", "4")]), None);
        assert_eq!(found(&[("JOB_COMPLETION_INDEX", "4")]), None);
        assert_eq!(
            found(&[("AWS_BATCH_JOB_ID", ""), ("AWS_BATCH_JOB_ATTEMPT", "x")]),
            None
        );
        assert_eq!(
            found(&[("BATCH_TASK_RETRY_ATTEMPT", "18446744073709551615")]),
            None
        );
    }
}
