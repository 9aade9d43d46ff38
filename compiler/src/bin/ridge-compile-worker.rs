//! The worker of the compile pool as a program of its own.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    match ridge_compiler::worker::serve(io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
