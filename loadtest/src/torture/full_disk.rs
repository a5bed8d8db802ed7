//! A full disk: what cannot be written must not be acked, what is stored must stay readable, and when there is room
//! again, at the latest after a restart, writing goes on.

use std::fs;
use std::io::Write;
use std::time::Duration;

use super::cast::Cast;
use super::reader::list_rooms;
use super::stage::Stage;
use super::{ActReport, Play};
use crate::error::Result;
use crate::figures::Unit;

const DISK_BYTES: u64 = 512 << 20;
/// The server is to run into the end of the disk, not into its own floor before it.
const SETTINGS: [&str; 2] = ["journal.free_bytes_min=1048576", "journal.ballast_bytes=1048576"];
const ACKS_BEFORE: u64 = 500;
const ACKS_TIMEOUT: Duration = Duration::from_secs(60);
/// Acks must have stopped this long after the last byte of the disk was taken.
const FILL_TIMEOUT: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_secs(2);

pub async fn play(play: &mut Play<'_>) -> Result<ActReport> {
    let mut stage = Stage::mounted(play.common, &SETTINGS, &play.env, DISK_BYTES).await?;
    let company = play.company();
    let mut cast = Cast::enter(&stage.target, company, &mut play.dice).await?;
    let mut invalid = Vec::new();
    if !cast.wait_acks(ACKS_BEFORE, ACKS_TIMEOUT).await {
        invalid.push("too few acks before the disk was full".to_owned());
    }
    let filler = stage.mount()?.path().join("filler");
    fill(&filler)?;
    cast.fault();
    cast.go_on();
    if !silence(&cast).await {
        invalid.push("acks did not stop although the disk is full".to_owned());
    }
    let readable = list_rooms(&stage.target, "reader-of-a-full-disk", company.habits.rooms).await;
    let fallen = stage.has_fallen();
    fs::remove_file(&filler)?;
    cast.fault();
    stage.kill().await?;
    let took = stage.restart().await?;
    let verdict = cast.check().await?;
    cast.go_on();
    if verdict.is_clean() && !cast.wait_acks(cast.acks() + ACKS_BEFORE, ACKS_TIMEOUT).await {
        invalid.push(format!("nothing is acked after there was room again: {}", stage.launch().log_tail()));
    }
    let mut report = ActReport::new("disk full", cast.leave().await?);
    stage.kill().await?;
    if let Err(error) = readable {
        invalid.push(format!("with a full disk history could not be read: {error}"));
    }
    if fallen {
        invalid.push("the server did not survive the full disk".to_owned());
    }
    report.figures.push(("disk_full_reopen", took.as_micros() as f64, Unit::Time));
    report.invalid = invalid;
    Ok(report)
}

/// Writes until nothing more fits.
fn fill(path: &std::path::Path) -> Result<()> {
    let mut file = fs::File::create(path)?;
    for size in [1 << 20, 4096] {
        let block = vec![0xab; size];
        while file.write_all(&block).is_ok() {}
    }
    // The end of the disk may be told here instead of above; both mean that it is full.
    let _ = file.sync_all();
    Ok(())
}

/// Waits until no ack has come for a while; false when they keep coming.
async fn silence(cast: &Cast) -> bool {
    let begun = std::time::Instant::now();
    let mut before = cast.acks();
    while begun.elapsed() < FILL_TIMEOUT {
        tokio::time::sleep(SILENCE).await;
        let acks = cast.acks();
        if acks == before {
            return true;
        }
        before = acks;
    }
    false
}
