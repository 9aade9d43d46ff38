//! The toolkit that the tests compile with: found, or installed once.

use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::pool::{PoolConfig, WorkerCommand};
use ridge_compiler::toolchain::{NoProgress, SearchPaths, Toolkit, ensure};
use ridge_spec::artifact::Artifact;
use ridge_spec::outcome::Rejection;
use ridge_spec::target::Architecture;

/// The toolkit; `None`, with the reason printed, where there is none and none can be installed.
pub(crate) fn toolkit() -> Option<&'static Toolkit> {
    static TOOLKIT: OnceLock<Option<Toolkit>> = OnceLock::new();
    TOOLKIT
        .get_or_init(|| {
            let paths = SearchPaths::from_lookup(|name| std::env::var_os(name));
            ensure(&paths, &mut NoProgress)
                .inspect_err(|error| eprintln!("skipped: {error} ({})", error.code()))
                .ok()
        })
        .as_ref()
}

pub(crate) fn config(toolkit: &Toolkit, n_workers: usize) -> PoolConfig {
    let worker = WorkerCommand {
        program: env!("CARGO_BIN_EXE_ridge-compile-worker").into(),
        arguments: vec![],
    };
    PoolConfig {
        n_workers: NonZero::new(n_workers).unwrap(),
        time_limit: Duration::from_secs(60),
        ..PoolConfig::new(worker, toolkit.clone())
    }
}

pub(crate) fn sm_90a() -> Architecture {
    Architecture::parse("sm_90a").unwrap()
}

/// A unit of one text.
pub(crate) fn unit(toolkit: &Toolkit, text: &str, entry: &str, options: &[&str]) -> Unit {
    let sources = Sources::from_text("kernel.cu", text, &toolkit.include_folders).unwrap();
    let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
    Unit::new(Arc::new(sources), entry, &options, &[], sm_90a()).unwrap()
}

/// Writes files below `folder`.
pub(crate) fn write_files(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Compiles one text with a fresh worker and no cache; `None` where there is no toolkit.
pub(crate) fn compile(
    text: &str,
    entry: &str,
    options: &[&str],
) -> Option<Result<Artifact, Rejection>> {
    let toolkit = toolkit()?;
    let mut compiler = Compiler::new(config(toolkit, 1), None);
    Some(compiler.compile(unit(toolkit, text, entry, options)).unwrap())
}
