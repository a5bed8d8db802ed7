//! The binary: the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    konvert::cli::main()
}
