//! Many tallies side by side: named, merged one by one, refused where they are not as many.

use croupier_compute::{ByName, Histogram, Mean, NotFinite, Tally};
use serde::{Deserialize, Serialize};

use crate::tree::{estimate, estimates, merged};

fn recorded<T: Tally>(mut tally: T, mut record: impl FnMut(&mut T)) -> T {
    record(&mut tally);
    tally.end_block().unwrap();
    tally
}

fn names<T: Tally>(tally: &T) -> Vec<String> {
    let all = estimates(tally);
    let names = all.named().iter().map(|(name, _)| name.clone());
    names.collect()
}

fn grid() -> ByName<Mean> {
    ByName::new([("strike=90", Mean::new()), ("strike=100", Mean::new())])
}

#[test]
fn each_is_merged_with_its_like() {
    let block = |at: f64| {
        let array = recorded(
            [const { Mean::new as fn() -> Mean }; 3].map(|new| new()),
            |array| {
                for (place, mean) in array.iter_mut().enumerate() {
                    mean.record(at + 10.0 * place as f64);
                }
            },
        );
        let vector = recorded(vec![Mean::new(); 40], |vector| vector[39].record(at));
        let by_name = recorded(grid(), |grid| {
            grid[0].record(at);
            grid[1].record(2.0 * at);
        });
        (array, vector, by_name)
    };
    let blocks: Vec<_> = [1.0, 2.0, 6.0].into_iter().map(block).collect();
    let array = merged(blocks.iter().map(|block| block.0.clone()).collect());
    assert_eq!(names(&array), ["0", "1", "2"]);
    assert_eq!(estimate(&array, "2").value, Some(23.0));
    let vector = merged(blocks.iter().map(|block| block.1.clone()).collect());
    assert_eq!(estimate(&vector, "39").value, Some(3.0));
    assert_eq!(
        estimates(&vector).notes()[38],
        "`38` has no samples: nothing can be estimated"
    );
    let by_name = merged(blocks.into_iter().map(|block| block.2).collect());
    assert_eq!(names(&by_name), ["strike=90", "strike=100"]);
    assert_eq!(estimate(&by_name, "strike=100").value, Some(6.0));
    assert_eq!(by_name.get("strike=90").and_then(Mean::mean), Some(3.0));
    assert!(by_name.get("strike=95").is_none());
    assert_eq!((by_name.len(), by_name.iter().count()), (2, 2));
}

#[test]
fn what_is_not_finite_is_named() {
    let mut vector = vec![[Mean::new(), Mean::new()]; 3];
    vector[2][1].record(f64::NAN);
    let said = vector.end_block().unwrap_err().to_string();
    assert_eq!(said, "recorded what is not finite in 2.1: NaN");
    let mut by_name = grid();
    by_name[1].record(f64::INFINITY);
    let said = by_name.end_block().unwrap_err().to_string();
    assert_eq!(
        said,
        "recorded what is not finite in strike=100: an infinity"
    );
}

#[test]
fn other_lengths_and_names_do_not_fit() {
    let misfit =
        |left: &dyn Fn() -> Result<(), croupier_compute::Misfit>| left().unwrap_err().to_string();
    let three = vec![Mean::new(); 3];
    assert_eq!(three.fits(&three), Ok(()));
    assert_eq!(
        misfit(&|| three.fits(&vec![Mean::new(); 4])),
        "4 tallies, expected 3"
    );
    let renamed = ByName::new([("strike=90", Mean::new()), ("strike=110", Mean::new())]);
    assert_eq!(grid().fits(&grid()), Ok(()));
    assert_eq!(
        misfit(&|| grid().fits(&renamed)),
        "a tally called \"strike=110\", expected \"strike=100\""
    );
    let [few, many] = [2, 3].map(|bins| vec![Histogram::uniform(0.0, 1.0, bins)]);
    let said = misfit(&|| few.fits(&many));
    assert_eq!(
        said,
        "0: a histogram of 3 uniform bins from 0 to 1, expected 2 uniform bins from 0 to 1"
    );
    let [few, many] = [few, many].map(|bins| [ByName::new([("x", bins)])]);
    assert!(misfit(&|| few.fits(&many)).starts_with("0.x.0: a histogram"));
    let merging = std::panic::catch_unwind(|| vec![Mean::new(); 3].merge(vec![Mean::new(); 4]));
    assert!(merging.is_err());
}

#[test]
fn names_are_told_apart() {
    for (bad, expected) in [
        ([("a", 1), ("a", 2)], "two tallies"),
        ([("a", 1), ("", 2)], "nothing"),
    ] {
        let error = ByName::try_new(bad).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Remembers which blocks it was told of.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Blocks(Vec<u64>);

impl Tally for Blocks {
    fn begin_block(&mut self, block: u64) {
        self.0.push(block);
    }
    fn merge(&mut self, _: Self) {}
    fn end_block(&mut self) -> Result<(), NotFinite> {
        Ok(())
    }
    fn estimates(&self, _: &mut croupier_compute::Estimates) {}
}

#[test]
fn each_is_told_its_block() {
    let mut all = [vec![ByName::new([
        ("x", Blocks::default()),
        ("y", Blocks::default()),
    ])]];
    all.begin_block(7);
    assert!(all[0][0].iter().all(|(_, blocks)| blocks.0 == [7]));
}
