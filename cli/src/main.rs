//! The `ridge` binary. stdout is data, stderr is talk; exit status 0: yes, 1: the answer is no,
//! 2: no answer.

mod arguments;
mod commands;
mod draw;
mod environment;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Format};

/// What a command's answer amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The answer is yes.
    Yes,
    /// The answer is no: rejected, regressed, nothing found.
    No,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    environment::install_log();
    match commands::run(&arguments) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => {
            output::failure(&error, arguments.global.format == Format::Json);
            ExitCode::from(2)
        }
    }
}
