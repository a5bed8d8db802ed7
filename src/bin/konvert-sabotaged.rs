//! The same binary under another name, built with deliberate faults, so that the tests can show that they would notice.
//! Never part of a release.

use std::process::ExitCode;

fn main() -> ExitCode {
    konvert::cli::main()
}
