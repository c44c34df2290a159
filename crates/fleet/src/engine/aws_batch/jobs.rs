//! What is known of a run's jobs.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_batch::types::{JobDetail, JobStatus, JobSummary};

use crate::engine::Part;

/// A job that was submitted and is not told of in so many looks is not there.
const MOST_MISSES: u32 = 20;

/// One job: an array, or a shard's own.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) part: Part,
    /// Which start of the part, from 0.
    number: u32,
    pub(super) is_finished: bool,
    /// In how many looks nothing was told of it; none once something was.
    untold: Option<u32>,
    /// Indexes of children that are at their end.
    ended: BTreeSet<u32>,
    /// How many that are, as far as the summary knows.
    told_ended: usize,
}

impl Job {
    /// One that a listing told of.
    pub(super) fn listed(id: &str, part: Part, number: u32, status: Option<&JobStatus>) -> Self {
        Self {
            is_finished: is_terminal(status),
            untold: None,
            ..Self::submitted(id, part, number)
        }
    }

    /// One that was submitted now, which nobody may tell of for a moment.
    pub(super) fn submitted(id: &str, part: Part, number: u32) -> Self {
        Self {
            id: id.to_owned(),
            part,
            number,
            is_finished: false,
            untold: Some(0),
            ended: BTreeSet::new(),
            told_ended: 0,
        }
    }

    /// It was asked for, and nothing is told: either it is too old, or too new.
    fn miss(&mut self) {
        match &mut self.untold {
            Some(misses) if *misses < MOST_MISSES => *misses += 1,
            _ => self.is_finished = true,
        }
    }
}

/// An array of which more children are at their end than were listed.
#[derive(Debug)]
pub(super) struct News {
    pub(super) id: String,
    /// The ids of the others.
    pub(super) remaining: Vec<String>,
}

/// All jobs of a run, by their ids.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    by_id: BTreeMap<String, Job>,
    /// Whether the queue was listed.
    pub(super) is_listed: bool,
}

impl Jobs {
    /// Adds jobs. What is known of one already stays, unless it is at its end now.
    pub(super) fn add(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            let is_finished = job.is_finished;
            let known = self.by_id.entry(job.id.clone()).or_insert(job);
            known.is_finished |= is_finished;
        }
    }

    /// The number of the next start of a part.
    pub(super) fn next_number(&self, part: Part) -> u32 {
        let same = self.by_id.values().filter(|job| job.part == part);
        same.map(|job| job.number + 1).max().unwrap_or(0)
    }

    /// The ids of jobs that are not at their end, and are asked for.
    pub(super) fn unfinished(&self, is_asked: impl Fn(&Job) -> bool) -> Vec<String> {
        let jobs = self.by_id.values();
        jobs.filter(|job| !job.is_finished && is_asked(job))
            .map(|job| job.id.clone())
            .collect()
    }

    /// Takes what was told of the jobs `asked`.
    pub(super) fn update(&mut self, asked: &[String], told: &[JobDetail]) {
        for id in asked {
            let Some(job) = self.by_id.get_mut(id) else {
                continue;
            };
            let told = told.iter().find(|told| told.job_id() == Some(id));
            let Some(told) = told else {
                job.miss();
                continue;
            };
            job.untold = None;
            job.is_finished |= is_terminal(told.status());
            let summary = told
                .array_properties()
                .and_then(|array| array.status_summary());
            let count = |status: &JobStatus| {
                let count = summary.and_then(|summary| summary.get(status.as_str()));
                count.map_or(0, |count| usize::try_from(*count).unwrap_or(0))
            };
            job.told_ended = count(&JobStatus::Succeeded) + count(&JobStatus::Failed);
        }
    }

    /// The arrays of which a listing has something to tell.
    pub(super) fn with_news(&self) -> Vec<News> {
        let has_news = |job: &&Job| !job.is_finished && job.told_ended > job.ended.len();
        let jobs = self.by_id.values().filter(has_news);
        jobs.map(|job| News {
            id: job.id.clone(),
            remaining: (0..job.part.count())
                .filter(|index| !job.ended.contains(index))
                .map(|index| format!("{}:{index}", job.id))
                .collect(),
        })
        .collect()
    }

    /// Takes the indexes of children that are at their end.
    pub(super) fn end_children(&mut self, id: &str, indexes: &[u32]) {
        if let Some(job) = self.by_id.get_mut(id) {
            job.ended.extend(indexes);
        }
    }

    /// Takes what was told of children.
    pub(super) fn update_children(&mut self, id: &str, told: &[JobDetail]) {
        let ended = told.iter().filter(|child| is_terminal(child.status()));
        let indexes: Vec<u32> = ended
            .filter_map(|child| child.array_properties()?.index())
            .filter_map(|index| u32::try_from(index).ok())
            .collect();
        self.end_children(id, &indexes);
    }

    /// Every child that is not at its end.
    pub(super) fn children_at_work(&self) -> impl Iterator<Item = (Part, u32)> {
        let unfinished = self.by_id.values().filter(|job| !job.is_finished);
        unfinished.flat_map(|job| {
            let indexes = (0..job.part.count()).filter(|index| !job.ended.contains(index));
            indexes.map(|index| (job.part, index))
        })
    }
}

/// The indexes of listed children.
pub(super) fn indexes(children: &[JobSummary]) -> Vec<u32> {
    let indexes = children
        .iter()
        .filter_map(|child| child.array_properties()?.index());
    indexes
        .filter_map(|index| u32::try_from(index).ok())
        .collect()
}

/// Whether a job in this state is at its end. What is not told may be at work.
pub(super) fn is_terminal(status: Option<&JobStatus>) -> bool {
    matches!(status, Some(JobStatus::Succeeded | JobStatus::Failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_nobody_tells_of_yet_is_at_work_and_one_that_is_forgotten_is_not() {
        let mut jobs = Jobs::default();
        jobs.add(vec![
            Job::submitted("new", Part::One(1), 0),
            Job::listed("old", Part::One(2), 0, Some(&JobStatus::Running)),
        ]);
        let ids = ["new".to_owned(), "old".to_owned()];
        jobs.update(&ids, &[]);
        let at_work: Vec<_> = jobs.children_at_work().collect();
        assert_eq!(at_work, [(Part::One(1), 0)]);
        for _ in 0..MOST_MISSES {
            jobs.update(&ids, &[]);
        }
        assert_eq!(jobs.children_at_work().count(), 0);
    }

    #[test]
    fn children_are_at_work_until_they_are_listed_whatever_the_summary_says() {
        let part = Part::Range {
            first: 10,
            count: 4,
        };
        let mut jobs = Jobs::default();
        jobs.add(vec![Job::listed("a", part, 2, Some(&JobStatus::Pending))]);
        assert!(jobs.with_news().is_empty());
        let summary = aws_sdk_batch::types::ArrayPropertiesDetail::builder()
            .status_summary("SUCCEEDED", 2)
            .status_summary("FAILED", 1);
        let told = JobDetail::builder()
            .job_id("a")
            .status(JobStatus::Pending)
            .array_properties(summary.build());
        jobs.update(&["a".to_owned()], &[told.build()]);
        assert_eq!(jobs.children_at_work().count(), 4);
        assert_eq!(jobs.with_news()[0].remaining.len(), 4);
        jobs.end_children("a", &[0, 1, 3]);
        let at_work: Vec<_> = jobs.children_at_work().collect();
        assert_eq!(at_work, [(part, 2)]);
        assert!(jobs.with_news().is_empty());
        assert_eq!(jobs.next_number(part), 3);
    }
}
