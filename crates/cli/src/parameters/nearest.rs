//! The name that was perhaps meant.

/// The name with the fewest edits from `wanted`, if they are at most a third of its letters.
pub(super) fn nearest(wanted: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let limit = (wanted.chars().count() / 3).max(1);
    names
        .map(|name| (edits(wanted, &name), name))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Letters to insert, remove, replace or swap with their neighbour (the optimal string alignment distance).
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before = vec![0; to.len() + 1];
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let is_other = usize::from(from[i - 1] != to[j - 1]);
            row[j] = (above[j - 1] + is_other)
                .min(above[j] + 1)
                .min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = above;
        above = row;
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (from, to, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("spot", "spot", 0),
            ("spto", "spot", 1),
            ("strike", "stroke", 1),
            ("strik", "strike", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(from, to), count, "{from} {to}");
            assert_eq!(edits(to, from), count, "{to} {from}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let names = || ["spot", "strike", "rate"].into_iter().map(str::to_owned);
        assert_eq!(nearest("spto", names()), Some("spot".into()));
        assert_eq!(nearest("strikes", names()), Some("strike".into()));
        assert_eq!(nearest("volatility", names()), None);
        assert_eq!(nearest("x", names()), None);
    }
}
