//! The terminal: entered once, always given back.
//!
//! Whatever ends the program (the user, an error, a panic, a signal), the
//! terminal returns to the state the shell left it in, exactly once: a second
//! restoration would overwrite the text of a panic with the prompt.

use std::io::{self, IsTerminal, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;

/// Whether the terminal is ours at the moment.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Off in recorders, which capture a synchronised frame as a blank one.
const SYNC_VARIABLE: &str = "GILSCOPE_SYNC";

/// Why nothing can be drawn, if so: standard output must be a terminal that can address cells.
pub fn objection() -> Option<&'static str> {
    match () {
        () if !io::stdout().is_terminal() => Some("standard output is none"),
        () if std::env::var_os("TERM").is_some_and(|term| term == "dumb") => {
            Some("TERM says that this one is dumb: it can place nothing")
        }
        () => None,
    }
}

type Terminal = ratatui::Terminal<CrosstermBackend<Stdout>>;

/// The screen while it is ours.
pub struct Screen {
    /// There until the end.
    terminal: Option<Terminal>,
    synchronised: bool,
}

impl Screen {
    /// Takes the terminal over: raw mode, alternate screen, no cursor. The mouse stays the user's.
    pub fn enter() -> io::Result<Screen> {
        restore_on_panic();
        take()?;
        let terminal = match ratatui::Terminal::new(CrosstermBackend::new(io::stdout())) {
            Ok(terminal) => terminal,
            Err(error) => {
                give_back();
                return Err(error);
            }
        };
        let synchronised = std::env::var_os(SYNC_VARIABLE).is_none_or(|value| value != "0");
        Ok(Screen { terminal: Some(terminal), synchronised })
    }

    /// Draws one frame; only cells that changed are sent.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame)) -> io::Result<()> {
        if self.synchronised {
            queue!(io::stdout(), BeginSynchronizedUpdate)?;
        }
        let drawn = self.terminal.as_mut().map_or(Ok(()), |terminal| terminal.draw(render).map(|_| ()));
        if self.synchronised {
            execute!(io::stdout(), EndSynchronizedUpdate)?;
        }
        drawn
    }

    /// Forgets what is on the screen: the next frame sends every cell.
    ///
    /// Not by ratatui's own `clear`, which asks the terminal where its cursor is and waits for an answer that some
    /// never give.
    pub fn clear(&mut self) -> io::Result<()> {
        execute!(io::stdout(), Clear(ClearType::All))?;
        let fresh = ratatui::Terminal::new(CrosstermBackend::new(io::stdout()))?;
        retire(self.terminal.replace(fresh));
        Ok(())
    }

    /// Gives the terminal back for a while, runs `meanwhile`, and takes it over again.
    pub fn lend(&mut self, meanwhile: impl FnOnce()) -> io::Result<()> {
        give_back();
        meanwhile();
        take()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        retire(self.terminal.take());
        give_back();
    }
}

/// Lets go of ratatui's terminal. It would show the cursor as it is dropped, and print that it cannot if the terminal
/// has vanished; with standard error gone as well, that would be a panic.
fn retire(terminal: Option<Terminal>) {
    if let Some(mut terminal) = terminal
        && terminal.show_cursor().is_err()
    {
        std::mem::forget(terminal);
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, cursor::Hide).inspect_err(|_| give_back())
}

/// Gives the terminal back if it is ours. Errors are of no use here: the terminal may be gone.
pub fn give_back() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let _ = execute!(out, EndSynchronizedUpdate, LeaveAlternateScreen, cursor::Show);
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}

/// A panic's text belongs on the shell's screen, below what was there.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            tell(panic);
        }));
    });
}
