//! Pure state of the user interface: what is chosen, what is shown, and what
//! a key changes in it.
//!
//! Nothing here reads a clock, starts a run or draws. The runtime tells the
//! state what has happened ([`News`]) and what was asked for ([`Action`]), and
//! carries out what comes back ([`Effect`]). The log stays with the run; it is
//! lent to [`update()`] and [`hear()`], which look things up in it, and to the
//! drawing.

pub mod action;
pub mod axis;
pub mod choice;
pub mod compare;
pub mod cursor;
pub mod figures;
pub mod keymap;
pub mod news;
pub mod origin;
pub mod picker;
pub mod rows;
pub mod state;
pub mod update;
pub mod view;
pub mod watch;
pub mod words;

#[cfg(test)]
mod tests;

pub use action::Action;
pub use axis::Axis;
pub use choice::{ModelChoice, WorkloadChoice};
pub use compare::{Compare, Screen, Side};
pub use figures::Figures;
pub use keymap::{Key, Keymap};
pub use news::{Ending, News, hear};
pub use origin::{Origin, Program};
pub use rows::{Fold, Row};
pub use state::{Bar, BarState, Code, Depth, Look, Machine, Phase, State, ThemeName};
pub use update::{Effect, update};
pub use view::{Trigger, View, Zoom};
pub use watch::Watch;
pub use words::Wording;
