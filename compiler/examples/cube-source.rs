//! Prints the CUDA C++ that a math-only spec becomes:
//! `cargo run -p ridge-compiler --example cube-source -- SPEC [WORKLOAD [CANDIDATE]]`.
//!
//! Parameters that `CANDIDATE` (`name=value,…`) leaves out have their defaults.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::process::ExitCode;

use ridge_compiler::cube;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::kernel::KernelSpec;
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match print(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn print(arguments: &[String]) -> Result<(), String> {
    let Some(path) = arguments.first() else { return Err("which spec?".to_owned()) };
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let spec = KernelSpec::parse(path, &text).map_err(|errors| shown(&errors))?;
    let spec = cube::complete(&spec).map_err(|errors| shown(&errors))?;
    let workload = match arguments.get(1) {
        Some(name) => spec.workload(name),
        None => spec.workloads.first(),
    };
    let workload = workload.ok_or("there is no such workload")?;
    let profile = include_str!("../../runtime/profiles/h200.toml");
    let profile: DeviceProfile = toml::from_str(profile).map_err(|error| error.to_string())?;
    let instance = spec.bind(workload, &profile).map_err(|error| error.message)?;
    let given = arguments.get(2).map_or("", String::as_str);
    let given = Candidate::parse(given).map_err(|error| error.message)?;
    let defaults = spec.space.default.clone().unwrap_or_default();
    let all = defaults.iter().chain(given.iter());
    let candidate = Candidate::new(all.map(|(name, value)| (name, value.clone())));
    spec.space.check(&candidate, instance.scope()).map_err(|error| error.message)?;
    let source = cube::source(&spec, &instance, &candidate).map_err(|why| why.summary())?;
    eprintln!("{} with {candidate}", source.entry);
    print!("{}", source.text);
    Ok(())
}

fn shown(errors: &[Diagnostic]) -> String {
    let lines = errors.iter().map(|error| {
        let place = error.location.as_ref();
        let place = place.map_or_else(String::new, |at| format!("{}:{}: ", at.line, at.column));
        let hint = error.hint.as_deref().unwrap_or("");
        format!("{place}{}: {} ({hint})", error.code, error.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}
