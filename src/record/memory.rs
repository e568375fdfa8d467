//! What memory a process holds, by the kernel's books.

use std::fs;

use serde::{Deserialize, Serialize};

/// How much memory a process holds, in bytes. `None`: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMemory {
    /// Which process.
    pub pid: u32,
    /// What it has in memory, shared pages counted whole.
    pub rss: Option<u64>,
    /// The most of that it ever had since its program was executed. Not in every look; `None` in between.
    #[serde(default)]
    pub peak: Option<u64>,
    /// What it has in memory with each shared page divided by those who share it, so that processes may be added up. Not
    /// in every look; `None` in between.
    pub pss: Option<u64>,
}

impl ProcessMemory {
    /// Of a process, by looking now. The kernel's own peak (`VmHWM`) is that of this program: what `getrusage` tells also
    /// counts what the process was before it executed it.
    pub fn read(pid: u32) -> ProcessMemory {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let (rss, peak) = (field(&status, "VmRSS:"), field(&status, "VmHWM:"));
        ProcessMemory { pid, rss, peak, pss: proportional(pid) }
    }
}

/// Its proportional memory. Walks its page tables, which may take milliseconds.
pub fn proportional(pid: u32) -> Option<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss:")
}

/// A line of the kernel's, which writes in kibibytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let kib = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))?;
    Some(kib.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_or_not_known() {
        let rollup = "55e8-7ffd ---p 00000000 00:00 0 [rollup]\nRss:  1204 kB\nPss:   345 kB\nPss_Dirty: 9 kB\n";
        assert_eq!(field(rollup, "Pss:"), Some(345 << 10));
        assert_eq!(field("Rss: 1 kB\n", "Pss:"), None);
        assert_eq!(ProcessMemory::read(u32::MAX >> 1), ProcessMemory { pid: u32::MAX >> 1, ..Default::default() });
    }

    #[test]
    fn what_a_process_held_for_a_moment_is_its_peak() {
        let before = ProcessMemory::read(std::process::id());
        assert!(before.pss > Some(0) && before.rss > Some(0) && before.peak >= before.rss, "{before:?}");
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        let after = ProcessMemory::read(std::process::id());
        assert!(
            after.peak.unwrap() >= before.rss.unwrap().min(after.rss.unwrap()) + (60 << 20),
            "{before:?} {after:?}"
        );
    }
}
