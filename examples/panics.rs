//! Takes the terminal over and panics: what is left behind is tested in `tests/pty.rs`.

fn main() -> std::io::Result<()> {
    let mut screen = gilscope::terminal::Screen::enter()?;
    screen.draw(|frame| frame.render_widget("about to fail", frame.area()))?;
    panic!("a deliberate failure");
}
