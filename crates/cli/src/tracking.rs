//! Tells a tracker what becomes of a shard, where one is asked for. The run's partials stay the truth: a tracker that
//! is out of reach is warned of, and the work goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use croupier_fleet::tracker::{
    self, Claim, Claimant, FailureClass, InStore, Lease, Renewed, Terms, Tracker,
};
use croupier_run::{Error, Machine, StoredRun, Worked};
use tokio::task::JoinHandle;

use crate::CliError;
use crate::exit::Exit;
use crate::flags::{ClaimFlags, TrackerFlags};

/// A shard that is this worker's, by the tracker.
pub(crate) struct Tracking {
    tracker: Arc<dyn Tracker>,
    lease: Lease,
    renewing: JoinHandle<()>,
}

/// A dead worker's lease has run out by then, whatever the clocks say.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The tracker that the flags name.
pub(crate) async fn open(
    flags: &TrackerFlags,
    run: &StoredRun,
) -> Result<Option<Arc<dyn Tracker>>, CliError> {
    match &flags.tracker {
        None => Ok(None),
        Some(uri) if uri == "store" => {
            let tracker = InStore::new(run.folder(), &run.uri(), Terms::default())?;
            Ok(Some(Arc::new(tracker)))
        }
        Some(uri) => Ok(Some(
            tracker::open(uri, &run.uri(), Terms::default()).await?,
        )),
    }
}

impl Tracking {
    /// Claims `shard` for the attempt `id`. None where nobody asked for a tracker, or it can't be asked. Where another
    /// worker has the shard, it is waited for, as long as a dead one's lease takes to run out.
    ///
    /// # Errors
    ///
    /// Where it was given up, or another worker keeps it, or `is_stopped` says that this one is to end.
    pub(crate) async fn begin(
        flags: &ClaimFlags,
        run: &StoredRun,
        shard: u32,
        id: &str,
        is_stopped: impl Fn() -> bool,
    ) -> Result<Option<Self>, CliError> {
        let began = Instant::now();
        let mut said = false;
        loop {
            let claimed = Self::claim(flags, run, shard, id).await;
            let Err(CliError::Tracked {
                what,
                exit: Exit::Stopped,
            }) = &claimed
            else {
                return claimed;
            };
            if is_stopped() || began.elapsed() > LONGEST_WAIT {
                return claimed;
            }
            if !std::mem::replace(&mut said, true) {
                eprintln!("{what}; waiting for it");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Says for an attempt that died how it did.
    pub(crate) async fn end_dead(
        flags: &ClaimFlags,
        run: &StoredRun,
        shard: u32,
        id: &str,
        class: FailureClass,
        how: &str,
    ) -> Result<(), CliError> {
        // Who holds a lease already is granted it again.
        if let Some(tracking) = Self::claim(flags, run, shard, id).await? {
            tracking.renewing.abort();
            tracking.tracker.fail(&tracking.lease, class, how).await?;
        }
        Ok(())
    }

    async fn claim(
        flags: &ClaimFlags,
        run: &StoredRun,
        shard: u32,
        id: &str,
    ) -> Result<Option<Self>, CliError> {
        let Some(tracker) = open(&flags.tracker, run).await? else {
            return Ok(None);
        };
        let claimant = Claimant {
            attempt: id.to_owned(),
            host: Machine::current().host.unwrap_or_default(),
        };
        let claim = match tracker.claim(shard, &claimant, flags.max_attempts).await {
            Ok(claim) => claim,
            Err(error) if error.is_retryable() => {
                eprintln!("warning: {error}; the shard is worked on untracked");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        match claim {
            Claim::Granted(lease) => Ok(Some(Self {
                renewing: tokio::spawn(renew(Arc::clone(&tracker), lease.clone())),
                tracker,
                lease,
            })),
            // Its partial may be gone, and is looked for.
            Claim::Done => Ok(None),
            Claim::Held { host, .. } => Err(CliError::Tracked {
                what: format!(
                    "shard {shard} is being worked on, on {host}: its lease has not run out"
                ),
                exit: Exit::Stopped,
            }),
            Claim::GivenUp {
                attempts,
                class,
                message,
            } => Err(CliError::Tracked {
                what: match class {
                    FailureClass::Kernel => format!(
                        "shard {shard} was given up: its kernel failed, and will again ({message}); another build may run it without --tracker"
                    ),
                    class => format!(
                        "shard {shard} was given up after {attempts} attempts ({}: {message}); --max-attempts allows more",
                        class.name()
                    ),
                },
                exit: match class {
                    FailureClass::Kernel => Exit::KernelFailed,
                    _ => Exit::Failed,
                },
            }),
        }
    }

    /// Says how it ended.
    pub(crate) async fn end(self, outcome: &Result<Worked, CliError>) {
        self.renewing.abort();
        let (tracker, lease) = (&self.tracker, &self.lease);
        let told = match outcome {
            Ok(_) => tracker.complete(lease).await,
            Err(error) => {
                let class = class(error);
                tracker.fail(lease, class, &error.to_string()).await
            }
        };
        if let Err(error) = told {
            eprintln!("warning: {error}; the tracker is told by the next attempt, or by `drive`");
        }
    }
}

fn class(error: &CliError) -> FailureClass {
    match error {
        CliError::Run(Error::Stopped { .. } | Error::RunStopped { .. }) => FailureClass::Stopped,
        error if error.exit() == Exit::KernelFailed => FailureClass::Kernel,
        _ => FailureClass::Failed,
    }
}

/// Keeps the lease until it is lost, or the worker has ended.
async fn renew(tracker: Arc<dyn Tracker>, lease: Lease) {
    loop {
        tokio::time::sleep(Terms::default().renew_every()).await;
        match tracker.renew(&lease).await {
            // Somebody else has the shard: both publish the same, and that one marks it.
            Ok(Renewed::Lost) => return,
            Ok(Renewed::Until(_)) => {}
            Err(error) => eprintln!("warning: {error}"),
        }
    }
}
