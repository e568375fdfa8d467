//! The machine a run happens on.

use serde::{Deserialize, Serialize};
use sysinfo::System;

use crate::event::CoreId;

/// What reports say of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Cores this process may use: see [`cores_allowed`].
    pub logical_cores: usize,
    /// Cores of the whole machine, hardware threads not counted. `None`: not known.
    pub physical_cores: Option<usize>,
    /// The operating system and its version, as it calls itself.
    pub os: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Machine {
        let os = System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned());
        Machine { logical_cores: cores_allowed(), physical_cores: System::physical_core_count().ok(), os }
    }
}

/// How many cores' worth of time this process may use: the cores of its affinity mask, or fewer if the quota of its
/// control group (version 1 or 2) is less, rounded down, never less than one. The standard library knows both.
pub fn cores_allowed() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many bytes of memory can still be had: what the kernel calls available, or less where a control group allows
/// less. `None`: not known.
pub fn memory_available() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    let available = Some(system.available_memory()).filter(|bytes| *bytes > 0)?;
    Some(system.cgroup_limits().map_or(available, |limits| available.min(limits.free_memory)))
}

/// How much address space each process may take, in bytes (`ulimit -v`). `None`: as much as there is.
pub fn address_space_allowed() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::As).current
}

/// The cores this process may run on, by its affinity mask. `None`: not known.
pub fn cores_of_affinity() -> Option<Vec<CoreId>> {
    let mask = rustix::thread::sched_getaffinity(None).ok()?;
    let possible = 0..rustix::thread::CpuSet::MAX_CPU;
    Some(possible.filter(|core| mask.is_set(*core)).map(|core| CoreId(core as u16)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_core_for_us_and_no_more_than_the_mask_names() {
        let cores = cores_of_affinity().unwrap();
        assert!((1..=cores.len()).contains(&cores_allowed()));
        assert!(cores.is_sorted());
    }

    #[test]
    fn there_is_memory_for_a_test() {
        assert!(memory_available().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn the_machine_says_what_it_is() {
        let machine = Machine::this();
        assert!(machine.os.contains("Linux"), "{}", machine.os);
        assert!(machine.physical_cores.is_none_or(|cores| cores > 0));
    }
}
