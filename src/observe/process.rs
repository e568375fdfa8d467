//! A process as `/proc` shows it: what it has mapped, its threads, its names.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::event::Nanos;
use crate::text::of_cut;

use super::trouble::Trouble;

/// As many bytes of a thread's name the kernel keeps (`TASK_COMM_LEN`, with a zero at its end).
pub(super) const MOST_OF_NAME: usize = 15;

/// A file that a process has mapped, by its first mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Where its beginning lies.
    pub start: u64,
    /// `major:minor` of the device, as the kernel writes it.
    pub device: (u32, u32),
    /// Its number on that device.
    pub inode: u64,
    /// Its path, in the process's own view.
    pub path: PathBuf,
}

/// The files in `/proc/PID/maps`, each by the mapping of its beginning.
pub fn parse_maps(maps: &str) -> Vec<Mapped> {
    let mut found: Vec<Mapped> = Vec::new();
    for line in maps.lines() {
        let Some(mapped) = parse_mapping(line) else { continue };
        if !found.iter().any(|known| known.inode == mapped.inode && known.device == mapped.device) {
            found.push(mapped);
        }
    }
    found
}

/// `55d0-55d1 r--p 00000000 fd:01 1234    /usr/bin/python3.11`
fn parse_mapping(line: &str) -> Option<Mapped> {
    let (range, rest) = line.split_once(' ')?;
    let (_, rest) = rest.split_once(' ')?;
    let (offset, rest) = rest.split_once(' ')?;
    let (device, rest) = rest.split_once(' ')?;
    let (inode, path) = rest.split_once(' ')?;
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    if hex(offset)? != 0 {
        return None;
    }
    let (major, minor) = device.split_once(':')?;
    let path = path.trim_start();
    path.starts_with('/').then_some(())?;
    Some(Mapped {
        start: hex(range.split_once('-')?.0)?,
        device: (hex(major)? as u32, hex(minor)? as u32),
        inode: inode.parse().ok()?,
        path: PathBuf::from(path),
    })
}

/// What a small file of `/proc` says, by one read: the library's own begins with 32 bytes, since they all say that they are
/// empty, and asks the kernel ten times for what it writes anew each time.
pub(super) fn text(path: &str) -> std::io::Result<String> {
    let mut text = [0; 4096];
    match File::open(path)?.read(&mut text)? {
        length if length == text.len() => fs::read(path).map(|all| String::from_utf8_lossy(&all).into_owned()),
        length => Ok(String::from_utf8_lossy(&text[..length]).into_owned()),
    }
}

/// What a process has mapped.
pub fn maps(pid: u32) -> Result<Vec<Mapped>, Trouble> {
    let read = || fs::read(format!("/proc/{pid}/maps"));
    match read() {
        Ok(maps) => Ok(parse_maps(&String::from_utf8_lossy(&maps))),
        Err(error) => Err(match error.kind() {
            std::io::ErrorKind::NotFound => Trouble::NoSuchProcess(pid),
            std::io::ErrorKind::PermissionDenied => Trouble::denied(pid),
            _ => Trouble::Ended(pid),
        }),
    }
}

/// Opens a file that a process has mapped: as the process sees it (its root may be another), or by its plain path; the
/// device and the number decide whether it is the same file.
pub fn open_mapped(pid: u32, mapped: &Mapped) -> Option<File> {
    let plain = mapped.path.strip_prefix("/").ok()?;
    let candidates = [Path::new(&format!("/proc/{pid}/root")).join(plain), mapped.path.clone()];
    let open = |path: &PathBuf| {
        let file = File::open(path).ok()?;
        let meta = file.metadata().ok()?;
        Some((file, meta.dev(), meta.ino()))
    };
    let found: Vec<_> = candidates.iter().filter_map(open).collect();
    let exact = found.iter().position(|(_, device, inode)| {
        let (major, minor) = (rustix::fs::major(*device), rustix::fs::minor(*device));
        (major, minor) == mapped.device && *inode == mapped.inode
    });
    // Some file systems (overlays, subvolumes) show one device here and another there.
    let index = exact.or_else(|| found.iter().position(|(_, _, inode)| *inode == mapped.inode))?;
    found.into_iter().nth(index).map(|(file, ..)| file)
}

/// The program a process executes, whatever has become of its path since.
pub fn open_program(pid: u32) -> Option<(File, PathBuf)> {
    let link = format!("/proc/{pid}/exe");
    let path = fs::read_link(&link).ok()?;
    Some((File::open(link).ok()?, path))
}

/// The threads of a process; none once it has ended.
pub fn threads(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}

/// What a thread calls itself, made fit to be shown: nothing that steers a terminal.
pub fn name(pid: u32, tid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
    Some(of_cut(name.strip_suffix(b"\n").unwrap_or(&name), MOST_OF_NAME))
}

/// The command line of a process; empty if it does not tell.
pub fn command(pid: u32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let parts = line.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    let mut parts: Vec<String> = parts.collect();
    parts.pop_if(|last| last.is_empty());
    parts
}

/// How the kernel's view of a thread's number and its own differ: the number in the innermost namespace.
pub fn number_inside(pid: u32, tid: u32) -> Option<u32> {
    let status = text(&format!("/proc/{pid}/task/{tid}/status")).ok()?;
    parse_number_inside(&status)
}

fn parse_number_inside(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_ascii_whitespace().last()?.parse().ok()
}

/// The number that the kernel gave last, to whatever process or thread of all that we see: another one tells that something
/// was born. The last word of `/proc/loadavg`, which is kept open.
#[derive(Debug)]
pub struct LastNumber(Option<File>);

impl LastNumber {
    /// Where it is to be read, if it is.
    pub fn open() -> LastNumber {
        LastNumber(File::open("/proc/loadavg").ok())
    }

    /// What it is now.
    pub fn read(&self) -> Option<u32> {
        let mut text = [0; 128];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text[..length]).ok()?.split_ascii_whitespace().last()?.parse().ok()
    }
}

/// Whose child a process is.
pub fn parent(pid: u32) -> Option<u32> {
    let stat = text(&format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Whether a process has had children that have ended: the kernel adds to its own what those that it waited for had in page
/// faults, without which nobody lives.
pub fn had_children(pid: u32) -> bool {
    text(&format!("/proc/{pid}/stat")).is_ok_and(|stat| parse_had_children(&stat))
}

fn parse_had_children(stat: &str) -> bool {
    // The eleventh field (`cminflt`); what follows the name begins with the third.
    let faults = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split_ascii_whitespace().nth(8));
    faults.is_some_and(|faults| faults != "0")
}

/// The process that a thread belongs to, whose number is often meant where a thread's is given; of a process itself, or one
/// that is not there, the same number.
pub fn of_thread(tid: u32) -> u32 {
    let status = text(&format!("/proc/{tid}/status")).unwrap_or_default();
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    group.and_then(|pid| pid.trim().parse().ok()).unwrap_or(tid)
}

/// How long ago a process was born, whatever it has executed since.
pub fn age(pid: u32) -> Option<Nanos> {
    let stat = text(&format!("/proc/{pid}/stat")).ok()?;
    // The twenty-second field (`starttime`), in ticks since the machine was booted; what follows the name begins with the third.
    let ticks: u64 = stat.rsplit_once(") ")?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let second = rustix::param::clock_ticks_per_second().max(1);
    let born = Nanos(u64::try_from(u128::from(ticks) * 1_000_000_000 / u128::from(second)).ok()?);
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Some(Nanos(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64) - born)
}

/// Whether a process is a zombie: ended, and not yet waited for.
pub fn is_zombie(pid: u32) -> bool {
    let stat = text(&format!("/proc/{pid}/stat")).unwrap_or_default();
    is_dead(&stat)
}

/// Whether a process has ended or is about to: it gives up its memory before it is a zombie, and nobody may look into it then.
pub fn is_ending(pid: u32) -> bool {
    has_begun_to_end(&text(&format!("/proc/{pid}/stat")).unwrap_or_default())
}

/// Whether a thread is there and has not ended.
pub fn is_alive(pid: u32, tid: u32) -> bool {
    text(&format!("/proc/{pid}/task/{tid}/stat")).is_ok_and(|stat| !is_dead(&stat))
}

/// How a process ended, if it has: the kernel tells whoever may look into a process as long as its parent has not asked,
/// and from Linux 6.15 on whoever has a descriptor of it.
pub fn exit_status(pid: u32, life: Option<&OwnedFd>) -> Option<ExitStatus> {
    let stat = text(&format!("/proc/{pid}/stat")).unwrap_or_default();
    parse_exit(&stat).or_else(|| told_by_descriptor(life?)).map(ExitStatus::from_raw)
}

/// The status in the last word of what is told of a process that has ended. Who may not look is told 0; whoever has
/// observed it may.
fn parse_exit(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(") ").filter(|_| is_dead(stat))?;
    rest.split_ascii_whitespace().last()?.parse().ok()
}

/// `struct pidfd_info` in its first version, for `ioctl(2)` with `PIDFD_GET_INFO`.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

const PIDFD_GET_INFO: libc::c_ulong = 0xc040_ff0b;
const PIDFD_INFO_EXIT: u64 = 1 << 3;

#[expect(unsafe_code, reason = "rustix has no such request")]
fn told_by_descriptor(life: &OwnedFd) -> Option<i32> {
    const { assert!(size_of::<PidfdInfo>() == 64) };
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the kernel reads and writes at most as many bytes as the request's number says, which the structure has.
    let done = unsafe { libc::ioctl(life.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
}

/// What stops a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// A signal, and which where the kernel tells that (from Linux 5.19 on).
    Signal(Option<i32>),
    /// Whoever traces it: a debugger.
    Tracer,
}

/// What stops a process, if it is stopped.
pub fn stopped_by(pid: u32) -> Option<StoppedBy> {
    // Of its first thread: of the whole process it takes the longer the more threads it has. Only that tells the signal.
    parse_stopped(&text(&format!("/proc/{pid}/task/{pid}/stat")).ok()?)?;
    parse_stopped(&text(&format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stopped(stat: &str) -> Option<StoppedBy> {
    let (_, rest) = stat.rsplit_once(") ")?;
    match rest.as_bytes().first()? {
        b'T' => {
            let last = rest.split_ascii_whitespace().last().and_then(|code| code.parse().ok());
            Some(StoppedBy::Signal(last.filter(|signal| (1..=64).contains(signal))))
        }
        b't' => Some(StoppedBy::Tracer),
        _ => None,
    }
}

/// Whether what the kernel says is of one who has ended.
fn is_dead(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// The same, or of one who is about to (`PF_EXITING` among its flags).
fn has_begun_to_end(stat: &str) -> bool {
    const EXITING: u64 = 4;
    is_dead(stat) || flags_in(stat).is_some_and(|flags| flags & EXITING != 0)
}

/// Whether a process has executed a program since it was forked: else it goes on with what its maker executed
/// (`PF_FORKNOEXEC`).
pub(super) fn has_executed(pid: u32) -> bool {
    const FORKED: u64 = 0x40;
    let stat = text(&format!("/proc/{pid}/stat")).unwrap_or_default();
    flags_in(&stat).is_some_and(|flags| flags & FORKED == 0)
}

/// Whether it is one of the kernel's own threads (`PF_KTHREAD`).
pub(super) fn is_of_kernel(pid: u32) -> bool {
    const KERNELS: u64 = 0x0020_0000;
    let stat = text(&format!("/proc/{pid}/stat")).unwrap_or_default();
    flags_in(&stat).is_some_and(|flags| flags & KERNELS != 0)
}

/// The flags in `/proc/PID/stat` (`include/linux/sched.h`).
fn flags_in(stat: &str) -> Option<u64> {
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(6)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_child_is_younger_than_its_maker() {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("it starts");
        let (own, its) = (age(std::process::id()), age(child.id()));
        child.kill().and_then(|()| child.wait()).expect("it is ours");
        assert!(own.expect("we live") > its.expect("it lived") && age(child.id()).is_none(), "{own:?} {its:?}");
    }

    #[test]
    fn each_mapped_file_is_found_by_its_beginning() {
        let maps = "55d0a000-55d0b000 r--p 00000000 fd:01 1234                       /usr/bin/python3.11\n\
                    55d0b000-55d0c000 r-xp 00001000 fd:01 1234                       /usr/bin/python3.11\n\
                    7f00a000-7f00b000 r--p 00000000 00:2a 99     /opt/a b/libpython3.9.so.1.0 (deleted)\n\
                    7fff0000-7fff1000 rw-p 00000000 00:00 0      [stack]\nnonsense\n";
        let found = parse_maps(maps);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].start, found[0].device, found[0].inode), (0x55d0_a000, (0xfd, 1), 1234));
        assert_eq!(found[1].path, PathBuf::from("/opt/a b/libpython3.9.so.1.0 (deleted)"));
    }

    #[test]
    fn our_own_program_is_found_in_our_own_maps() {
        let pid = std::process::id();
        let (_, path) = open_program(pid).unwrap();
        let mapped = maps(pid).unwrap().into_iter().find(|mapped| mapped.path == path).unwrap();
        assert!(open_mapped(pid, &mapped).is_some());
        assert!(open_mapped(pid, &Mapped { inode: 0, ..mapped }).is_none(), "another file of that name is another");
        assert!(is_alive(pid, pid) && !is_alive(pid, u32::MAX >> 2));
        assert!(is_dead("7 (a) b) Z 1") && !is_dead("7 (a) Z) R 1"));
        assert!(has_begun_to_end("7 (a) Z 1") && !has_begun_to_end(""));
        assert!(has_begun_to_end("7 (a) R 1 7 7 0 -1 4194308 4") && !has_begun_to_end("7 (a) R 1 7 7 0 -1 4194304 4"));
        assert!(threads(pid).contains(&pid) && !command(pid).is_empty());
        assert_eq!((parent(pid), parent(u32::MAX >> 2)), (Some(std::os::unix::process::parent_id()), None));
        assert!(has_executed(pid) && !has_executed(u32::MAX >> 2));
        assert_eq!(maps(u32::MAX >> 2), Err(Trouble::NoSuchProcess(u32::MAX >> 2)));
    }

    #[test]
    fn that_one_is_stopped_and_how_it_ended_is_told_before_its_parent_asks_and_after() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let pid = child.id();
        let life = super::super::open_life(pid);
        assert_eq!(exit_status(pid, life.as_ref()), None, "it lives");
        assert_eq!(stopped_by(pid), None);
        let number = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(number, rustix::process::Signal::STOP).unwrap();
        while stopped_by(pid).is_none() {
            std::thread::yield_now();
        }
        // Before Linux 5.19 the signal is not told.
        assert!(matches!(stopped_by(pid), Some(StoppedBy::Signal(None | Some(19)))), "{:?}", stopped_by(pid));
        child.kill().unwrap();
        while !is_zombie(pid) {
            std::thread::yield_now();
        }
        assert_eq!(exit_status(pid, life.as_ref()).and_then(|status| status.signal()), Some(9));
        let denied = super::super::trouble::Trouble::denied(pid);
        assert!(!denied.is_denial(), "it has no memory any more, which is nobody's refusal: {denied}");
        child.wait().unwrap();
        // Before Linux 6.15 nobody tells.
        let after = exit_status(pid, life.as_ref()).and_then(|status| status.signal());
        assert!(matches!(after, None | Some(9)), "{after:?}");
        assert_eq!(
            (parse_exit("7 (a) Z 1 0"), parse_exit("7 (a) Z 1 256"), parse_exit("7 (a) R 9")),
            (Some(0), Some(256), None)
        );
    }

    #[test]
    fn births_and_children_that_have_ended_leave_their_traces() {
        let number = LastNumber::open();
        let before = number.read().unwrap();
        std::process::Command::new("true").status().unwrap();
        assert_ne!(number.read(), Some(before));
        assert!(had_children(std::process::id()));
        assert!(!parse_had_children("7 (a) b) S 1 7 7 0 -1 64 900 0 3 0 1") && !parse_had_children(""));
        assert!(parse_had_children("7 (a) S) S 1 7 7 0 -1 64 900 12 3 0 1"));
    }

    #[test]
    fn one_that_is_stopped_is_told_with_its_signal_where_the_kernel_says_it() {
        assert_eq!(parse_stopped("7 (a) T) T 1 1 0 19\n"), Some(StoppedBy::Signal(Some(19))));
        assert_eq!(parse_stopped("7 (a) T 1 1 19 0\n"), Some(StoppedBy::Signal(None)));
        assert_eq!(parse_stopped("7 (a) t 1 1 19 5\n"), Some(StoppedBy::Tracer));
        assert_eq!((parse_stopped("7 (a T) S 1 1 19 0\n"), parse_stopped("")), (None, None));
    }

    #[test]
    fn what_the_kernel_says_of_a_process_is_read() {
        let pid = std::process::id();
        let other = std::thread::spawn(move || of_thread(crate::record::thread_id()));
        assert_eq!((of_thread(pid), other.join().unwrap()), (pid, pid));
        assert_eq!(of_thread(u32::MAX >> 2), u32::MAX >> 2, "nobody has that number");
        assert_eq!(parse_number_inside("Name:\tx\nNSpid:\t4242\t7\n"), Some(7));
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_maps(text in "[ -~\n:/-]{0,200}") {
            let _ = parse_maps(&text);
        }
    }
}
