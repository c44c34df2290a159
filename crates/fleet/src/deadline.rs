//! When the scheduler will end this process, where it says so.

use std::time::Duration;

use crate::Environment;

/// The time that is left at `now`, in seconds since 1970. Slurm tells it; no other scheduler does.
pub fn time_left(environment: Environment<'_>, now: i64) -> Option<Duration> {
    let end: i64 = environment("SLURM_JOB_END_TIME")?.parse().ok()?;
    Some(Duration::from_secs(u64::try_from(end - now).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slurm_tells_when_a_job_ends() {
        let at = |text: &'static str| {
            let environment =
                move |name: &str| (name == "SLURM_JOB_END_TIME").then(|| text.to_owned());
            time_left(&environment, 1000)
        };
        assert_eq!(at("1060"), Some(Duration::from_secs(60)));
        assert_eq!(at("900"), Some(Duration::ZERO));
        assert_eq!(at("never"), None);
    }
}
