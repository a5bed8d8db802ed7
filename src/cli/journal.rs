//! `konvert journal`: look at the stored messages.

use clap::{Args, Subcommand};

use super::{Done, Failure, Settings, print};
use crate::journal;

#[derive(Subcommand)]
pub(super) enum JournalCommand {
    /// Check every stored message: checksums, order, completeness. Changes nothing. Stop the server first.
    Verify(Verify),
}

#[derive(Args)]
pub(super) struct Verify {
    #[command(flatten)]
    settings: Settings,
}

impl JournalCommand {
    pub(super) fn run(self) -> Done {
        let Self::Verify(verify) = self;
        let directory = verify.settings.load()?.server.data.join("journal");
        let report = journal::verify(&directory).map_err(|reason| {
            Failure(format!("{reason}; stop the server that uses it, or name another directory with --data"))
        })?;
        print(format_args!("rooms: {}, messages: {}", report.rooms, report.records));
        if report.torn_bytes > 0 {
            print(format_args!(
                "{} bytes at the end were never acknowledged; the next start cuts them off",
                report.torn_bytes
            ));
        }
        report.problems.iter().for_each(print);
        match report.problem_count {
            0 => {
                print("sound");
                Ok(())
            }
            count => Err(Failure(format!(
                "problems: {count} in {}; keep a copy of the directory before anything else is tried",
                directory.display()
            ))),
        }
    }
}
