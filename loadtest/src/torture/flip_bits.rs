//! Flipped bits: a stopped server's files are copied, one bit of the copy is turned, and a server is started on it. It
//! may report damage (refuse to start, or answer `damaged`), or the bit may be one that nothing hangs on; but what it
//! serves must be what was written, and nothing may be missing without a word.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng;

use super::cast::Cast;
use super::history::{RoomListing, State};
use super::reader::list_rooms;
use super::stage::Stage;
use super::{ActReport, Play};
use crate::bench::progress_bar;
use crate::client::Target;
use crate::error::{Error, Result};
use crate::figures::Unit;
use crate::server_process::Launch;

const ACKS: u64 = 3_000;
const ACKS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);
/// Not the log's: the server's secret has a check of its own, and without it nobody could ask what is stored.
const NOT_FLIPPED: &str = "secret";

/// What a flipped bit did.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    /// Everything is as it was.
    None,
    /// The server refused to start, or reported messages as damaged.
    Reported,
    /// Something is missing or other than it was, and nobody said so.
    Silent(String),
}

pub async fn play(play: &mut Play<'_>, count: u64) -> Result<ActReport> {
    let mut stage = Stage::plain(play.common, &[], &play.env).await?;
    let company = play.company();
    let cast = Cast::enter(&stage.target, company, &mut play.dice).await?;
    let enough = cast.wait_acks(ACKS, ACKS_TIMEOUT).await;
    let history = cast.leave().await?;
    stage.stop().await?;
    let mut report = ActReport::new("flipped bits", history);
    if !enough {
        report.invalid.push("too few acks to have something to damage".into());
    }
    let bar = progress_bar(play.common.quiet, "flipped bits", count);
    let (mut harmless, mut reported, mut silent) = (0u64, 0u64, 0u64);
    for _ in 0..count {
        let copy = stage.data().with_file_name("damaged");
        copy_directory(stage.data(), &copy)?;
        let place = flip(&copy, play)?;
        match effect(&stage, &copy, &report.history.rooms).await? {
            Effect::None => harmless += 1,
            Effect::Reported => reported += 1,
            Effect::Silent(what) => {
                silent += 1;
                report.notes.push(format!("{place}: {what}"));
            }
        }
        fs::remove_dir_all(&copy)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    if reported == 0 && count >= 10 {
        report.invalid.push("no flipped bit hit anything".into());
    }
    report.figures.push(("flips_reported", reported as f64, Unit::Count));
    report.figures.push(("flips_harmless", harmless as f64, Unit::Count));
    report.figures.push(("flips_silent", silent as f64, Unit::Count));
    Ok(report)
}

/// Starts a server on the damaged copy and compares what it serves.
async fn effect(stage: &Stage, copy: &Path, before: &[RoomListing]) -> Result<Effect> {
    let mut launch: Launch = stage.launch().clone().on_port(0);
    if let Some(at) = launch.args.iter().position(|arg| arg == "--data") {
        launch.args[at + 1] = copy.display().to_string();
    }
    let server = match launch.start().await {
        Ok(server) => server,
        Err(Error::Setup(_)) => return Ok(Effect::Reported),
        Err(error) => return Err(error),
    };
    let target = Target { address: server.address, ..stage.target.clone() };
    let after = list_rooms(&target, "lister", before.len() as u32).await;
    server.kill().await?;
    Ok(match after {
        Ok(after) => compare(before, &after),
        // A closed connection or another error is no answer to go by: it must be `damaged`.
        Err(error) => Effect::Silent(format!("history cannot be read: {error}")),
    })
}

fn compare(before: &[RoomListing], after: &[RoomListing]) -> Effect {
    let mut effect = Effect::None;
    for (room, (before, after)) in before.iter().zip(after).enumerate() {
        for (at, stored) in before.stored.iter().enumerate() {
            match after.stored.get(at).map(|stored| stored.state) {
                Some(State::ReportedDamaged) => effect = Effect::Reported,
                Some(state) if state == stored.state => {}
                other => return Effect::Silent(format!("room {room}, offset {}: {other:?}", stored.offset)),
            }
        }
        if after.stored.len() > before.stored.len() {
            return Effect::Silent(format!("room {room} has grown"));
        }
    }
    effect
}

/// Turns one bit of the data; returns where.
fn flip(dir: &Path, play: &mut Play<'_>) -> Result<String> {
    let mut files = Vec::new();
    files_below(dir, &mut files)?;
    let total: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    loop {
        let mut at = play.dice.random_range(0..total.max(1));
        let Some((path, _)) = files.iter().find(|(_, bytes)| {
            let here = at < *bytes;
            at -= if here { 0 } else { *bytes };
            here
        }) else {
            return Ok("nothing to flip".into());
        };
        let mut bytes = fs::read(path)?;
        let at = at as usize;
        // Long runs of zeros are room not yet used; a bit there would prove nothing.
        let around = &bytes[at.saturating_sub(16)..(at + 16).min(bytes.len())];
        if around.iter().all(|&byte| byte == 0) {
            continue;
        }
        let bit = play.dice.random_range(0..8);
        bytes[at] ^= 1 << bit;
        fs::write(path, bytes)?;
        return Ok(format!("{} byte {at} bit {bit}", path.strip_prefix(dir).unwrap_or(path).display()));
    }
}

fn files_below(dir: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files_below(&entry.path(), files)?;
        } else if kind.is_file() && entry.file_name() != NOT_FLIPPED {
            files.push((entry.path(), entry.metadata()?.len()));
        }
    }
    Ok(())
}

fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torture::history::Stored;
    use crate::torture::message::{Content, Key};

    fn listing(states: &[State]) -> Vec<RoomListing> {
        let stored = (1..).zip(states).map(|(offset, &state)| Stored { offset, state }).collect();
        vec![RoomListing { stored, ..RoomListing::default() }]
    }

    #[test]
    fn effects_are_told_apart() {
        let whole = |crc| State::Whole(Content { key: Key { writer: 0, counter: 0 }, room: 0, crc });
        let before = listing(&[whole(1), whole(2)]);
        assert_eq!(compare(&before, &before), Effect::None);
        assert_eq!(compare(&before, &listing(&[State::ReportedDamaged, whole(2)])), Effect::Reported);
        for silent in
            [&[whole(1)][..], &[whole(1), whole(3)], &[State::Foreign, whole(2)], &[whole(1), whole(2), whole(3)]]
        {
            assert!(matches!(compare(&before, &listing(silent)), Effect::Silent(_)), "{silent:?}");
        }
    }
}
