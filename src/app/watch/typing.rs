//! Typing into the program that is watched: from the one key that begins it to the one that leaves it all keys are the
//! program's, Ctrl-C and the arrows included.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::action::Action;
use super::super::state::State;
use super::super::update::Effect;
use super::Reading;

/// How one leaves it, as the screen names it.
const LEAVE: &str = "Esc";

/// Begins it, if the program reads what is typed; else says why not.
pub(super) fn begin(state: &mut State) {
    let launched = state.origin.program.as_ref().is_some_and(|program| program.launched);
    let watch = &mut state.watch;
    if watch.ended.is_some() {
        state.message = Some("The program has ended: nobody reads any more.".to_owned());
    } else if !launched {
        state.message = Some("It was running already: what it reads comes from where it was started.".to_owned());
    } else if !watch.output.takes_keys {
        let how = "gilscope watch --input terminal gives it a terminal of its own, to be typed into.";
        state.message = Some(format!("The program reads nothing: {how}"));
    } else {
        watch.typing = true;
        watch.reading = Some(Reading::End);
    }
}

/// A key was pressed. `None`: it is gilscope's, for nobody types into the program.
pub fn typed(state: &mut State, key: KeyEvent) -> Option<Vec<Effect>> {
    if !state.watch.typing {
        return None;
    }
    if key.kind == KeyEventKind::Release {
        return Some(Vec::new());
    }
    if leaves(key) {
        state.watch.typing = false;
        state.touch();
        return Some(Vec::new());
    }
    // Keys that were meant for it are not to be taken for commands: whoever typed leaves when he has seen it.
    if state.watch.ended.is_some() {
        return Some(Vec::new());
    }
    // What is typed shows at the end.
    if state.watch.reading != Some(Reading::End) || state.message.is_some() {
        state.watch.reading = Some(Reading::End);
        state.message = None;
        state.touch();
    }
    Some(vec![Effect::Press(key)])
}

/// Esc, or Ctrl-] as in telnet; many terminals send Ctrl-5 for that.
fn leaves(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.code == KeyCode::Esc || control && matches!(key.code, KeyCode::Char(']' | '5'))
}

/// What there is to do meanwhile: which keys, and what they do.
pub fn keys(state: &State) -> Vec<(String, String)> {
    if state.watch.ended.is_some() {
        return vec![(LEAVE.to_owned(), "the program has ended: leave typing".to_owned())];
    }
    let again = state.keymap.key(Action::Type);
    vec![
        (LEAVE.to_owned(), format!("leave typing ({again} types again)")),
        ("Ctrl-D".to_owned(), "end of input".to_owned()),
        ("Ctrl-C".to_owned(), "interrupts the program".to_owned()),
        ("TYPING".to_owned(), "into the program".to_owned()),
    ]
}
