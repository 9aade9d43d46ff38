//! One file for each command.

mod check;
mod doctor;
pub(crate) mod publish;
pub(crate) mod push;
mod report;
pub(crate) mod search_hub;
pub(crate) mod simulate;
pub(crate) mod tune;
pub(crate) mod verify_repo;

use crate::arguments::{Arguments, Command};
use crate::{Answer, environment};

/// Runs the command and prints its answer.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Answer> {
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
