//! Flags that every command has.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// How the answer is printed on stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Folder of the CUDA toolkit or of NVRTC's wheels, instead of looking for one.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) toolkit: Option<PathBuf>,
    /// Folder for the compiler and for compiled candidates [default: $RIDGE_CACHE, or `ridge` in
    /// the user's cache folder].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Compile workers and emulator threads [default: the machine's cores].
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For agents: one JSON object with stable codes.
    Json,
}
