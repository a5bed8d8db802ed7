//! Failing disk: from one moment on every sync, or every write, of the server's data fails with EIO, by a small library
//! that is compiled here and loaded before the C library. After a failed sync nobody knows what is on the disk, so that
//! no ack may come any more, also when the disk is well again, until a restart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::cast::Cast;
use super::mount::run;
use super::reader::list_rooms;
use super::stage::Stage;
use super::{ActReport, Play};
use crate::error::Result;
use crate::figures::Unit;

/// Fails what the control file names: `s` syncs, `w` writes to regular files but the log on descriptor 2. Says in `<control>.fired` that it did.
const SHIM_C: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(int fd, char what) {
    const char *control = getenv("KONVERT_LOADTEST_CONTROL");
    struct stat at;
    char mode = 0, fired[4096];
    int file;
    if (fd == 2 || !control || fstat(fd, &at) != 0 || !S_ISREG(at.st_mode)) return 0;
    if ((file = open(control, O_RDONLY)) < 0) return 0;
    if (read(file, &mode, 1) != 1) mode = 0;
    close(file);
    if (mode != what || strlen(control) > 4000) return 0;
    strcpy(fired, control);
    strcat(fired, ".fired");
    if ((file = open(fired, O_CREAT | O_WRONLY, 0600)) >= 0) close(file);
    errno = EIO;
    return 1;
}
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
int fsync(int fd) { return fails(fd, 's') ? -1 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return fails(fd, 's') ? -1 : NEXT(fdatasync)(fd); }
ssize_t write(int fd, const void *b, size_t n) { return fails(fd, 'w') ? -1 : NEXT(write)(fd, b, n); }
ssize_t writev(int fd, const struct iovec *v, int n) { return fails(fd, 'w') ? -1 : NEXT(writev)(fd, v, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { return fails(fd, 'w') ? -1 : NEXT(pwrite)(fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { return fails(fd, 'w') ? -1 : NEXT(pwrite64)(fd, b, n, o); }
"#;

const ACKS_BEFORE: u64 = 500;
const ACKS_TIMEOUT: Duration = Duration::from_secs(60);
/// Acks on their way when the disk began to fail have arrived when none came for this long.
const GRACE: Duration = Duration::from_millis(500);
const WATCH: Duration = Duration::from_secs(1);

/// Why it is impossible here, if it is.
pub fn obstacle() -> Option<&'static str> {
    let compiler = Command::new("cc").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    compiler.is_err().then_some("needs a C compiler")
}

pub async fn play(play: &mut Play<'_>) -> Result<ActReport> {
    let dir = tempfile::Builder::new().prefix("konvert-shim-").tempdir()?;
    let shim = compile(dir.path())?;
    let control = dir.path().join("control");
    let mut env = play.env.clone();
    env.push(("LD_PRELOAD".into(), shim.display().to_string()));
    env.push(("KONVERT_LOADTEST_CONTROL".into(), control.display().to_string()));
    let mut stage = Stage::plain(play.common, &[], &env).await?;
    let company = play.company();
    let mut cast = Cast::enter(&stage.target, company, &mut play.dice).await?;
    let (mut invalid, mut acked_after) = (Vec::new(), 0);
    for (mode, what) in [("s", "syncs"), ("w", "writes")] {
        if !cast.wait_acks(cast.acks() + ACKS_BEFORE, ACKS_TIMEOUT).await {
            invalid.push(format!("too few acks before {what} failed: {}", stage.launch().log_tail()));
            break;
        }
        cast.fault();
        cast.go_on();
        fs::write(&control, mode)?;
        acked_after += acks_after_failure(&cast, &control, what, &mut invalid).await?;
        if stage.has_fallen() {
            invalid.push(format!("the server did not survive failing {what}"));
        } else if let Err(error) = list_rooms(&stage.target, "reader-of-a-failing-disk", company.habits.rooms).await {
            invalid.push(format!("while {what} fail history could not be read: {error}"));
        }
        cast.fault();
        stage.kill().await?;
        stage.restart().await?;
        let verdict = cast.check().await?;
        cast.go_on();
        if !verdict.is_clean() {
            break;
        }
    }
    let mut report = ActReport::new("write errors", cast.leave().await?);
    stage.kill().await?;
    report.figures.push(("acked_after_failure", acked_after as f64, Unit::Count));
    report.invalid = invalid;
    Ok(report)
}

/// Acks that came though the disk had failed; the disk is well again half way through.
async fn acks_after_failure(cast: &Cast, control: &Path, what: &str, invalid: &mut Vec<String>) -> Result<u64> {
    let fired = control.with_extension("fired");
    let begun = std::time::Instant::now();
    while !fired.exists() {
        if begun.elapsed() > ACKS_TIMEOUT {
            invalid.push(format!("failing {what} never happened"));
            return Ok(0);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut before = cast.acks();
    // A server that goes on acknowledging all the same is found out below.
    while begun.elapsed() < ACKS_TIMEOUT {
        tokio::time::sleep(GRACE).await;
        if cast.acks() == std::mem::replace(&mut before, cast.acks()) {
            break;
        }
    }
    tokio::time::sleep(WATCH).await;
    fs::remove_file(control)?;
    fs::remove_file(fired)?;
    tokio::time::sleep(WATCH).await;
    Ok(cast.acks() - before)
}

fn compile(dir: &Path) -> Result<PathBuf> {
    let (source, library) = (dir.join("shim.c"), dir.join("shim.so"));
    fs::write(&source, SHIM_C)?;
    run(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl"))?;
    Ok(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shim_fails_what_it_is_told_to() {
        if obstacle().is_some() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let shim = compile(dir.path()).unwrap();
        let (control, file) = (dir.path().join("control"), dir.path().join("file"));
        let write = || {
            let mut command = Command::new("dd");
            command.args(["if=/dev/zero", "bs=512", "count=1", "conv=fsync"]).arg(format!("of={}", file.display()));
            command.env("LD_PRELOAD", &shim).env("KONVERT_LOADTEST_CONTROL", &control);
            command.stderr(Stdio::null()).status().unwrap().success()
        };
        assert!(write());
        for mode in ["s", "w"] {
            fs::write(&control, mode).unwrap();
            assert!(!write(), "{mode}");
            assert!(control.with_extension("fired").exists());
        }
        fs::remove_file(&control).unwrap();
        assert!(write());
    }
}
