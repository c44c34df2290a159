//! Exit codes: what a scheduler, a script or a driver learns without reading a word. They are API, like `--json`; texts
//! for people are not.

use std::process::{ExitCode, Termination};

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// 0: done, and the policy accepts the result.
    Done = 0,
    /// 1: failed, and worth a retry: a store out of reach, a worker that died.
    Failed = 1,
    /// 2: bad usage or input; the same call will fail the same way.
    BadInput = 2,
    /// 3: the policy refuses the result, which is printed and written all the same, marked not accepted.
    NotAccepted = 3,
    /// 4: bits differ where they must not; both sides were kept.
    BitsDiffer = 4,
    /// 5: foreign: a partial or an executable of another identity.
    Foreign = 5,
    /// 6: the kernel failed on a sample, and will again.
    KernelFailed = 6,
    /// 75: stopped in time with its work kept; run it again. `EX_TEMPFAIL` of sysexits.h.
    Stopped = 75,
}

impl Exit {
    /// All of them, the worst first.
    ///
    /// What no retry mends comes before what a retry may mend. First what makes a result untrue (4, 5), then why there
    /// is none (6), then that there is one which is refused (3), then a call that was wrong (2), for then nothing else
    /// was tried in earnest; then failures that a retry may mend (1, 75), and last that all is done.
    pub const WORST_FIRST: [Self; 8] = [
        Self::BitsDiffer,
        Self::Foreign,
        Self::KernelFailed,
        Self::NotAccepted,
        Self::BadInput,
        Self::Failed,
        Self::Stopped,
        Self::Done,
    ];

    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The exit of a given number, as a driver reads it from a child.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::WORST_FIRST
            .into_iter()
            .find(|exit| exit.code() == code)
    }

    /// The one to report where both hold, by the order of [`WORST_FIRST`](Self::WORST_FIRST).
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        if self.rank() <= other.rank() {
            self
        } else {
            other
        }
    }

    /// The position in `WORST_FIRST`; a test holds the two together.
    const fn rank(self) -> u8 {
        match self {
            Self::BitsDiffer => 0,
            Self::Foreign => 1,
            Self::KernelFailed => 2,
            Self::NotAccepted => 3,
            Self::BadInput => 4,
            Self::Failed => 5,
            Self::Stopped => 6,
            Self::Done => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_api() {
        let codes = Exit::WORST_FIRST.map(Exit::code);
        assert_eq!(codes, [4, 5, 6, 3, 2, 1, 75, 0]);
    }

    #[test]
    fn codes_are_read_back() {
        for exit in Exit::WORST_FIRST {
            assert_eq!(Exit::from_code(exit.code()), Some(exit));
        }
        assert_eq!(Exit::from_code(137), None);
    }

    #[test]
    fn the_worst_of_two_is_the_one_listed_first() {
        for (position, a) in Exit::WORST_FIRST.into_iter().enumerate() {
            assert_eq!(usize::from(a.rank()), position);
            for b in &Exit::WORST_FIRST[position..] {
                assert_eq!(a.worst(*b), a);
                assert_eq!(b.worst(a), a);
            }
        }
    }

    #[test]
    fn the_process_gets_the_code() {
        assert_eq!(Exit::Stopped.report(), ExitCode::from(75));
    }
}
