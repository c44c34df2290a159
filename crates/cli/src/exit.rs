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
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The exit of a given number, as a driver reads it from a child.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [
            Self::Done,
            Self::Failed,
            Self::BadInput,
            Self::NotAccepted,
            Self::BitsDiffer,
            Self::Foreign,
            Self::KernelFailed,
            Self::Stopped,
        ]
        .into_iter()
        .find(|exit| exit.code() == code)
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
    fn codes_are_api_and_are_read_back() {
        let codes = [0, 1, 2, 3, 4, 5, 6, 75];
        assert_eq!(Exit::from_code(3), Some(Exit::NotAccepted));
        for code in 0..=u8::MAX {
            let read = Exit::from_code(code).map(Exit::code);
            assert_eq!(read, codes.contains(&code).then_some(code));
        }
    }

    #[test]
    fn the_process_gets_the_code() {
        assert_eq!(Exit::Stopped.report(), ExitCode::from(75));
    }
}
