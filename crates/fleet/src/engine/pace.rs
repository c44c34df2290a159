//! How fast AWS is called, and how long to rest where that was too fast.

use std::error::Error as StdError;
use std::future::Future;
use std::time::Duration;

use aws_sdk_batch::config::http::HttpResponse;
use aws_sdk_batch::error::{ProvideErrorMetadata, SdkError};
use tokio::time::Instant;

use super::failure::CallError;

/// So often one job is submitted, before that is given up.
pub(super) const MOST_TRIES: u32 = 12;
/// What passes before each look for a job whose submission was not answered.
pub(super) const LOOKS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// So often a call that changes nothing is made, beside what the SDK repeats each time.
const MOST_READS: u32 = 5;
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(20);

/// The pace of one start.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two submissions.
    pause: Duration,
    next: Option<Instant>,
    /// Refused for being too many, one after the other.
    refused: u32,
}

impl Pace {
    /// At most so many a second.
    pub(super) fn new(per_second: Option<u32>) -> Self {
        let pause = per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Self {
            pause,
            next: None,
            refused: 0,
        }
    }

    /// Waits until the next may be submitted.
    pub(super) async fn wait(&mut self) {
        let due = self.due(Instant::now());
        tokio::time::sleep_until(due).await;
    }

    /// When the next may be submitted. Time that was lost is not made up for.
    fn due(&mut self, now: Instant) -> Instant {
        let due = self.next.map_or(now, |next| next.max(now));
        self.next = Some(due + self.pause);
        due
    }

    /// Rests after a refusal, up to twice as long each time, anything of it (full jitter); whether that makes sense
    /// any longer.
    pub(super) async fn rest(&mut self) -> bool {
        self.refused += 1;
        let drawn = croupier_run::drawn_seed().unwrap_or(u64::MAX);
        let share = drawn as f64 / u64::MAX as f64;
        tokio::time::sleep(longest_rest(self.refused).mul_f64(share)).await;
        self.refused < MOST_TRIES
    }

    /// One was taken: what was refused before is forgotten.
    pub(super) fn taken(&mut self) {
        self.refused = 0;
    }
}

/// Makes a call that may be repeated until it is answered, with more patience than the SDK has.
pub(super) async fn persist<T, E, F>(call: impl Fn() -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    E: ProvideErrorMetadata + StdError + 'static,
{
    let mut pace = Pace::new(None);
    for _ in 1..MOST_READS {
        match call().await.map_err(|error| CallError::of(&error)) {
            Err(error) if error.is_passing() => {
                pace.rest().await;
            }
            answered => return answered,
        }
    }
    call().await.map_err(|error| CallError::of(&error))
}

/// The most that is rested after so many refusals.
fn longest_rest(refused: u32) -> Duration {
    FIRST_REST
        .saturating_mul(1 << refused.min(10))
        .min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_are_apart_by_their_share_of_a_second() {
        let (mut pace, began) = (Pace::new(Some(40)), Instant::now());
        let due: Vec<u128> = (0..4)
            .map(|_| (pace.due(began) - began).as_millis())
            .collect();
        assert_eq!(due, [0, 25, 50, 75]);
        let late = began + Duration::from_secs(10);
        assert_eq!(pace.due(late), late);
        assert_eq!(pace.due(late) - late, Duration::from_millis(25));
        let mut free = Pace::new(None);
        assert!((0..9).all(|_| free.due(began) == began));
    }

    #[test]
    fn rests_grow_up_to_a_limit() {
        let rests = [1, 2, 3, 30].map(longest_rest);
        assert_eq!(rests.map(|rest| rest.as_secs()), [1, 2, 4, 20]);
    }
}
