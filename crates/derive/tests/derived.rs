//! The derived implementation, compiled and run against a trait of the same shape as Croupier's: this crate is below
//! the one that holds the real trait.

use croupier_derive::Tally;

/// The names that derived code uses, and nothing more.
mod root {
    #[derive(Debug, PartialEq)]
    pub(crate) struct NotFinite(pub(crate) String);

    impl NotFinite {
        pub(crate) fn within(self, field: &'static str) -> Self {
            Self(format!("{field}.{}", self.0))
        }
    }

    #[derive(Debug, PartialEq)]
    pub(crate) struct Misfit(pub(crate) String);

    impl Misfit {
        pub(crate) fn within(self, field: &'static str) -> Self {
            Self(format!("{field}.{}", self.0))
        }
    }

    #[derive(Default)]
    pub(crate) struct Estimates {
        pub(crate) path: Vec<&'static str>,
        pub(crate) listed: Vec<String>,
    }

    impl Estimates {
        pub(crate) fn within(&mut self, field: &'static str, list: impl FnOnce(&mut Self)) {
            self.path.push(field);
            list(self);
            self.path.pop();
        }
    }

    pub(crate) trait Tally: Clone + Send + Sync + 'static {
        fn begin_block(&mut self, block: u64);
        fn merge(&mut self, right: Self);
        fn end_block(&mut self) -> Result<(), NotFinite>;
        fn fits(&self, right: &Self) -> Result<(), Misfit>;
        fn estimates(&self, estimates: &mut Estimates);
    }
}

/// Remembers what was merged, in order.
#[derive(Clone, Debug, PartialEq)]
struct Words(String);

impl root::Tally for Words {
    fn begin_block(&mut self, block: u64) {
        self.0 += &format!("{block}:");
    }

    fn merge(&mut self, right: Self) {
        self.0 += &right.0;
    }

    fn end_block(&mut self) -> Result<(), root::NotFinite> {
        if self.0.contains("NaN") {
            return Err(root::NotFinite("words".into()));
        }
        self.0.push('|');
        Ok(())
    }

    fn fits(&self, right: &Self) -> Result<(), root::Misfit> {
        if self.0.len() == right.0.len() {
            Ok(())
        } else {
            Err(root::Misfit("words".into()))
        }
    }

    fn estimates(&self, estimates: &mut root::Estimates) {
        let line = format!("{}={}", estimates.path.join("."), self.0);
        estimates.listed.push(line);
    }
}

#[derive(Clone, Debug, PartialEq, Tally)]
#[tally(crate = "crate::root")]
struct Pair<T> {
    /// `right` is also the name of `merge`'s argument.
    right: T,
    r#type: Words,
}

#[derive(Clone, Debug, PartialEq, Tally)]
#[tally(crate = "crate::root")]
struct Nested<T, const N: usize> {
    pair: Pair<T>,
    alone: Words,
}

fn words(text: &str) -> Words {
    Words(text.into())
}

fn nested(texts: [&str; 3]) -> Nested<Words, 3> {
    let [right, kind, alone] = texts.map(words);
    let pair = Pair {
        right,
        r#type: kind,
    };
    Nested { pair, alone }
}

#[test]
fn self_is_the_left_one() {
    let mut left = nested(["a", "b", "c"]);
    root::Tally::merge(&mut left, nested(["x", "y", "z"]));
    assert_eq!(left, nested(["ax", "by", "cz"]));
}

#[test]
fn every_field_begins_the_block() {
    let mut tally = nested(["a", "b", "c"]);
    root::Tally::begin_block(&mut tally, 7);
    assert_eq!(tally, nested(["a7:", "b7:", "c7:"]));
}

#[test]
fn every_field_ends_its_block() {
    let mut tally = nested(["a", "b", "c"]);
    assert_eq!(root::Tally::end_block(&mut tally), Ok(()));
    assert_eq!(tally, nested(["a|", "b|", "c|"]));
}

#[test]
fn what_is_not_finite_is_named_by_its_path() {
    let mut tally = nested(["a", "NaN", "NaN"]);
    let refused = root::Tally::end_block(&mut tally);
    assert_eq!(refused, Err(root::NotFinite("pair.type.words".into())));
}

#[test]
fn what_does_not_fit_is_named_by_its_path() {
    let left = nested(["a", "b", "c"]);
    let fits = |right| root::Tally::fits(&left, &nested(right));
    assert_eq!(fits(["x", "y", "z"]), Ok(()));
    let misfit = root::Misfit("pair.type.words".into());
    assert_eq!(fits(["x", "yy", "zz"]), Err(misfit));
}

#[test]
fn estimates_are_listed_under_their_fields() {
    let mut estimates = root::Estimates::default();
    root::Tally::estimates(&nested(["a", "b", "c"]), &mut estimates);
    assert_eq!(estimates.listed, ["pair.right=a", "pair.type=b", "alone=c"]);
}
