//! `konvert journal`: look at the stored messages.

use clap::{Args, Subcommand};

use super::{Done, Failure, Settings};

#[derive(Subcommand)]
pub(super) enum JournalCommand {
    /// Check every stored message: checksums, order, completeness. The server must not be running.
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
        let _config = verify.settings.load()?;
        Err(Failure("this build has no journal on disk".into()))
    }
}
