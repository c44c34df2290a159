//! How long a job may take, as Slurm writes it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A time that `sbatch --time` takes, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walltime {
    text: String,
    duration: Duration,
}

impl Walltime {
    /// How long it is.
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

/// A text that is no time of Slurm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a time as sbatch takes it, above 0: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes or days-hours:minutes:seconds"
)]
pub struct NoWalltime;

impl FromStr for Walltime {
    type Err = NoWalltime;

    fn from_str(text: &str) -> Result<Self, NoWalltime> {
        let (days, rest) = match text.split_once('-') {
            Some((days, rest)) => (Some(number(days)?), rest),
            None => (None, text),
        };
        let fields: Vec<u64> = rest.split(':').map(number).collect::<Result<_, _>>()?;
        let (hours, minutes, seconds) = match (days, fields.as_slice()) {
            (None, [minutes]) => (0, *minutes, 0),
            (None, [minutes, seconds]) => (0, *minutes, *seconds),
            (Some(_), [hours]) => (*hours, 0, 0),
            (Some(_), [hours, minutes]) => (*hours, *minutes, 0),
            (_, [hours, minutes, seconds]) => (*hours, *minutes, *seconds),
            _ => return Err(NoWalltime),
        };
        let hours = days.unwrap_or(0) * 24 + hours;
        let seconds = (hours * 60 + minutes) * 60 + seconds;
        match seconds {
            0 => Err(NoWalltime),
            seconds => Ok(Self {
                text: text.to_owned(),
                duration: Duration::from_secs(seconds),
            }),
        }
    }
}

impl fmt::Display for Walltime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Digits alone, few enough for a sum of seconds.
fn number(text: &str) -> Result<u64, NoWalltime> {
    let is_number = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(NoWalltime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_slurms() {
        for (text, seconds) in [
            ("10", 600),
            ("10:30", 630),
            ("1:00:05", 3605),
            ("2-12", 216_000),
            ("1-0:30", 88_200),
            ("1-00:00:01", 86_401),
        ] {
            let walltime: Walltime = text.parse().unwrap();
            assert_eq!(walltime.duration(), Duration::from_secs(seconds), "{text}");
            assert_eq!(walltime.to_string(), text);
        }
        for text in [
            "",
            "0",
            "1h",
            "-1",
            "1-",
            "1:2:3:4",
            "+5",
            "0-0",
            "1-1:1:1:1",
        ] {
            assert_eq!(text.parse::<Walltime>(), Err(NoWalltime), "{text}");
        }
    }
}
