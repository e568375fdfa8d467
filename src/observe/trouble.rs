//! Why a process cannot be observed, in the user's words.

use std::fs;
use std::path::Path;

use super::layout::Version;

/// Why not, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no such process.
    #[error("there is no process {0}; `gilscope list pythons` names those that run")]
    NoSuchProcess(u32),
    /// It is a thread of one.
    #[error("{thread} is a thread of process {pid}: gilscope attach {pid}")]
    Thread {
        /// Which.
        thread: u32,
        /// Whose.
        pid: u32,
    },
    /// It ended while we looked.
    #[error("process {0} ended while it was being attached to")]
    Ended(u32),
    /// It is something else.
    #[error("process {pid} ({name}) is not Python: neither its program nor its libraries have a Python runtime")]
    NotPython {
        /// Which.
        pid: u32,
        /// What it calls itself.
        name: String,
    },
    /// It is Python 2.
    #[error(
        "process {pid} is Python {version}: gilscope observes CPython 3.9 to 3.15 (`gilscope list pythons` names those \
         that are installed)"
    )]
    TooOld {
        /// Which.
        pid: u32,
        /// `2`.
        version: String,
    },
    /// It is Python 3 from before 3.7, or a newer one without its library so far.
    #[error("process {0} is Python 3.6 or older, of which gilscope does not know where it keeps its lock")]
    LooksOld(u32),
    /// It is another user's.
    #[error("process {pid} belongs to {owner}: observe it as that user, or as root (sudo gilscope attach {pid})")]
    OtherUser {
        /// Which.
        pid: u32,
        /// The user's name or number.
        owner: String,
    },
    /// Yama lets nobody look into processes that are not his children.
    #[error(
        "this system only lets a program be observed by the one that started it (kernel.yama.ptrace_scope is {scope}): \
         start it with `gilscope watch`, run `sudo gilscope attach {pid}`, or allow it until the next start with \
         `sudo sysctl kernel.yama.ptrace_scope=0`"
    )]
    PtraceScope {
        /// Which.
        pid: u32,
        /// The setting.
        scope: u8,
    },
    /// Something else forbids it.
    #[error(
        "process {0} may not be looked into: it runs in another container, has more rights than you, or a security \
         policy forbids it (docker: --cap-add SYS_PTRACE){as_root}",
        as_root = as_root()
    )]
    Forbidden(u32),
    /// We do not know this version, or what lies there is not what we know.
    #[error("process {pid} is Python {version}, of which gilscope does not know where it keeps its lock: {why}")]
    Unsupported {
        /// Which.
        pid: u32,
        /// Its version, or `of unknown version`.
        version: String,
        /// What is wrong.
        why: String,
    },
    /// It is Python, but its interpreter is not there yet.
    #[error("the interpreter of process {0} is still starting")]
    Booting(u32),
}

impl Trouble {
    /// Whether it is also what a program looks like whose libraries the loader has yet to map: one that calls Python's but
    /// has no `_PyRuntime` is an old Python, or a new one without its libpython so far.
    pub(super) fn may_be_loading(&self) -> bool {
        matches!(self, Trouble::NotPython { .. } | Trouble::Booting(_) | Trouble::LooksOld(_) | Trouble::TooOld { .. })
    }

    /// Whether it is that we may not.
    pub(super) fn is_denial(&self) -> bool {
        matches!(self, Trouble::OtherUser { .. } | Trouble::PtraceScope { .. } | Trouble::Forbidden(_))
    }

    /// Why this process's memory or facts are kept from us.
    pub fn denied(pid: u32) -> Trouble {
        let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
        let owner = fs::read_to_string(format!("/proc/{pid}/status")).ok().and_then(|status| parse_uid(&status));
        Trouble::denied_as(pid, rustix::process::geteuid().as_raw(), owner, scope.and_then(|it| it.trim().parse().ok()))
    }

    fn denied_as(pid: u32, us: u32, owner: Option<u32>, scope: Option<u8>) -> Trouble {
        match (owner, scope) {
            (None, _) => Trouble::Ended(pid),
            (Some(owner), _) if owner != us && us != 0 => Trouble::OtherUser { pid, owner: user_name(owner) },
            (_, Some(scope @ 1..)) => Trouble::PtraceScope { pid, scope },
            _ => Trouble::Forbidden(pid),
        }
    }

    /// The version, as far as it is known, of a Python whose threads and cores are all that can be seen; none: this is
    /// something else.
    pub fn seen_in_part(&self) -> Option<&str> {
        match self {
            Trouble::Unsupported { version, .. } => Some(version),
            Trouble::LooksOld(_) => Some("3.6 or older"),
            _ => None,
        }
    }

    /// What is to be seen of such a Python, and why no more, in a sentence.
    pub(super) fn in_part(&self) -> Option<String> {
        match self {
            Trouble::Unsupported { version, why, .. } => {
                Some(format!("Python {version} is not known to gilscope ({why}): only its threads and cores are seen"))
            }
            Trouble::LooksOld(_) => Some(format!("{self}: only its threads and cores are seen")),
            _ => None,
        }
    }

    /// A version that is too old or not known.
    pub fn version(pid: u32, version: Version) -> Trouble {
        if version.major < 3 {
            return Trouble::TooOld { pid, version: version.to_string() };
        }
        let why = "this gilscope knows 3.9 to 3.15".to_owned();
        Trouble::Unsupported { pid, version: version.to_string(), why }
    }
}

/// What to try who is not root.
fn as_root() -> &'static str {
    if rustix::process::geteuid().is_root() { "" } else { "; as root it may be possible" }
}

/// The effective user out of `/proc/PID/status`.
fn parse_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// A user's name, by the system's list; else the number.
fn user_name(uid: u32) -> String {
    let list = fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    let mut users = list.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let known = users.find(|user| user.get(2).and_then(|number| number.parse().ok()) == Some(uid));
    known.map_or_else(|| format!("user {uid}"), |user| format!("the user {}", user[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_cause_and_what_to_do() {
        let case = |us, owner, scope| Trouble::denied_as(42, us, owner, scope).to_string();
        assert!(case(1000, Some(0), None).contains("belongs to the user root"));
        assert!(case(1000, Some(1000), Some(1)).contains("gilscope watch"));
        assert!(case(1000, Some(1000), Some(0)).contains("SYS_PTRACE"));
        assert!(case(0, Some(1000), Some(3)).contains("ptrace_scope is 3"));
        assert_eq!(Trouble::denied_as(42, 0, None, None), Trouble::Ended(42));
        assert_eq!(parse_uid("Name:\tx\nUid:\t1000\t1001\t1000\t1000\n"), Some(1001));
    }

    #[test]
    fn who_looks_old_or_like_no_python_may_be_loading_and_who_is_refused_is_not() {
        assert!(Trouble::LooksOld(1).may_be_loading() && Trouble::Booting(1).may_be_loading());
        assert!(Trouble::NotPython { pid: 1, name: "env".to_owned() }.may_be_loading());
        assert!(!Trouble::Ended(1).may_be_loading() && !Trouble::Forbidden(1).may_be_loading());
    }

    #[test]
    fn old_and_new_versions_are_told_apart() {
        let of = |minor| Trouble::version(1, Version { major: 3, minor, micro: None }).to_string();
        assert!(of(8).contains("3.9 to 3.15") && of(8).contains("does not know") && of(16).contains("does not know"));
        let two = Trouble::version(1, Version { major: 2, minor: 7, micro: None });
        assert!(two.to_string().contains("3.9 to 3.15") && two.seen_in_part().is_none());
        let eight = Trouble::version(1, Version { major: 3, minor: 8, micro: None });
        assert_eq!(eight.seen_in_part(), Some("3.8"));
        for seen in [eight, Trouble::LooksOld(1)] {
            assert!(seen.in_part().is_some_and(|text| text.ends_with("only its threads and cores are seen")), "{seen}");
        }
        assert_eq!(Trouble::Ended(1).in_part(), None);
    }
}
