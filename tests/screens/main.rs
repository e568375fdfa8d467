//! Whole screens, as text and as a map of their styles.

mod fixtures;
mod sizes;
mod watch;
mod watch_rows;

use std::fmt::Write as _;

use fixtures::{
    begin, comparison, finish, forkserver, free_threads, hybrid, lab, processes, queue, tasks, threads, without_a_lock,
};
use gilscope::app::{Action, Depth, Ending, News, Origin, State, Wording, hear, update};
use gilscope::event::Nanos;
use gilscope::trace::{CoreEvidence, Evidence, Trace};
use gilscope::ui::render;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

const SIZES: [(u16, u16); 3] = [(120, 36), (80, 24), (60, 15)];

fn draw(state: &State, log: Option<&Trace>) -> Buffer {
    let area = Rect::new(0, 0, state.size.0, state.size.1);
    let mut buf = Buffer::empty(area);
    render(state, log, area, &mut buf);
    buf
}

fn text(buf: &Buffer) -> String {
    let width = usize::from(buf.area.width.max(1));
    let rows = buf.content.chunks(width).map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    rows.map(|row| row.trim_end().to_owned() + "\n").collect()
}

/// The text, then a letter for the style of each cell, then what the letters mean.
fn picture(buf: &Buffer) -> String {
    let width = usize::from(buf.area.width.max(1));
    let mut styles: Vec<Style> = vec![Style::new().fg(ratatui::style::Color::Reset)];
    let mut map = String::new();
    let paper = buf.content.first().map_or(ratatui::style::Color::Reset, |cell| cell.bg);
    for row in buf.content.chunks(width) {
        let mut line = String::new();
        for cell in row {
            let style = Style::new().fg(cell.fg).bg(cell.bg).add_modifier(cell.modifier);
            let plain = cell.symbol() == " " && cell.modifier.is_empty() && cell.bg == paper;
            let index = if plain { 0 } else { place(&mut styles, style) };
            line.push(if index == 0 { ' ' } else { char::from(b'a' + (index as u8 - 1) % 26) });
        }
        map += line.trim_end();
        map.push('\n');
    }
    let mut out = text(buf);
    out += "\n-- styles --\n";
    out += &map;
    for (index, style) in styles.iter().enumerate().skip(1) {
        let letter = char::from(b'a' + (index as u8 - 1) % 26);
        let (fg, bg) = (style.fg.unwrap_or_default(), style.bg.unwrap_or_default());
        let _ = writeln!(out, "{letter}: {fg} on {bg} {:?}", style.add_modifier);
    }
    out
}

fn place(styles: &mut Vec<Style>, style: Style) -> usize {
    styles.iter().position(|known| *known == style).unwrap_or_else(|| {
        styles.push(style);
        styles.len() - 1
    })
}

/// One snapshot for each size.
fn check(name: &str, make: impl Fn((u16, u16)) -> (State, Option<Trace>)) {
    for size in SIZES {
        let (state, log) = make(size);
        insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), picture(&draw(&state, log.as_ref())));
    }
}

fn sized(model: &str, size: (u16, u16)) -> State {
    let mut state = lab(model, 4);
    hear(&mut state, None, News::Resized(size.0, size.1));
    state
}

#[test]
fn ready() {
    check("ready", |size| (sized("threads", size), None));
}

#[test]
fn threads_take_turns_while_they_run() {
    check("running", |size| {
        let mut state = sized("threads", size);
        let log = threads(4, 2400.0, false);
        begin(&mut state, &log);
        (state, Some(log))
    });
}

#[test]
fn a_frozen_picture_has_a_cursor_that_says_what_it_points_at() {
    check("frozen", |size| {
        let mut state = sized("threads", size);
        let log = threads(4, 1204.0, false);
        begin(&mut state, &log);
        update(&mut state, Some(&log), Action::Freeze);
        update(&mut state, Some(&log), Action::NextHandoff);
        update(&mut state, Some(&log), Action::NextLane);
        (state, Some(log))
    });
}

#[test]
fn threads_at_the_end_have_gained_nothing() {
    check("done-threads", |size| {
        let mut state = sized("threads", size);
        let log = threads(4, 3060.0, true);
        finish(&mut state, &log, 3020.0);
        (state, Some(log))
    });
}

#[test]
fn processes_at_the_end_are_a_wall() {
    check("done-processes", |size| {
        let mut state = sized("threads", size);
        let before = threads(4, 3060.0, true);
        finish(&mut state, &before, 3020.0);
        update(&mut state, Some(&before), Action::NextModel);
        let log = processes(4, 870.0);
        finish(&mut state, &log, 3020.0);
        (state, Some(log))
    });
}

#[test]
fn start_up_says_as_whose_it_is_paid() {
    check("start-up", |size| {
        let mut state = sized("processes", size);
        state.experiment.start_up = Some(std::sync::Arc::new(gilscope::calibration::Calibration::built_in()));
        let log = processes(4, 870.0);
        finish(&mut state, &log, 3020.0);
        (state, Some(log))
    });
}

#[test]
fn a_failed_run_has_a_cross_and_no_ratio() {
    check("failed", |size| {
        let mut state = sized("threads", size);
        let log = threads(4, 310.0, true);
        begin(&mut state, &log);
        let why = "Task 2 failed: ZeroDivisionError: division by zero (line 8)";
        hear(&mut state, Some(&log), News::Ended(Ending::Failed(why.to_owned())));
        (state, Some(log))
    });
}

#[test]
fn help() {
    check("help", |size| {
        let mut state = sized("threads", size);
        update(&mut state, None, Action::Help);
        (state, None)
    });
}

#[test]
fn without_colour_and_in_ascii_the_picture_says_the_same() {
    check("ascii", |size| {
        let mut state = sized("threads", size);
        state.look.depth = Depth::None;
        state.look.ascii = true;
        let log = threads(4, 2400.0, false);
        begin(&mut state, &log);
        (state, Some(log))
    });
}

#[test]
fn big_leaves_meter_lanes_and_sentence_alone() {
    check("big", |size| {
        let mut state = sized("threads", size);
        let log = threads(4, 2400.0, false);
        begin(&mut state, &log);
        update(&mut state, Some(&log), Action::Big);
        (state, Some(log))
    });
}

#[test]
fn many_lanes_scroll_and_say_how_many_are_out_of_sight() {
    check("many", |size| {
        let mut state = lab("threads", 40);
        hear(&mut state, None, News::Resized(size.0, size.1));
        let log = threads(40, 900.0, false);
        begin(&mut state, &log);
        for _ in 0..3 {
            update(&mut state, Some(&log), Action::ScrollDown);
        }
        (state, Some(log))
    });
}

#[test]
fn far_more_lanes_than_rows_are_folded_into_bands() {
    check("bands", |size| {
        let mut state = lab("free-threads", 200);
        hear(&mut state, None, News::Resized(size.0, size.1));
        let log = without_a_lock(200);
        begin(&mut state, &log);
        hear(&mut state, Some(&log), News::Ended(Ending::Done));
        (state, Some(log))
    });
}

#[test]
fn a_band_of_tasks_can_be_unfolded_and_its_cursor_says_what_its_lanes_do() {
    let mut state = sized("threads", (120, 36));
    let log = tasks(1000);
    begin(&mut state, &log);
    hear(&mut state, Some(&log), News::Ended(Ending::Done));
    let folded = text(&draw(&state, Some(&log)));
    assert!(folded.contains("bands: mean of 64 lanes") && folded.contains("tasks 961–1000"), "{folded}");
    update(&mut state, Some(&log), Action::NextLane);
    update(&mut state, Some(&log), Action::NextLane);
    update(&mut state, Some(&log), Action::Freeze);
    let pointed = text(&draw(&state, Some(&log)));
    assert!(pointed.contains("tasks 65–128 in this cell: "), "{pointed}");
    update(&mut state, Some(&log), Action::Unfold);
    let unfolded = text(&draw(&state, Some(&log)));
    assert!(unfolded.contains("of tasks 65–128") && unfolded.contains("▸1 task 65 "), "{unfolded}");
    update(&mut state, Some(&log), Action::Unfold);
    assert!(text(&draw(&state, Some(&log))).contains("bands: mean of 64 lanes"));
}

#[test]
fn a_lock_that_threads_share_stands_above_them() {
    check("hybrid", |size| {
        let mut state = sized("hybrid", size);
        let log = hybrid(420.0);
        begin(&mut state, &log);
        hear(&mut state, Some(&log), News::Ended(Ending::Done));
        update(&mut state, Some(&log), Action::WholeRun);
        (state, Some(log))
    });
}

#[test]
fn processes_hang_under_the_server_that_made_them_and_the_cursor_tells_of_a_birth() {
    check("forkserver", |size| {
        let mut state = sized("processes:forkserver", size);
        let log = forkserver(4, 160.0);
        begin(&mut state, &log);
        hear(&mut state, Some(&log), News::Ended(Ending::Done));
        update(&mut state, Some(&log), Action::ToBegin);
        update(&mut state, Some(&log), Action::NextLane);
        for _ in 0..(size.0 / 4) {
            update(&mut state, Some(&log), Action::CursorRight);
            let text = text(&draw(&state, Some(&log)));
            if text.contains(" starts (") {
                break;
            }
        }
        (state, Some(log))
    });
}

#[test]
fn what_the_source_says_of_itself_is_what_the_header_says() {
    let mut state = sized("threads", (120, 36));
    let log = threads(4, 100.0, false);
    begin(&mut state, &log);
    let origin = Origin {
        engine: "REAL CPython 3.13.1, GIL on".to_owned(),
        evidence: Evidence::Sampled,
        how: "SAMPLED".to_owned(),
        cores: Some(CoreEvidence::Heartbeat),
        reason: Some("the kernel forbids it".to_owned()),
        ..Origin::default()
    };
    hear(&mut state, Some(&log), News::Origin(origin));
    let header = text(&draw(&state, Some(&log)));
    assert!(header.contains("REAL CPython 3.13.1, GIL on · SAMPLED · cores by heartbeat"), "{header}");
    assert!(!header.contains("MINIATURE"));
    update(&mut state, Some(&log), Action::Settings);
    let settings = text(&draw(&state, Some(&log)));
    assert!(settings.contains("gaps between heartbeats: the kernel"), "{settings}");
}

fn compared(size: (u16, u16), over: bool) -> State {
    let mut state = sized("threads", size);
    update(&mut state, None, Action::ShowCompare);
    let comparison = comparison(&state, over);
    hear(&mut state, None, News::Compared(Box::new(comparison)));
    state
}

#[test]
fn before_a_comparison_the_models_that_will_run_are_named() {
    check("compare-ready", |size| {
        let mut state = sized("threads", size);
        update(&mut state, None, Action::ShowCompare);
        (state, None)
    });
}

#[test]
fn a_comparison_under_way_says_how_far_it_is_and_how_long_it_takes() {
    check("compare-running", |size| (compared(size, false), None));
}

#[test]
fn long_and_low_stands_against_short_and_tall() {
    check("compare-done", |size| (compared(size, true), None));
}

#[test]
fn without_colour_a_comparison_says_the_same() {
    check("compare-ascii", |size| {
        let mut state = compared(size, true);
        state.look.depth = Depth::None;
        state.look.ascii = true;
        (state, None)
    });
}

#[test]
fn the_ledger_of_each_model_is_a_stacked_bar() {
    check("compare-ledger", |size| {
        let mut state = compared(size, true);
        update(&mut state, None, Action::Ledger);
        (state, None)
    });
}

#[test]
fn the_costs_of_each_model_are_a_table() {
    check("compare-costs", |size| {
        let mut state = compared(size, true);
        update(&mut state, None, Action::Costs);
        (state, None)
    });
}

#[test]
fn in_a_kitchen_cooks_share_a_knife() {
    check("kitchen", |size| {
        let mut state = sized("threads", size);
        state.look.wording = Wording::Kitchen;
        let log = threads(4, 3060.0, true);
        finish(&mut state, &log, 3020.0);
        (state, Some(log))
    });
}

#[test]
fn a_kitchen_has_its_own_words_and_the_same_picture() {
    let in_words = |wording| {
        let mut state = sized("threads", (120, 36));
        state.look.wording = wording;
        let log = threads(4, 2400.0, false);
        begin(&mut state, &log);
        text(&draw(&state, Some(&log)))
    };
    let (plain, kitchen) = (in_words(Wording::Plain), in_words(Wording::Kitchen));
    let ink = |text: &str| text.chars().filter(|c| "█▄▅▆▇·~".contains(*c)).count();
    assert_eq!(ink(&plain), ink(&kitchen));
    assert!(kitchen.contains("4 COOKS, ONE KNIFE") && kitchen.contains("cook 1"));
    assert!(!kitchen.contains("GIL") && !kitchen.contains("thread"), "{kitchen}");
    // The code is what was written.
    assert!(kitchen.contains("def work(n):"));
}

#[test]
fn without_a_gil_the_figures_tell_how_much_gets_done_beside_one_alone() {
    check("no-gil", |size| {
        let (mut state, log) = (sized("free-threads", size), free_threads(4, 300.0));
        begin(&mut state, &log);
        hear(&mut state, Some(&log), News::Ended(Ending::Done));
        hear(&mut state, Some(&log), News::BaselineBegan);
        hear(&mut state, Some(&log), News::Alone(120_000.0));
        hear(&mut state, Some(&log), News::BaselineEnded(Ending::Done, Nanos::from_millis(260)));
        (state, Some(log))
    });
    let (mut state, log) = (sized("free-threads", (80, 24)), free_threads(4, 300.0));
    begin(&mut state, &log);
    let live = text(&draw(&state, Some(&log)));
    assert!(live.contains("41k/ms"), "{live}");
    hear(&mut state, Some(&log), News::Alone(120_000.0));
    let _ = update(&mut state, Some(&log), Action::Freeze);
    let frozen = text(&draw(&state, Some(&log)));
    let words = frozen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("gets 41k instructions a ms done, 34% of one alone"), "{frozen}");
}

#[test]
fn the_program_s_own_queue_has_a_row_with_its_depth() {
    check("queue", |size| {
        let (mut state, log) = (sized("threads", size), queue(400.0));
        finish(&mut state, &log, 800.0);
        (state, Some(log))
    });
}
