//! Which asyncio task a thread runs.
//!
//! From 3.14 on, asyncio tells debuggers where its structures keep what: a table of 13 words in the section
//! `.AsyncioDebug` (`Py_AsyncioModuleDebugOffsets`, `Modules/_asynciomodule.c`) of the extension module `_asyncio`, or
//! of the interpreter itself where that is built in, as from 3.15 on. Earlier versions do not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::elf;
use super::super::memory::Memory;
use super::super::object::{IS_INT, IS_STR, ObjectLayout, word};
use super::super::process::{self, Mapped};
use super::super::runtime::Runtime;

/// Words of the table.
const WORDS: usize = 13;
/// The largest structure that is believed.
const LARGEST: u64 = 1 << 20;

/// Where the running task of a thread is, and its name. In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskLayout {
    /// `TaskObj.task_name`.
    name: u64,
    /// `_PyThreadStateImpl.asyncio_running_task`.
    running: u64,
}

/// The running tasks of one process, as soon as it says where they are.
#[derive(Debug, Default)]
pub struct Tasks {
    layout: Option<TaskLayout>,
    /// When it was first and last looked whether the module has been imported.
    looked: Option<(Instant, Instant)>,
}

/// How often that is looked at most rarely: more often at first, since programs import first.
const AGAIN: Duration = Duration::from_secs(1);

impl Tasks {
    /// The name of the task that the thread of this `PyThreadState` runs, if it is known to run any.
    pub fn running(
        &mut self,
        tstate: u64,
        (pid, runtime): (u32, &Runtime),
        objects: &ObjectLayout,
        memory: &dyn Memory,
    ) -> Option<Arc<str>> {
        let is_due = |(first, last): (Instant, Instant)| last.elapsed() >= AGAIN.min((last - first) / 4);
        if self.layout.is_none() && runtime.version.minor >= 14 && self.looked.is_none_or(is_due) {
            // The interpreter's own file does not change: it is read once.
            self.layout = TaskLayout::find(pid, runtime, self.looked.is_none(), memory);
            let now = Instant::now();
            self.looked = Some((self.looked.map_or(now, |(first, _)| first), now));
        }
        self.layout?.running(tstate, objects, memory)
    }
}

impl TaskLayout {
    /// Looks for the table in what a process has mapped: the module, or the interpreter's own file if that is wanted.
    fn find(pid: u32, runtime: &Runtime, own: bool, memory: &dyn Memory) -> Option<TaskLayout> {
        let maps = process::maps(pid).ok()?;
        let is_module = |mapped: &&Mapped| {
            mapped.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("_asyncio."))
        };
        let module = maps.iter().find(is_module);
        let own = maps.iter().filter(|_| own).find(|mapped| mapped.path == runtime.file);
        let mapped = module.or(own)?;
        let binary = elf::inspect(process::open_mapped(pid, mapped)?)?;
        TaskLayout::read(binary.bias(mapped.start).wrapping_add(binary.asyncio?), memory)
    }

    /// From the table at this address. `None`: its numbers make no sense.
    fn read(address: u64, memory: &dyn Memory) -> Option<TaskLayout> {
        let mut words = [0; WORDS];
        for (at, into) in (address..).step_by(8).zip(&mut words) {
            *into = word(memory, at)?;
        }
        let [task_size, name, .., state_size, _, running, _] = words;
        let sane = (16..LARGEST).contains(&task_size) && name < task_size;
        (sane && state_size < LARGEST && running < LARGEST).then_some(TaskLayout { name, running })
    }

    /// The name of the task that the thread of this `PyThreadState` runs. `None`: it runs none, or that could not be
    /// read just now.
    pub fn running(&self, tstate: u64, objects: &ObjectLayout, memory: &dyn Memory) -> Option<Arc<str>> {
        let task = word(memory, tstate.checked_add(self.running)?).filter(|task| *task != 0)?;
        let name = word(memory, task.checked_add(self.name)?).filter(|name| *name != 0)?;
        let (_, flags) = objects.class_of(name, memory)?;
        if flags & IS_STR != 0 {
            return objects.text(name, memory).map(Arc::from);
        }
        // Who gave it no name gets a number, which becomes `Task-n` when somebody asks.
        (flags & IS_INT != 0).then(|| objects.whole_number(name, memory)).flatten().map(|n| format!("Task-{n}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::memory::Image;
    use super::*;
    use proptest::prelude::*;

    const OBJECTS: ObjectLayout =
        ObjectLayout { header: 16, class: 8, class_flags: 168, free_threaded: false, minor: 14 };
    const TASKS: TaskLayout = TaskLayout { name: 88, running: 0x2c0 };
    const TSTATE: u64 = 0x1000;

    /// A thread that runs a task whose name is this object.
    fn image(flags: u64, name: &[u8]) -> Image {
        let mut image = Image::default();
        image.put(TSTATE + TASKS.running, 0x3000_u64.to_le_bytes());
        image.put(0x3000 + TASKS.name, 0x4000_u64.to_le_bytes());
        image.put(0x4000, [&[0; 8], &0x5000_u64.to_le_bytes()[..], name].concat());
        image.put(0x5000 + 168, flags.to_le_bytes());
        image
    }

    fn running(image: &Image) -> Option<String> {
        TASKS.running(TSTATE, &OBJECTS, image).map(|name| name.to_string())
    }

    #[test]
    fn a_task_is_called_as_it_says_or_by_its_number() {
        let text = [&6_u64.to_le_bytes()[..], &[0; 8], &(0b1_1001_u64 << 2).to_le_bytes(), b"handle"].concat();
        assert_eq!(running(&image(IS_STR, &text)).as_deref(), Some("handle"));
        let three = [&8_u64.to_le_bytes()[..], &3_u64.to_le_bytes()].concat();
        assert_eq!(running(&image(IS_INT, &three)).as_deref(), Some("Task-3"));
        let many = [&16_u64.to_le_bytes()[..], &1_u32.to_le_bytes(), &1_u32.to_le_bytes()].concat();
        assert_eq!(running(&image(IS_INT, &many)), Some(format!("Task-{}", (1 << 30) + 1)));
        assert_eq!(running(&image(0, &three)), None, "what is neither has no name");
    }

    #[test]
    fn a_thread_that_runs_no_task_has_none() {
        let mut image = image(IS_INT, &[0; 16]);
        image.set_word(TSTATE + TASKS.running, 0);
        assert_eq!(running(&image), None);
    }

    #[test]
    fn a_table_whose_numbers_make_no_sense_is_refused() {
        let table = |words: [u64; WORDS]| {
            let mut image = Image::default();
            image.put(64, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
            TaskLayout::read(64, &image)
        };
        let recorded = [168, 136, 96, 108, 109, 128, 152, 225_864, 10_880, 936, 864, 872, 880];
        assert_eq!(table(recorded), Some(TaskLayout { name: 136, running: 872 }));
        let mut damaged = recorded;
        damaged[1] = 168;
        assert_eq!(table(damaged), None);
        damaged = recorded;
        damaged[11] = LARGEST;
        assert_eq!(table(damaged), None);
        assert_eq!(TaskLayout::read(64, &Image::default()), None);
    }

    proptest! {
        #[test]
        fn garbage_is_no_name_and_no_panic(words: Vec<u64>, flags: u64, tstate: u64, name: u64, running: u64) {
            let mut image = image(flags, &words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
            image.set_word(0x4000 + 8, 0x5000);
            let _ = TASKS.running(TSTATE, &OBJECTS, &image);
            let _ = TaskLayout { name, running }.running(tstate, &OBJECTS, &image);
        }
    }
}
