//! The `ridge` binary. stdout is data, stderr is talk; exit status 0: yes, 1: the answer is no,
//! 2: no answer.

mod arguments;
mod commands;
mod draw;
mod environment;
mod flags;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};
use crate::commands::{check, doctor, publish, report, search_hub, simulate, tune, verify_repo};
use crate::flags::Format;
use crate::output::Answer;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    environment::install_log();
    match run(&arguments) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => {
            output::failure(&error, arguments.global.format == Format::Json);
            ExitCode::from(2)
        }
    }
}

/// Runs the command and prints its answer.
fn run(arguments: &Arguments) -> anyhow::Result<Answer> {
    let format = arguments.global.format;
    if let Command::Report { dir } = &arguments.command {
        return report::run(dir, format);
    }
    if let Command::SearchHub(flags) = &arguments.command {
        return search_hub::run(flags, format);
    }
    if let Command::CompileWorker = &arguments.command {
        ridge_pipeline::setup::serve_compile_worker()?;
        return Ok(Answer::Yes);
    }
    if let Command::DeviceWorker = &arguments.command {
        ridge_pipeline::setup::serve_device_worker()?;
        return Ok(Answer::Yes);
    }
    let setup = environment::setup(&arguments.global)?;
    ridge_pipeline::setup::limit_threads(setup.threads);
    match &arguments.command {
        Command::Doctor(flags) => doctor::run(&setup, flags, format),
        Command::Check(flags) => check::run(&setup, flags, format),
        Command::Tune(flags) => tune::run(&setup, flags, format),
        Command::Publish(flags) => publish::run(&setup, flags, format),
        Command::Simulate(flags) => simulate::run(flags, format),
        Command::VerifyRepo(flags) => verify_repo::run(&setup, flags, format),
        Command::Report { .. }
        | Command::SearchHub(_)
        | Command::CompileWorker
        | Command::DeviceWorker => Ok(Answer::Yes),
    }
}
