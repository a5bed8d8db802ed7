//! `torture`: hurts a server while it works and judges what it kept. Writers and readers work over real sockets against
//! the real binary; what they did and saw is the evidence; the verdict is pure.
//!
//! ```text
//! controls ─▶ acts: kills · power cuts · disconnects · full disk · write errors · flipped bits
//!               │
//!               ├─ stage    the server, its data, its mount          cast     writers and readers at work
//!               └─ history  what they did and saw ─▶ verdict         message  what each message carries
//! ```

mod acts;
mod cast;
mod controls;
mod flip_bits;
mod full_disk;
mod history;
mod message;
mod mount;
mod reader;
mod stage;
mod verdict;
mod write_errors;
mod writer;

use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::error::Result;
use crate::figures::{Outcome, Unit};
use crate::options::{Common, Torture};
use cast::Company;
use history::History;
use verdict::{Verdict, judge};
use writer::Habits;

/// What writers and readers should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Write and read.
    Writing,
    /// Do not connect to write: what is stored is being judged.
    Paused,
    /// Write nothing new; get outcomes and everything stored.
    Draining,
    /// Leave.
    Over,
}

fn room_name(room: u32) -> String {
    format!("torture-{room}")
}

/// What one act found.
pub struct ActReport {
    name: &'static str,
    history: History,
    verdict: Verdict,
    /// Figures of the act, by name.
    figures: Vec<(&'static str, f64, Unit)>,
    notes: Vec<String>,
    /// Why the act does not count.
    invalid: Vec<String>,
}

impl ActReport {
    /// The report on the evidence, judged.
    fn new(name: &'static str, history: History) -> Self {
        let verdict = judge(&history);
        Self { name, history, verdict, figures: Vec::new(), notes: Vec::new(), invalid: Vec::new() }
    }
}

/// Everything an act needs.
pub struct Play<'a> {
    common: &'a Common,
    options: &'a Torture,
    /// Added to the server's environment.
    env: Vec<(String, String)>,
    dice: SmallRng,
}

impl Play<'_> {
    fn company(&self) -> Company {
        let habits = Habits {
            rooms: self.options.rooms,
            in_flight: self.options.in_flight.max(1),
            filling_bytes_max: self.options.filling,
        };
        Company { writers: self.options.writers, readers: self.options.readers, habits }
    }
}

/// Runs `torture`.
pub async fn torture(common: &Common, options: &Torture, seed: u64) -> Result<Outcome> {
    if let Some(path) = &options.replay {
        return replay(path);
    }
    if options.negative_controls {
        return controls::run(common, options, seed).await;
    }
    eprintln!("seed {seed}");
    let mut play = Play { common, options, env: Vec::new(), dice: SmallRng::seed_from_u64(seed) };
    let mut outcome = Outcome::new(format!(
        "torture: {} writers × {} in flight, {} readers, {} rooms, seed {seed}",
        options.writers, options.in_flight, options.readers, options.rooms
    ));
    let mut total = Verdict::default();
    let plan = options.plan();
    for act in plan {
        if let Some(why) = act.obstacle() {
            outcome.notes.push(format!("{}: skipped: {why}", act.name()));
            continue;
        }
        let report = act.play(&mut play).await?;
        take(&mut outcome, &mut total, report, options.history.as_deref())?;
    }
    outcome.count("acks", total.acks);
    for (name, count) in total.counts() {
        outcome.count(name, count);
    }
    Ok(outcome)
}

/// Adds an act to the outcome; keeps the evidence of a failed one.
fn take(outcome: &mut Outcome, total: &mut Verdict, report: ActReport, save: Option<&Path>) -> Result<()> {
    let ActReport { name, history, verdict, figures, notes, invalid } = report;
    outcome.notes.push(format!("{name}: {} acks, {}", verdict.acks, verdict.summary()));
    outcome.notes.extend(verdict.examples.iter().chain(&notes).map(|note| format!("{name}: {note}")));
    outcome.invalid.extend(invalid.iter().map(|why| format!("{name}: {why}")));
    for (name, value, unit) in figures {
        outcome.add(name, value, unit);
    }
    if save.is_some() || !verdict.is_clean() {
        let default = PathBuf::from(format!("torture-{}.history", name.replace(' ', "-")));
        let path = save.map_or(default, |path| path.with_extension(format!("{}.history", name.replace(' ', "-"))));
        history.save(&path)?;
        outcome.notes.push(format!("{name}: evidence saved; judge it again with torture --replay {}", path.display()));
    }
    total.add(&verdict);
    Ok(())
}

/// Judges saved evidence again.
fn replay(path: &Path) -> Result<Outcome> {
    let verdict = judge(&History::load(path)?);
    let mut outcome = Outcome::new(format!("evidence in {}", path.display()));
    outcome.count("acks", verdict.acks);
    outcome.count("faults_injected", verdict.faults);
    for (name, count) in verdict.counts() {
        outcome.count(name, count);
    }
    outcome.notes = verdict.examples;
    Ok(outcome)
}
