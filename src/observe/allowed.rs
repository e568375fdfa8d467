//! How many of the machine's cores a program may use.
//!
//! # The problem
//! A thread that stands without a core is usually kept from it by other threads. In a container it is as often kept from it
//! by a limit: idle cores do not help who may not run on them, or who has used up his share of a period. Who does not know
//! of the limit looks for other programs that are not there.
//!
//! # The choice
//! The kernel tells all of it. A thread runs on the cores of its affinity (`Cpus_allowed_list` in `/proc/PID/status`), which
//! `taskset` sets, and a container's list of cores. A control group has so many microseconds of core time in each period
//! (`cpu.max`, or `cpu.cfs_quota_us` in the first version of control groups), and so has each group that it is in: the least
//! of them counts. `cpu.stat` counts the periods and those in which all of it was used up. Looked at is the program's first
//! process; what its children are allowed besides is not.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::event::Nanos;
use crate::perf::parse_list;

use super::process::text;

/// How often it is looked at: it seldom changes.
const OFTEN: Nanos = Nanos::from_secs(1);

/// What a program may use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Allowance {
    /// On how many cores it may run.
    pub cores: usize,
    /// How many cores' time its control group may have, if that is limited.
    pub quota: Option<f64>,
    /// How many periods of that limit there were since the beginning in which the group ran at all.
    pub periods: u64,
    /// In how many of them it had used up what it may have, and was held back.
    pub throttled: u64,
}

impl Allowance {
    /// How many cores' time that is, if it is less than all that the machine has: `1`, `0.25`.
    pub fn limit(&self, of_machine: usize) -> Option<String> {
        let limit = self.quota.unwrap_or(f64::INFINITY).min(self.cores as f64);
        (limit < of_machine as f64).then(|| cores_in_words(limit))
    }

    /// The time that its control group may have, in cores.
    pub fn quota_in_words(&self) -> Option<String> {
        self.quota.map(cores_in_words)
    }

    /// In which part of the periods it was held back.
    pub fn throttled_share(&self) -> f64 {
        self.throttled as f64 / self.periods.max(1) as f64
    }
}

fn cores_in_words(cores: f64) -> String {
    format!("{cores:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What is known of one program's allowance.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    read_at: Nanos,
    group: Option<Group>,
    /// Which group's counts are told since when they stood like this.
    counted: Option<(PathBuf, (u64, u64))>,
    last: Option<Allowance>,
}

impl Allowed {
    /// What a process may use, as it was when that was last due to be read, and at the end. Of one that is gone it is what it
    /// was before, with what is counted of its group since.
    pub(super) fn look(&mut self, pid: u32, now: Nanos, is_over: bool) -> Option<Allowance> {
        if self.last.is_some() && self.read_at + OFTEN > now && !is_over {
            return self.last;
        }
        self.read_at = now;
        let cores = cores_of(pid).or(self.last.map(|last| last.cores))?;
        let group = Group::least_of(pid).or(self.group.take());
        let counts = group.as_ref().and_then(Group::counts).unwrap_or_default();
        let path = group.as_ref().map(|group| group.path.clone());
        if self.counted.as_ref().map(|(path, _)| path) != path.as_ref() {
            self.counted = path.map(|path| (path, counts));
        }
        let (periods, throttled) = self.counted.as_ref().map_or(counts, |(_, before)| *before);
        self.last = Some(Allowance {
            cores,
            quota: group.as_ref().map(|group| group.cores),
            periods: counts.0.saturating_sub(periods),
            throttled: counts.1.saturating_sub(throttled),
        });
        self.group = group;
        self.last
    }
}

fn cores_of(pid: u32) -> Option<usize> {
    let status = text(&format!("/proc/{pid}/status")).ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    Some(parse_list(list)?.len())
}

/// A control group that limits core time.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    path: PathBuf,
    cores: f64,
}

impl Group {
    /// The one that allows least of those that a process is in.
    fn least_of(pid: u32) -> Option<Group> {
        let (groups, mounts) = (text(&format!("/proc/{pid}/cgroup")).ok()?, text("/proc/self/mountinfo").ok()?);
        let least = |found: Option<Group>, group: Group| match found {
            Some(found) if found.cores <= group.cores => Some(found),
            _ => Some(group),
        };
        places(&groups, &mounts).into_iter().flat_map(|(mount, path)| limits(&mount, &path)).fold(None, least)
    }

    /// How many periods there were, and how many in which it was held back.
    fn counts(&self) -> Option<(u64, u64)> {
        let stat = fs::read_to_string(self.path.join("cpu.stat")).ok()?;
        let count = |name: &str| {
            stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<u64>().ok())
        };
        Some((count("nr_periods")?, count("nr_throttled")?))
    }
}

/// Where the groups of a process lie that may limit core time, each with what it is mounted at: by `/proc/PID/cgroup` and
/// `/proc/self/mountinfo`.
fn places(groups: &str, mounts: &str) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let is_second = controllers.is_empty();
        if !is_second && !controllers.split(',').any(|it| it == "cpu") {
            continue;
        }
        for mount in mounts.lines() {
            let Some((before, after)) = mount.split_once(" - ") else { continue };
            let (mut before, mut after) = (before.split(' ').skip(3), after.split(' '));
            let (Some(root), Some(at)) = (before.next(), before.next()) else { continue };
            let is_it = match after.next() {
                Some("cgroup2") => is_second,
                Some("cgroup") => !is_second && after.nth(1).is_some_and(|all| all.split(',').any(|it| it == "cpu")),
                _ => false,
            };
            // What is mounted may be a part of the tree.
            let inside = Path::new(path).strip_prefix(root).ok();
            if let Some(inside) = inside.filter(|_| is_it) {
                found.push((PathBuf::from(at), Path::new(at).join(inside)));
                break;
            }
        }
    }
    found
}

/// The groups from this one outwards that limit core time.
fn limits(mount: &Path, path: &Path) -> Vec<Group> {
    let groups = path.ancestors().take_while(|group| group.starts_with(mount));
    groups.filter_map(|group| Some(Group { path: group.to_owned(), cores: limit(group)? })).collect()
}

/// How many cores' time a group may have.
fn limit(group: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let (quota, period) = match read("cpu.max") {
        Some(both) => {
            let (quota, period) = both.trim().split_once(' ')?;
            (quota.to_owned(), period.to_owned())
        }
        None => (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?),
    };
    // `max` and `-1` are no limit.
    let (quota, period): (u64, u64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_are_found_where_they_are_mounted() {
        let mounts = "\
30 23 0:26 / /sys/fs/cgroup ro shared:4 - tmpfs tmpfs rw
31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
33 30 0:29 /docker/a1 /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";
        let groups = "9:cpuset:/x\n4:cpu,cpuacct:/docker/a1\n0::/docker/a1/worker\n";
        let pair = |mount: &str, path: &str| (PathBuf::from(mount), PathBuf::from(path));
        assert_eq!(
            places(groups, mounts),
            [
                pair("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu/docker/a1"),
                pair("/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/worker"),
            ]
        );
        assert_eq!(places("", mounts), []);
        assert_eq!(places("nonsense\n::\n0::/elsewhere", mounts), []);
    }

    #[test]
    fn the_least_of_all_groups_around_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("outer/inner");
        fs::create_dir_all(&inner).unwrap();
        let put = |group: &str, file: &str, what: &str| fs::write(root.path().join(group).join(file), what).unwrap();
        let cores = || limits(root.path(), &inner).into_iter().map(|group| group.cores).collect::<Vec<_>>();
        assert_eq!(cores(), Vec::<f64>::new());
        put("outer/inner", "cpu.max", "max 100000\n");
        put("outer", "cpu.max", "150000 100000\n");
        assert_eq!(cores(), [1.5]);
        put("outer/inner", "cpu.max", "50000 100000\n");
        put("", "cpu.cfs_quota_us", "-1\n");
        put("", "cpu.cfs_period_us", "100000\n");
        assert_eq!(cores(), [0.5, 1.5]);
        put("", "cpu.cfs_quota_us", "25000\n");
        assert_eq!(cores(), [0.5, 1.5, 0.25]);
        for nonsense in ["", "1", "x 1", "1 0", "-5 7"] {
            put("outer", "cpu.max", nonsense);
            assert_eq!(cores(), [0.5, 0.25], "{nonsense:?}");
        }
        put("outer", "cpu.stat", "usage_usec 7\nnr_periods 40\nnr_throttled 12\nthrottled_usec 5\n");
        let group = Group { path: root.path().join("outer"), cores: 1.0 };
        assert_eq!(group.counts(), Some((40, 12)));
        put("outer", "cpu.stat", "nr_periods many\n");
        assert_eq!(group.counts(), None);
    }

    #[test]
    fn the_lower_limit_counts_if_it_is_one() {
        let of = |cores, quota| Allowance { cores, quota, periods: 0, throttled: 0 }.limit(4);
        let words = [of(4, None), of(4, Some(8.0)), of(2, Some(3.0)), of(2, Some(0.25))];
        assert_eq!(words.each_ref().map(Option::as_deref), [None, None, Some("2"), Some("0.25")]);
    }

    #[test]
    fn a_process_may_use_the_cores_of_its_affinity() {
        let mut allowed = Allowed::default();
        let all = allowed.look(std::process::id(), Nanos::ZERO, false).expect("it is there");
        assert_eq!(all.cores, std::thread::available_parallelism().map_or(1, usize::from).max(all.cores));
        // What is gone stays as it was.
        let last = allowed.look(u32::MAX, Nanos::ZERO, true);
        assert_eq!(last.map(|it| it.cores), Some(all.cores));
        assert_eq!(Allowed::default().look(u32::MAX, Nanos::ZERO, false), None);
    }
}
