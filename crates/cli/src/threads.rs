//! How many threads, and why: the number is printed and recorded with its source, for a run that is slow because one
//! variable said 1 is otherwise a riddle.
//!
//! In this order: `--threads` (or `CROUPIER_THREADS`), `RAYON_NUM_THREADS`, `SLURM_CPUS_PER_TASK`, then what affinity and the cgroup's quota
//! leave of the machine. A variable that is set and makes no sense is an error: to pass over it would be to use a
//! number that nobody chose.

use std::fs;

use thiserror::Error;

/// rayon uses no more threads than this, and says nothing if asked to.
pub const MOST_THREADS: usize = 65_535;

/// What clap takes for `--threads` where that is not given.
const FLAGS_VARIABLE: &str = "CROUPIER_THREADS";

const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "SLURM_CPUS_PER_TASK"];

/// How many threads, and what said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threads {
    /// From 1 to [`MOST_THREADS`].
    pub count: usize,
    /// What said so, for a person: `SLURM_CPUS_PER_TASK=4`, or `all 8 CPUs of this machine`.
    pub source: String,
}

/// What is known of the CPUs here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processors {
    /// What this process may use: affinity and quota counted in.
    pub available: Option<usize>,
    /// What affinity leaves, whatever the quota.
    pub allowed: Option<usize>,
    /// What the machine has.
    pub online: Option<usize>,
}

/// Why there is no number of threads.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThreadsError {
    /// Zero, too many, or no number.
    #[error(
        "{source_name}={value:?} is no number of threads: expected 1 to {MOST_THREADS}; change it, or give --threads"
    )]
    BadNumber {
        /// The flag or variable.
        source_name: String,
        /// What it says.
        value: String,
    },
    /// The machine does not tell.
    #[error("this machine does not say how many CPUs this process may use: give --threads")]
    Unknown,
}

/// The number of threads: `flag` is the value of `--threads`, be it from the command line or from its variable, which
/// has said so where it says the same; `environment` looks variables up.
///
/// # Errors
/// The first of the sources that says anything says no number from 1 to [`MOST_THREADS`]; or none does, and the
/// machine does not know.
pub fn choose(
    flag: Option<u64>,
    environment: &dyn Fn(&str) -> Option<String>,
    machine: Processors,
) -> Result<Threads, ThreadsError> {
    if let Some(count) = flag {
        let variable = environment(FLAGS_VARIABLE).filter(|value| value.parse() == Ok(count));
        return match variable {
            Some(value) => read(FLAGS_VARIABLE, &value),
            None => read("--threads", &count.to_string()),
        };
    }
    for name in VARIABLES {
        if let Some(value) = environment(name) {
            return read(name, &value);
        }
    }
    machine.choose()
}

fn read(name: &str, value: &str) -> Result<Threads, ThreadsError> {
    // `parse` takes a plus sign, which no scheduler writes.
    let count = value.parse().ok().filter(|_| !value.starts_with('+'));
    match count {
        Some(count @ 1..=MOST_THREADS) => Ok(Threads {
            count,
            source: format!("{name}={value}"),
        }),
        Some(_) | None => Err(ThreadsError::BadNumber {
            source_name: name.to_owned(),
            value: value.to_owned(),
        }),
    }
}

impl Processors {
    /// The machine this process runs on. Where a number cannot be had, it is `None`.
    #[must_use]
    pub fn here() -> Self {
        let online = fs::read_to_string("/sys/devices/system/cpu/online").ok();
        let status = fs::read_to_string("/proc/self/status").ok();
        let allowed = status.as_deref().and_then(|status| {
            status
                .lines()
                .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        });
        Self {
            available: std::thread::available_parallelism().ok().map(usize::from),
            allowed: allowed.and_then(count_listed),
            online: online.as_deref().and_then(count_listed),
        }
    }

    fn choose(self) -> Result<Threads, ThreadsError> {
        let count = self.available.ok_or(ThreadsError::Unknown)?;
        let source = match (self.online, self.allowed) {
            (None, _) => "the CPUs available to this process".to_owned(),
            (Some(online), _) if count >= online => format!("all {online} CPUs of this machine"),
            (Some(online), Some(allowed)) if count >= allowed => {
                format!("CPU affinity, of this machine's {online} CPUs")
            }
            (Some(online), Some(_)) => format!("cgroup quota, of this machine's {online} CPUs"),
            (Some(online), None) => {
                format!("CPU affinity or cgroup quota, of this machine's {online} CPUs")
            }
        };
        Ok(Threads {
            count: count.min(MOST_THREADS),
            source,
        })
    }
}

/// How many CPUs a list of the kernel's names: `0-3,8` is five.
fn count_listed(list: &str) -> Option<usize> {
    list.trim()
        .split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            last.checked_sub(first)?.checked_add(1)
        })
        .try_fold(0_usize, |sum, count| sum.checked_add(count?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Processors = Processors {
        available: Some(4),
        allowed: Some(8),
        online: Some(8),
    };

    fn chosen(flag: Option<u64>, variables: &[(&str, &str)]) -> Result<(usize, String), String> {
        let environment = |name: &str| {
            let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
            Some((*value).to_owned())
        };
        choose(flag, &environment, MACHINE)
            .map(|threads| (threads.count, threads.source))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_flag_goes_before_rayon_before_slurm_before_the_machine() {
        let both = [("SLURM_CPUS_PER_TASK", "3"), ("RAYON_NUM_THREADS", "2")];
        assert_eq!(chosen(Some(1), &both), Ok((1, "--threads=1".into())));
        assert_eq!(chosen(None, &both), Ok((2, "RAYON_NUM_THREADS=2".into())));
        let own = [("CROUPIER_THREADS", "4"), ("RAYON_NUM_THREADS", "2")];
        assert_eq!(chosen(Some(4), &own), Ok((4, "CROUPIER_THREADS=4".into())));
        assert_eq!(chosen(Some(3), &own), Ok((3, "--threads=3".into())));
        assert_eq!(
            chosen(None, &both[..1]),
            Ok((3, "SLURM_CPUS_PER_TASK=3".into()))
        );
        assert_eq!(
            chosen(None, &[]),
            Ok((4, "cgroup quota, of this machine's 8 CPUs".into()))
        );
    }

    #[test]
    fn what_is_no_number_of_threads_is_an_error_that_names_its_source() {
        for name in VARIABLES {
            for value in [
                "0",
                "",
                "-1",
                "+2",
                "2.0",
                "2 ",
                "all",
                "65536",
                "99999999999999999999",
            ] {
                let error = chosen(None, &[(name, value)]);
                let named = format!("{name}={value:?}");
                assert!(
                    error.clone().is_err_and(|e| e.contains(&named)),
                    "{error:?}"
                );
            }
        }
        assert!(chosen(Some(0), &[]).is_err_and(|e| e.contains("--threads=\"0\"")));
        assert!(chosen(Some(65_536), &[]).is_err_and(|e| e.contains("65535")));
        assert_eq!(
            chosen(Some(65_535), &[]).map(|(count, _)| count),
            Ok(65_535)
        );
    }

    #[test]
    fn the_machine_says_what_bounds_it() {
        for (available, allowed, online, says) in [
            (8, Some(8), Some(8), "all 8 CPUs"),
            (2, Some(2), Some(8), "CPU affinity, of"),
            (2, Some(4), Some(8), "cgroup quota, of"),
            (2, None, Some(8), "CPU affinity or cgroup quota, of"),
            (2, Some(2), None, "available to this process"),
        ] {
            let machine = Processors {
                available: Some(available),
                allowed,
                online,
            };
            let threads = choose(None, &|_| None, machine);
            let text = threads.as_ref().map_or("", |threads| &threads.source);
            assert!(text.contains(says), "{text}");
            assert_eq!(threads.map(|threads| threads.count), Ok(available));
        }
        let nothing = choose(None, &|_| None, Processors::default());
        assert_eq!(nothing, Err(ThreadsError::Unknown));
    }

    #[test]
    fn lists_of_cpus_are_counted() {
        for (list, count) in [
            ("0-3,8\n", Some(5)),
            ("\t0", Some(1)),
            ("0-1,4-5,9-9", Some(5)),
            ("", None),
            ("3-1", None),
            ("a-b", None),
            ("0-18446744073709551615", None),
        ] {
            assert_eq!(count_listed(list), count, "{list:?}");
        }
    }

    #[test]
    fn this_machine_has_a_cpu() {
        let machine = Processors::here();
        assert!(machine.available.is_some_and(|count| count > 0));
        assert!(
            machine
                .online
                .is_none_or(|online| machine.available <= Some(online))
        );
    }
}
