//! How far a worker is: a bar where somebody looks, else a line a minute.

use std::sync::Arc;
use std::time::{Duration, Instant};

use croupier_compute::engine::Control;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

use crate::{environment, number};

const LOOK_EVERY: Duration = Duration::from_millis(100);
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Shows progress until it is dropped.
pub(crate) struct Progress(JoinHandle<()>);

impl Progress {
    /// Shows how many of `samples` samples `control` has seen done.
    pub(crate) fn show(control: Arc<Control>, samples: u64, what: String) -> Self {
        Self(if environment::stderr_is_a_terminal() {
            tokio::spawn(bar(control, samples, what))
        } else {
            tokio::spawn(lines(control, samples, what))
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn bar(control: Arc<Control>, samples: u64, what: String) {
    let bar = Clearing(ProgressBar::new(samples));
    let template = "{msg} {wide_bar} {percent:>3} %  {per_sec}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        let style = style.with_key(
            "per_sec",
            |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(
                    out,
                    "{} samples/s",
                    number::format_quantity(state.per_sec())
                );
            },
        );
        bar.0.set_style(style);
    }
    bar.0.set_message(what);
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        bar.0.set_position(control.samples());
    }
}

/// A bar that leaves no trace, however its task ends.
struct Clearing(ProgressBar);

impl Drop for Clearing {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn lines(control: Arc<Control>, samples: u64, what: String) {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(SAY_EVERY);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let done = control.samples();
        let rate = done as f64 / started.elapsed().as_secs_f64();
        eprintln!(
            "{what}: {} of {} samples, {} a second",
            number::format_count(done),
            number::format_count(samples),
            number::format_quantity(rate)
        );
    }
}
