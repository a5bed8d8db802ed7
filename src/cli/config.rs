//! `konvert config`: are the settings right, and what are they?

use clap::{Args, Subcommand};

use super::{Done, Settings, print};

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Say whether the server would start with these settings, and if not, why.
    Check(Which),
    /// Print the settings in force as TOML: defaults, file, environment and flags together.
    Print(Which),
}

#[derive(Args)]
pub(super) struct Which {
    #[command(flatten)]
    settings: Settings,
}

impl ConfigCommand {
    pub(super) fn run(self) -> Done {
        match self {
            Self::Check(which) => {
                which.settings.load()?;
                print("The settings are right.");
            }
            Self::Print(which) => print(toml::to_string_pretty(&which.settings.load()?)?.trim_end()),
        }
        Ok(())
    }
}
