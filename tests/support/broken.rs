//! The build with deliberate faults, for negative controls.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The build with the faults in it, made once.
pub fn broken_build() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY
        .get_or_init(|| {
            let binary = PathBuf::from(env!("CARGO_BIN_EXE_konvert"));
            let directory = binary.parent().expect("the binary is in a directory");
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--features", "sabotage", "--bin", "konvert-sabotaged"]);
            if directory.ends_with("release") {
                // What is broken need not be fast; as `.ci/run` builds it.
                build.args(["--release", "--config", "profile.release.package.konvert.opt-level=0"]);
            }
            assert!(build.status().expect("cargo runs").success(), "the broken build does not build");
            directory.join("konvert-sabotaged")
        })
        .clone()
}
