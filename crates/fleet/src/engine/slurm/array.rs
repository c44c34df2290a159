//! How shards are dealt to job arrays.

use std::fmt::Write;

/// A job array: index i is shard `offset + i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Array {
    pub(super) offset: u32,
    /// As `--array` takes them: `1,3-7`.
    pub(super) indexes: String,
}

/// Slurm takes at most 4096 letters of indexes; the rest is for the limit.
const MOST_LETTERS: usize = 4000;

/// `MaxArraySize` of the answer to `scontrol show config`.
pub(super) fn largest(config: &str) -> Option<u32> {
    let line = config
        .lines()
        .find_map(|line| line.strip_prefix("MaxArraySize"))?;
    let number = line.trim_start().strip_prefix('=')?.trim();
    number.parse().ok().filter(|largest| *largest > 0)
}

/// Arrays of exactly `shards`, with indexes below `largest`.
pub(super) fn arrays(shards: &[u32], largest: u32) -> Vec<Array> {
    let largest = largest.max(1);
    let mut sorted = shards.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut arrays: Vec<Array> = Vec::new();
    let mut rest = sorted.as_slice();
    while let [first, ..] = rest {
        let offset = first - first % largest;
        let length = rest
            .iter()
            .zip(*first..)
            .take_while(|(shard, expected)| *shard == expected && *shard - offset < largest)
            .count();
        let (first, last) = (rest[0] - offset, rest[length - 1] - offset);
        rest = &rest[length..];
        let array = match arrays.pop() {
            Some(array) if array.offset == offset && array.indexes.len() < MOST_LETTERS => array,
            full => {
                arrays.extend(full);
                Array {
                    offset,
                    indexes: String::new(),
                }
            }
        };
        arrays.push(array.with(first, last));
    }
    arrays
}

impl Array {
    fn with(mut self, first: u32, last: u32) -> Self {
        if !self.indexes.is_empty() {
            self.indexes.push(',');
        }
        // Writing to a string does not fail.
        let _ = match first == last {
            true => write!(self.indexes, "{first}"),
            false => write!(self.indexes, "{first}-{last}"),
        };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(shards: &[u32], largest: u32) -> Vec<String> {
        let array = |array: Array| format!("{}+{}", array.offset, array.indexes);
        arrays(shards, largest).into_iter().map(array).collect()
    }

    #[test]
    fn holes_are_a_sparse_array() {
        assert_eq!(written(&[7, 1, 3, 4, 5, 9, 9], 1001), ["0+1,3-5,7,9"]);
        assert_eq!(written(&[7], 1001), ["0+7"]);
        assert!(written(&[], 1001).is_empty());
    }

    #[test]
    fn no_index_reaches_the_largest_array() {
        let all: Vec<u32> = (0..25).collect();
        assert_eq!(written(&all, 10), ["0+0-9", "10+0-9", "20+0-4"]);
        assert_eq!(written(&[9, 10, 19, 31], 10), ["0+9", "10+0,9", "30+1"]);
        let last = [u32::MAX - 1, u32::MAX];
        assert_eq!(written(&last, u32::MAX), ["0+4294967294", "4294967295+0"]);
    }

    #[test]
    fn indexes_are_not_longer_than_slurm_takes() {
        let scattered: Vec<u32> = (0..10_000).step_by(2).collect();
        let arrays = arrays(&scattered, 10_001);
        assert_eq!(arrays.len(), 7);
        let mut met: Vec<u32> = Vec::new();
        for array in arrays {
            assert!(array.indexes.len() <= 4090, "{}", array.indexes.len());
            met.extend(
                array
                    .indexes
                    .split(',')
                    .map(|index| index.parse::<u32>().unwrap()),
            );
        }
        assert_eq!(met, scattered);
    }

    #[test]
    fn the_largest_array_is_the_clusters() {
        let config = "MaxArrayTasks = 3\nMaxArraySize            = 1001\nMaxDBDMsgs = 0\n";
        assert_eq!(largest(config), Some(1001));
        assert_eq!(largest("MaxArraySize            = 0\n"), None);
        assert_eq!(largest(""), None);
    }
}
