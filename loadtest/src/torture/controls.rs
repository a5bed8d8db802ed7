//! Negative controls: the torture on servers that are broken on purpose. A suite that passes them proves nothing.

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::Play;
use super::acts::Act;
use super::mount::Mount;
use crate::bench::progress_bar;
use crate::error::{Error, Result, setup};
use crate::figures::Outcome;
use crate::options::{Common, Torture};

/// What the broken build can do wrong, and the act that must notice.
const CONTROLS: [(&str, Act); 6] = [
    ("ack_before_store", Act::Kills(10)),
    ("skip_sync", Act::PowerCuts(5)),
    ("skip_idempotency", Act::Kills(3)),
    ("hole_in_order", Act::Kills(2)),
    ("reorder", Act::Kills(2)),
    ("drop_on_resume", Act::Disconnects(300)),
];

/// Rooms of a control.
const ROOMS: u32 = 4;

/// Runs the torture on every broken server; each must be caught.
pub async fn run(common: &Common, options: &Torture, seed: u64) -> Result<Outcome> {
    let mut common = common.clone();
    // Few rooms, so that each gets long within seconds: some faults show in long rooms only.
    let options = &Torture { rooms: ROOMS, ..options.clone() };
    if common.server.is_none() {
        let beside = std::env::current_exe()?.with_file_name("konvert-sabotaged");
        if !beside.is_file() {
            return Err(setup(
                "build the broken server: cargo build --release --features sabotage --bin konvert-sabotaged",
            ));
        }
        common.server = Some(beside);
    }
    let mut outcome = Outcome::new(format!("negative controls, seed {seed}"));
    let (mut caught, mut missed) = (0, 0);
    let bar = progress_bar(common.quiet, "controls", CONTROLS.len() as u64);
    for (sabotage, act) in CONTROLS {
        bar.inc(1);
        if let (Act::PowerCuts(_), Some(why)) = (act, Mount::obstacle()) {
            outcome.notes.push(format!("{sabotage}: skipped: {why}"));
            continue;
        }
        let env = vec![("KONVERT_SABOTAGE".to_owned(), sabotage.to_owned())];
        let mut play = Play { common: &common, options, env, dice: SmallRng::seed_from_u64(seed) };
        let found = match act.play(&mut play).await {
            Ok(report) if !report.verdict.is_clean() => Some(report.verdict.summary()),
            Ok(report) => report.invalid.first().map(|why| format!("the run is not valid: {why}")),
            // A server broken badly enough cannot even finish the run; that is noticed too.
            Err(error @ (Error::Timeout(_) | Error::Refused(_) | Error::Closed(..))) => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        match found {
            Some(found) => {
                caught += 1;
                outcome.notes.push(format!("{sabotage}: caught by {}: {found}", act.name()));
            }
            None => {
                missed += 1;
                outcome.invalid.push(format!("{sabotage} was not caught by {}", act.name()));
            }
        }
    }
    bar.finish_and_clear();
    outcome.count("controls_caught", caught);
    outcome.count("controls_missed", missed);
    Ok(outcome)
}
