//! No size of the terminal, no state of the interface and no order of keys makes drawing fail.

use std::sync::OnceLock;

use gilscope::app::{Action, Depth, Ending, News, State, hear, update};
use gilscope::event::Nanos;
use gilscope::trace::Trace;
use gilscope::ui::render;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::fixtures::{begin, comparison, forkserver, hybrid, lab, processes, threads, without_a_lock};

fn draw(state: &State, log: Option<&Trace>, area: Rect) -> Buffer {
    let mut buf = Buffer::empty(area);
    render(state, log, area, &mut buf);
    buf
}

fn logs() -> &'static [Trace; 7] {
    static LOGS: OnceLock<[Trace; 7]> = OnceLock::new();
    LOGS.get_or_init(|| {
        [
            threads(4, 700.0, false),
            threads(1, 40.0, false),
            threads(64, 300.0, false),
            processes(5, 300.0),
            without_a_lock(300),
            hybrid(200.0),
            forkserver(5, 200.0),
        ]
    })
}

#[derive(Clone, Debug)]
enum Step {
    Key(usize),
    Size(u16, u16),
    Tick(u64),
    End(u8),
    Compared(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..Action::ALL.len()).prop_map(Step::Key),
        2 => (1..=500u16, 1..=200u16).prop_map(|(columns, rows)| Step::Size(columns, rows)),
        2 => (40..160u16, 10..50u16).prop_map(|(columns, rows)| Step::Size(columns, rows)),
        2 => (0..3_000u64).prop_map(Step::Tick),
        1 => (0..4u8).prop_map(Step::End),
        1 => any::<bool>().prop_map(Step::Compared),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_pressed_at_whatever_size_it_is_drawn(steps in steps(), which in 0..7usize, ascii: bool, empty: bool) {
        let log = &logs()[which];
        let model = ["threads", "sequential", "threads", "processes", "free-threads", "hybrid", "processes:forkserver"][which];
        let mut state = lab(model, 4);
        state.look.ascii = ascii;
        if empty {
            state.machine = gilscope::app::Machine::default();
            state.code = gilscope::app::Code::default();
        }
        let mut now = log.now();
        draw(&state, None, Rect::new(0, 0, 80, 24));
        begin(&mut state, log);
        for step in steps {
            match step {
                Step::Key(index) => {
                    update(&mut state, Some(log), Action::ALL[index]);
                }
                Step::Size(columns, rows) => {
                    hear(&mut state, Some(log), News::Resized(columns, rows));
                }
                Step::Tick(millis) => {
                    now += Nanos::from_millis(millis);
                    hear(&mut state, Some(log), News::Tick(now));
                }
                Step::End(0) => {
                    hear(&mut state, Some(log), News::Ended(Ending::Done));
                }
                Step::End(1) => {
                    hear(&mut state, Some(log), News::Ended(Ending::Failed("it broke".to_owned())));
                }
                Step::End(2) => {
                    hear(&mut state, Some(log), News::BaselineEnded(Ending::Done, Nanos::from_millis(3)));
                }
                Step::Compared(over) => {
                    let comparison = comparison(&state, over);
                    hear(&mut state, Some(log), News::Compared(Box::new(comparison)));
                }
                Step::End(_) => {
                    hear(&mut state, Some(log), News::Began);
                }
            }
            let area = Rect::new(0, 0, state.size.0, state.size.1);
            let buf = draw(&state, Some(log), area);
            if ascii {
                prop_assert!(buf.content.iter().all(|cell| cell.symbol().is_ascii()));
            }
        }
    }
}

#[test]
fn every_size_from_one_cell_up_is_drawn() {
    let log = &logs()[0];
    let mut state = lab("threads", 4);
    begin(&mut state, log);
    let sizes = (1..130).step_by(3).chain([200, 500]);
    for columns in sizes {
        for rows in (1..50).chain([100, 200]) {
            hear(&mut state, Some(log), News::Resized(columns, rows));
            draw(&state, Some(log), Rect::new(0, 0, columns, rows));
        }
    }
}

#[test]
fn a_buffer_smaller_than_the_size_last_heard_of_is_drawn() {
    let log = &logs()[0];
    let mut state = lab("threads", 4);
    hear(&mut state, None, News::Resized(200, 60));
    begin(&mut state, log);
    for (columns, rows) in [(60, 15), (61, 40), (10, 2), (200, 15)] {
        draw(&state, Some(log), Rect::new(0, 0, columns, rows));
    }
    render(&state, Some(log), Rect::new(0, 0, 200, 60), &mut Buffer::empty(Rect::new(0, 0, 70, 20)));
}

#[test]
fn without_colour_no_cell_has_any_and_all_glyphs_are_one_column_wide() {
    use ratatui::style::Color;
    use unicode_width::UnicodeWidthStr;
    let log = &logs()[3];
    let mut state = lab("processes", 5);
    state.look.depth = Depth::None;
    begin(&mut state, log);
    let buf = draw(&state, Some(log), Rect::new(0, 0, 120, 36));
    for cell in &buf.content {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        assert_eq!(cell.symbol().width(), 1, "{:?}", cell.symbol());
    }
}

#[test]
fn drawing_the_same_twice_draws_the_same() {
    let log = &logs()[0];
    let mut state = lab("threads", 4);
    begin(&mut state, log);
    let area = Rect::new(0, 0, 80, 24);
    assert_eq!(draw(&state, Some(log), area), draw(&state, Some(log), area));
}
