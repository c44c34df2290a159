//! The machine and process a worker runs on: for attempt records, which explain and never decide.

use std::fs;
use std::io::Read;

use crate::executable::build_id;

/// What this machine is, and what this process has used so far. What a system doesn't tell is none.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Its name.
    pub host: Option<String>,
    /// The processor's model.
    pub cpu: Option<String>,
    /// Which build of the C library's functions (`f64::ln`, `exp`, `sin`) this process has: the linker's id of
    /// `libm`. None where they are a part of the program.
    pub libm: Option<String>,
}

impl Machine {
    /// This one.
    pub fn current() -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        Self {
            host: host.map(|host| host.trim().to_owned()),
            cpu,
            libm: libm(),
        }
    }

    /// This process, so that nobody else in the world is called so: its number, the namespace that this is counted in,
    /// and the start of the system that has it. None where the system doesn't tell.
    pub fn process() -> Option<String> {
        let number = std::process::id();
        Some(format!("{number} {}", processes()?))
    }

    /// Whether `process`, as [`process`](Self::process) calls it, ran where this one runs, and is no longer there.
    pub fn is_gone(process: &str) -> bool {
        let Some((number, place)) = process.split_once(' ') else {
            return false;
        };
        let is_here = processes().is_some_and(|here| here == place);
        is_here
            && number.parse().is_ok_and(|number: u32| {
                !std::path::Path::new("/proc")
                    .join(number.to_string())
                    .exists()
            })
    }

    /// CPU time of this process so far, in seconds, all threads together.
    pub fn cpu_seconds() -> Option<f64> {
        // Fields 14 and 15, user and system time in clock ticks. Linux counts them at 100 a second for
        // every program. The name in field 2 may hold spaces, so counting starts after it.
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some((user + system) as f64 / 100.0)
    }

    /// The most memory this process has held, in bytes.
    pub fn memory_peak_bytes() -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }
}

/// The id of the `libm` that this process has loaded.
fn libm() -> Option<String> {
    // Headers and notes come first in a file.
    const HEAD_BYTES: u64 = 64 << 10;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let is_libm = |path: &&str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        path.starts_with('/') && (name.starts_with("libm.so") || name.starts_with("libm-"))
    };
    let mut paths = maps
        .lines()
        .filter_map(|line| Some(&line[line.find('/')?..]));
    let file = fs::File::open(paths.find(is_libm)?).ok()?;
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    build_id(&head).map(hex::encode)
}

/// Where this system counts its processes.
fn processes() -> Option<String> {
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{} {}", namespace.to_str()?, boot.trim()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::Machine;

    #[test]
    fn linux_tells_all_of_it() {
        let machine = Machine::current();
        assert!(machine.host.is_some_and(|host| !host.is_empty()));
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert_eq!(machine.libm.is_some(), maps.contains("/libm.so"));
        assert!(Machine::memory_peak_bytes().is_some_and(|bytes| bytes > 100_000));
        let process = Machine::process().unwrap();
        assert!(!Machine::is_gone(&process));
        let (_, place) = process.split_once(' ').unwrap();
        assert!(Machine::is_gone(&format!("{} {place}", u32::MAX)));
        assert!(!Machine::is_gone(&format!("{} elsewhere", u32::MAX)));
        assert!(Machine::cpu_seconds().is_some_and(|seconds| seconds >= 0.0));
    }
}
