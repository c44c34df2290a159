//! Two kernels and a task in one program, for what is said of cases and tasks.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use croupier::prelude::*;

/// Draws from an interval.
#[derive(Args, Serialize, Deserialize)]
struct Uniform {
    /// Where it begins
    #[arg(long, allow_negative_numbers = true)]
    low: f64,
    /// How long it is
    #[arg(long, default_value_t = 1.0)]
    length: f64,
    /// Die where this file is not there, without a word
    #[arg(long)]
    needs: Option<PathBuf>,
}

impl Kernel for Uniform {
    type Rng = ChaCha8Rng;
    type Tally = Mean;

    const BLOCK: u64 = 16;

    fn tally(&self) -> Mean {
        Mean::new()
    }

    fn validate(&self) -> Result<(), Failure> {
        if self.length < 0.0 {
            return Err(Failure::new(format!(
                "length is {}: give 0 or more",
                self.length
            )));
        }
        Ok(())
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, mean: &mut Mean) {
        if self.needs.as_deref().is_some_and(|file| !file.exists()) {
            std::process::abort();
        }
        mean.record(self.low + self.length * rng.random::<f64>());
    }
}

/// Throws a coin.
#[derive(Args, Serialize, Deserialize)]
struct Coin {}

impl Kernel for Coin {
    type Rng = ChaCha8Rng;
    type Tally = Proportion;

    fn tally(&self) -> Proportion {
        Proportion::new()
    }

    fn sample(&self, _sample: u64, rng: &mut Stream<ChaCha8Rng>, heads: &mut Proportion) {
        heads.record(rng.random());
    }
}

/// Notes that it was here.
#[derive(Args, Serialize, Deserialize)]
struct Visit {
    /// The file that it adds a line to
    #[arg(long)]
    book: PathBuf,
    /// What it says
    #[arg(long, default_value = "hello")]
    words: String,
    /// Fail while this file is not there
    #[arg(long)]
    needs: Option<PathBuf>,
    /// Say that it will fail again
    #[arg(long)]
    hopeless: bool,
    /// Return only once this file is there
    #[arg(long)]
    wait_for: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Visited {
    words: String,
    /// How many lines the book had before: another number each time.
    before: u64,
}

impl Task for Visit {
    type Row = Visited;

    async fn perform(&self) -> Result<Visited, TaskFailure> {
        if self.hopeless {
            return Err(TaskFailure::permanent("nobody is here"));
        }
        if let Some(file) = self.needs.as_deref()
            && !file.exists()
        {
            return Err(TaskFailure::new("the door is locked"));
        }
        let before = match std::fs::read_to_string(&self.book) {
            Ok(book) => book.lines().count() as u64,
            Err(_) => 0,
        };
        let mut book = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.book)?;
        writeln!(book, "{}", self.words)?;
        if let Some(file) = self.wait_for.as_deref() {
            wait_for(file).await;
        }
        Ok(Visited {
            words: self.words.clone(),
            before,
        })
    }
}

async fn wait_for(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn main() -> ExitCode {
    croupier::app()
        .kernel::<Uniform>()
        .kernel::<Coin>()
        .task::<Visit>()
        .main()
}
