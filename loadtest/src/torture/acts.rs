//! The acts with the whole cast: kill -9, power cuts, and readers that lose their connections. And the list of all acts.

use std::time::{Duration, Instant};

use rand::Rng;

use super::cast::Cast;
use super::mount::Mount;
use super::stage::Stage;
use super::{ActReport, Play, flip_bits, full_disk, write_errors};
use crate::bench::progress_bar;
use crate::error::Result;
use crate::figures::Unit;
use crate::options::Torture;

/// An act with how often it hurts.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Kill -9 at random moments.
    Kills(u64),
    /// Power cuts at random moments.
    PowerCuts(u64),
    /// Readers lose their connections at random and resume.
    Disconnects(u64),
    /// The disk fills up and is freed.
    DiskFull,
    /// Writes and syncs fail.
    WriteErrors,
    /// Bits flip in the stopped server's files.
    FlipBits(u64),
}

/// Fewer acks than this between two faults, and the fault proves nothing.
const ACKS_BETWEEN_FAULTS: u64 = 50;
/// They must come within this.
const ACKS_TIMEOUT: Duration = Duration::from_secs(60);
/// Readers that lose no connection for this long have none to lose: they cannot come back.
const DISCONNECT_SILENCE: Duration = Duration::from_secs(30);
/// Size of the file system whose power is cut, bytes.
const DISK_BYTES: u64 = 2 << 30;

impl Torture {
    /// The acts asked for; all of them, briefly, when none was named.
    pub fn plan(&self) -> Vec<Act> {
        let named = self.kills.is_some()
            || self.power_cuts.is_some()
            || self.disconnects.is_some()
            || self.flip_bits.is_some()
            || self.disk_full
            || self.write_errors;
        let counted = |asked: Option<u64>, brief: u64| if named { asked.unwrap_or(0) } else { brief };
        let acts = [
            (counted(self.kills, 10) > 0, Act::Kills(counted(self.kills, 10))),
            (counted(self.power_cuts, 5) > 0, Act::PowerCuts(counted(self.power_cuts, 5))),
            (counted(self.disconnects, 300) > 0, Act::Disconnects(counted(self.disconnects, 300))),
            (self.disk_full || !named, Act::DiskFull),
            (self.write_errors || !named, Act::WriteErrors),
            (counted(self.flip_bits, 10) > 0, Act::FlipBits(counted(self.flip_bits, 10))),
        ];
        acts.into_iter().filter(|(wanted, _)| *wanted).map(|(_, act)| act).collect()
    }
}

impl Act {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Act::Kills(_) => "kills",
            Act::PowerCuts(_) => "power cuts",
            Act::Disconnects(_) => "disconnects",
            Act::DiskFull => "disk full",
            Act::WriteErrors => "write errors",
            Act::FlipBits(_) => "flipped bits",
        }
    }

    /// Why it is impossible here, if it is.
    pub fn obstacle(self) -> Option<&'static str> {
        match self {
            Act::PowerCuts(_) | Act::DiskFull => Mount::obstacle(),
            Act::WriteErrors => write_errors::obstacle(),
            Act::Kills(_) | Act::Disconnects(_) | Act::FlipBits(_) => None,
        }
    }

    /// Plays it.
    pub async fn play(self, play: &mut Play<'_>) -> Result<ActReport> {
        match self {
            Act::Kills(count) => {
                let stage = Stage::plain(play.common, &[], &play.env).await?;
                restarts(play, stage, self, count).await
            }
            Act::PowerCuts(count) => {
                let stage = Stage::mounted(play.common, &[], &play.env, DISK_BYTES).await?;
                restarts(play, stage, self, count).await
            }
            Act::Disconnects(count) => disconnects(play, count).await,
            Act::DiskFull => full_disk::play(play).await,
            Act::WriteErrors => write_errors::play(play).await,
            Act::FlipBits(count) => flip_bits::play(play, count).await,
        }
    }
}

/// Kills the server, or cuts its power, `count` times; judges after every restart and at the end.
async fn restarts(play: &mut Play<'_>, mut stage: Stage, act: Act, count: u64) -> Result<ActReport> {
    let company = play.company();
    let mut cast = Cast::enter(&stage.target, company, &mut play.dice).await?;
    let bar = progress_bar(play.common.quiet, act.name(), count);
    let (mut slowest, mut invalid, mut done) = (Duration::ZERO, Vec::new(), 0);
    while done < count {
        if !cast.wait_acks(cast.acks() + ACKS_BETWEEN_FAULTS, ACKS_TIMEOUT).await {
            invalid.push(format!("too few acks after {done} faults; the server says: {}", stage.launch().log_tail()));
            break;
        }
        let moment = play.dice.random_range(0..play.options.pause_ms.max(1) * 1000);
        tokio::time::sleep(Duration::from_micros(moment)).await;
        if stage.has_fallen() {
            invalid.push(format!("the server ended by itself: {}", stage.launch().log_tail()));
            break;
        }
        cast.fault();
        match act {
            Act::PowerCuts(_) => stage.cut_power().await?,
            _ => stage.kill().await?,
        }
        slowest = slowest.max(stage.restart().await?);
        done += 1;
        bar.inc(1);
        let verdict = cast.check().await?;
        cast.go_on();
        if !verdict.is_clean() {
            bar.println(format!("after {done} {}: {}", act.name(), verdict.summary()));
            break;
        }
    }
    bar.finish_and_clear();
    cast.go_on();
    let disconnects = cast.disconnects();
    let mut report = ActReport::new(act.name(), cast.leave().await?);
    stage.kill().await?;
    let messages: u64 = report.history.rooms.iter().map(|room| room.last_offset).sum();
    let per_million = slowest.as_secs_f64() * 1e6 / messages.max(1) as f64;
    let names = match act {
        Act::PowerCuts(_) => ["power_cuts", "power_cut_reopen_max", "power_cut_disconnects"],
        _ => ["kills", "kill_reopen_max", "kill_disconnects"],
    };
    report.figures.push((names[0], done as f64, Unit::Count));
    report.figures.push((names[1], slowest.as_micros() as f64, Unit::Time));
    report.figures.push((names[2], disconnects as f64, Unit::Count));
    report
        .notes
        .push(format!("{messages} messages stored; slowest start {slowest:.0?}, {per_million:.1} s per million"));
    report.invalid = invalid;
    Ok(report)
}

/// Readers lose their connections `count` times while writers write.
async fn disconnects(play: &mut Play<'_>, count: u64) -> Result<ActReport> {
    const READERS: u32 = 24;
    let mut stage = Stage::plain(play.common, &[], &play.env).await?;
    let mut company = play.company();
    company.readers = READERS;
    company.habits.in_flight = company.habits.in_flight.min(4);
    let cast = Cast::enter(&stage.target, company, &mut play.dice).await?;
    let bar = progress_bar(play.common.quiet, "disconnects", count);
    let (mut seen, mut last_seen) = (0, Instant::now());
    while cast.disconnects() < count && !stage.has_fallen() && last_seen.elapsed() < DISCONNECT_SILENCE {
        if cast.disconnects() > seen {
            (seen, last_seen) = (cast.disconnects(), Instant::now());
        }
        bar.set_position(seen);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bar.finish_and_clear();
    let done = cast.disconnects();
    let mut report = ActReport::new("disconnects", cast.leave().await?);
    stage.kill().await?;
    report.figures.push(("disconnects", done as f64, Unit::Count));
    if done < count || report.verdict.acks < ACKS_BETWEEN_FAULTS {
        report.invalid.push(format!("{done} disconnects and {} acks only", report.verdict.acks));
    }
    Ok(report)
}
