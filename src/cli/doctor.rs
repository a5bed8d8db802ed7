//! `konvert doctor`: is this machine fit for the server? Every finding says what to do.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use super::{Done, Failure, Settings, now_ms, print};
use crate::config::Config;

/// Descriptors for everything that is not a connection: the journal's files, listeners, shards.
const OTHER_DESCRIPTORS: u64 = 256;
/// Enough to see the usual and the worst, quick on a slow disk.
const SYNCS: usize = 50;
/// 2024-01-01, milliseconds: this program is younger.
const OLDEST_NOW_MS: u64 = 1_704_067_200_000;

#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    settings: Settings,
}

/// One thing looked at.
struct Finding {
    what: &'static str,
    found: String,
    /// Nothing when all is well.
    advice: Option<Advice>,
}

enum Advice {
    /// It works, but not as well as it could.
    Better(String),
    /// It will not work.
    Needed(String),
}

impl Doctor {
    pub(super) fn run(self) -> Done {
        let config = self.settings.load()?;
        let data = existing(&config.server.data);
        let findings = [
            descriptors(&config),
            backlog(),
            clock(&config.server.data),
            permissions(&data),
            space(&config, &data),
            sync_cost(&data),
        ];
        let mut bad = 0;
        for finding in findings {
            let (mark, advice) = match finding.advice {
                None => ("ok  ", None),
                Some(Advice::Better(advice)) => ("warn", Some(advice)),
                Some(Advice::Needed(advice)) => {
                    bad += 1;
                    ("BAD ", Some(advice))
                }
            };
            print(format_args!("{mark}  {:<17} {}", finding.what, finding.found));
            if let Some(advice) = advice {
                print(format_args!("      → {advice}"));
            }
        }
        if bad == 0 {
            Ok(())
        } else {
            Err(Failure(format!("{bad} of these must be changed before the server can work")))
        }
    }
}

/// The directory itself, or where it would be made.
fn existing(path: &Path) -> PathBuf {
    let above = path.ancestors().find(|above| above.is_dir());
    above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn descriptors(config: &Config) -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let wanted = config.gateway.connections_max as u64 + OTHER_DESCRIPTORS;
    let advice = || {
        Advice::Better(format!(
            "for gateway.connections_max = {} set LimitNOFILE={wanted} (systemd), --ulimit nofile={wanted} (docker) or \
             `ulimit -Hn {wanted}`; until then about {} connections fit",
            config.gateway.connections_max,
            most.saturating_sub(OTHER_DESCRIPTORS),
        ))
    };
    let found = format!("{most} at most, {} now (raised at start)", limit.current.unwrap_or(most));
    Finding { what: "descriptors", found, advice: (most < wanted).then(advice) }
}

fn backlog() -> Finding {
    let path = "/proc/sys/net/core/somaxconn";
    let Some(backlog) = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok()) else {
        return Finding { what: "connect backlog", found: "not told by this system".into(), advice: None };
    };
    let advice = || Advice::Better("bursts of connects are refused: `sysctl net.core.somaxconn=4096`".into());
    Finding { what: "connect backlog", found: backlog.to_string(), advice: (backlog < 1_024).then(advice) }
}

fn clock(data: &Path) -> Finding {
    let now = now_ms();
    let written = fs::metadata(data.join("secret")).and_then(|found| found.modified()).ok();
    let written =
        written.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).map_or(0, |t| t.as_millis() as u64);
    let advice = if now < OLDEST_NOW_MS {
        Some(Advice::Needed(
            "the clock is years behind, and tokens and messages carry its time: start a time service".into(),
        ))
    } else if now < written {
        Some(Advice::Needed("the clock is behind the time the secret was written: start a time service".into()))
    } else {
        None
    };
    Finding { what: "clock", found: format!("{} s since 1970", now / 1_000), advice }
}

fn permissions(data: &Path) -> Finding {
    let what = "data directory";
    let mode = match fs::metadata(data) {
        Ok(found) => found.permissions().mode() & 0o777,
        Err(error) => {
            let advice = Some(Advice::Needed(format!("it cannot be looked at: {error}")));
            return Finding { what, found: data.display().to_string(), advice };
        }
    };
    let advice = if let Err(error) = probe(data) {
        Some(Advice::Needed(format!(
            "nothing can be written there ({error}): give it to the user that runs the server"
        )))
    } else if mode & 0o007 != 0 && data.join("secret").exists() {
        Some(Advice::Better(format!("others on this machine may look into it: `chmod 700 {}`", data.display())))
    } else {
        None
    };
    Finding { what, found: format!("{} (mode {mode:03o})", data.display()), advice }
}

fn space(config: &Config, data: &Path) -> Finding {
    let what = "free space";
    let free = match rustix::fs::statvfs(data) {
        Ok(system) => system.f_bavail.saturating_mul(system.f_frsize),
        Err(error) => return Finding { what, found: format!("not told: {error}"), advice: None },
    };
    let least = config.journal.free_bytes_min + config.journal.ballast_bytes;
    let advice = if free < least {
        let room = least >> 20;
        Some(Advice::Needed(format!("below {room} MiB nothing is stored (journal.free_bytes_min): make room")))
    } else if free < 4 * least {
        Some(Advice::Better(format!("not far from the {} MiB below which nothing is stored", least >> 20)))
    } else {
        None
    };
    Finding { what, found: format!("{} MiB", free >> 20), advice }
}

/// What an acknowledgement waits for. Group commit shares one sync among all who wait.
fn sync_cost(data: &Path) -> Finding {
    let what = "disk sync";
    let mut costs_us = match measure_syncs(data) {
        Ok(costs) => costs,
        Err(error) => {
            let advice = Some(Advice::Needed("the journal cannot work here".into()));
            return Finding { what, found: format!("failed: {error}"), advice };
        }
    };
    costs_us.sort_unstable();
    let (usual, worst) = (costs_us[costs_us.len() / 2], costs_us[costs_us.len() - 1]);
    let advice = if usual > 10_000 {
        Some(Advice::Better("every publish waits this long: use an SSD for the data directory".into()))
    } else if usual < 15 {
        Some(Advice::Better(
            "too quick for a real disk: on a RAM disk, or with a write cache that lies, a power cut loses messages"
                .into(),
        ))
    } else {
        None
    };
    Finding { what, found: format!("{usual} µs usually, {worst} µs at worst of {SYNCS}"), advice }
}

fn measure_syncs(data: &Path) -> io::Result<Vec<u64>> {
    let (path, mut file) = scratch(data)?;
    let mut one = || {
        let began = Instant::now();
        file.write_all(&[0x4b; 4_096])?;
        file.sync_data()?;
        Ok(began.elapsed().as_micros() as u64)
    };
    let costs = (0..SYNCS).map(|_| one()).collect();
    fs::remove_file(path)?;
    costs
}

fn probe(data: &Path) -> io::Result<()> {
    scratch(data).and_then(|(path, _)| fs::remove_file(path))
}

fn scratch(data: &Path) -> io::Result<(PathBuf, File)> {
    let path = data.join(format!(".konvert-doctor-{}", std::process::id()));
    File::create_new(&path).map(|file| (path, file))
}
