//! The timeline: lock, lanes, cores, axis, the whole run.
//!
//! Three things are kept apart. [`geometry`] knows where an instant is on the
//! screen and what is under a place of it. [`scene`] asks the log for the rows
//! that are seen, once each. The rest draws a scene, one part a file.

pub mod cores;
pub mod geometry;
pub mod lanes;
pub mod locks;
pub mod queues;
pub mod ready;
pub mod ruler;
pub mod scene;
pub mod title;
pub mod whole;

use crate::app::State;
use crate::trace::Trace;

use super::canvas::Canvas;
use super::layout::Plan;
use scene::Scene;

/// Draws the timeline's parts, or before the first run how to read it.
pub fn render(state: &State, log: Option<&Trace>, plan: &Plan, canvas: &mut Canvas) {
    let Some(log) = log else {
        ready::render(state, plan, canvas);
        return;
    };
    let scene = Scene::read(state, log, plan);
    title::render(state, log, &scene, &mut canvas.at(plan.title));
    locks::render(state, log, &scene, &mut canvas.at(plan.lock));
    lanes::render(state, log, &scene, plan.lane_height, &mut canvas.at(plan.lanes));
    queues::render(&scene, &mut canvas.at(plan.queues));
    cores::render(state, log, &scene, &mut canvas.at(plan.cores));
    ruler::render(state, &scene, &mut canvas.at(plan.axis));
    whole::render(state, &scene, &mut canvas.at(plan.whole));
}
