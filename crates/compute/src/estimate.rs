//! Values with their standard errors, by name.

/// What one tally says of one quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate itself; none where it can't be made.
    pub value: Option<f64>,
    /// Its standard error; none where it can't be estimated.
    pub std_error: Option<f64>,
    /// Its confidence interval, low and high, at the level of the [`Estimates`] it is in.
    pub interval: Option<[f64; 2]>,
    /// How many samples it rests on.
    pub samples: u64,
}

/// The named estimates of a tally, and what must be said about those that can't be made.
#[derive(Clone, Debug)]
pub struct Estimates {
    level: f64,
    root: String,
    path: Vec<String>,
    named: Vec<(String, Estimate)>,
    notes: Vec<String>,
    bounds: Vec<(String, [f64; 2])>,
}

impl Estimates {
    /// No estimates yet; intervals at confidence `level`, such as 0.95. A tally that is not a field
    /// of another is called `root`.
    pub fn new(root: impl Into<String>, level: f64) -> Self {
        Self {
            level,
            root: root.into(),
            path: Vec::new(),
            named: Vec::new(),
            notes: Vec::new(),
            bounds: Vec::new(),
        }
    }

    /// The confidence level of all intervals, in (0, 1).
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Adds what `of` says, under the name `field`.
    pub fn within(&mut self, field: &str, of: impl FnOnce(&mut Self)) {
        self.path.push(field.to_owned());
        of(self);
        self.path.pop();
    }

    /// Adds the estimate of the quantity whose name was come to by [`within`](Self::within).
    pub fn push(&mut self, estimate: Estimate) {
        let name = self.name();
        self.named.push((name, estimate));
    }

    /// Says what the reader must know of the quantity whose name was come to; `about` follows the name.
    pub fn note(&mut self, about: &str) {
        let note = format!("`{}` {about}", self.name());
        self.notes.push(note);
    }

    /// Says that the quantity whose name was come to is the mean of its samples, and that each of them lies
    /// in `[low, high]` by what it is, such as a hit or a miss in [0, 1].
    pub fn bounded(&mut self, bounds: [f64; 2]) {
        let name = self.name();
        self.bounds.push((name, bounds));
    }

    /// What every sample of the quantity called `name` lies between, where its tally says so.
    pub fn bounds(&self, name: &str) -> Option<[f64; 2]> {
        let is_it = |(named, _): &&(String, [f64; 2])| named == name;
        self.bounds.iter().find(is_it).map(|(_, bounds)| *bounds)
    }

    /// The estimates in the order they were added, by name.
    pub fn named(&self) -> &[(String, Estimate)] {
        &self.named
    }

    /// The estimate called `name`.
    pub fn get(&self, name: &str) -> Option<&Estimate> {
        self.named
            .iter()
            .find(|(named, _)| named == name)
            .map(|(_, estimate)| estimate)
    }

    /// What must be said about estimates that can't be made.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn name(&self) -> String {
        if self.path.is_empty() {
            self.root.clone()
        } else {
            self.path.join(".")
        }
    }
}
