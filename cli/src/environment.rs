//! The one place that reads the environment. Everything else is handed values.

use std::io::IsTerminal as _;
use std::num::NonZero;
use std::path::PathBuf;

use ridge_hub_publish::hub::{HubOptions, Token};
use ridge_pipeline::setup::{DeviceWorkerCommand, Setup, WorkerCommand};

use crate::flags::Global;

#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What the machine and the flags say about tools, caches and cores.
pub(crate) fn setup(global: &Global) -> anyhow::Result<Setup> {
    // A worker compiles in another folder: what is relative is so to this one.
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let lookup = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
        let is_folder = ["RIDGE_CACHE", "RIDGE_TOOLKIT", "CUDA_HOME", "CUDA_PATH"].contains(&name);
        Some(if is_folder { absolute(value.into()).into_os_string() } else { value })
    };
    let threads = global
        .threads
        .and_then(|threads| NonZero::new(usize::from(threads)))
        .or_else(|| std::thread::available_parallelism().ok())
        .unwrap_or(NonZero::<usize>::MIN);
    let program = std::env::current_exe()?;
    let device_worker =
        DeviceWorkerCommand { program: program.clone(), arguments: vec!["device-worker".into()] };
    let worker = WorkerCommand { program, arguments: vec!["compile-worker".into()] };
    let (toolkit, cache) = (global.toolkit.clone(), global.cache.clone());
    let (toolkit, cache) = (toolkit.map(absolute), cache.map(absolute));
    Ok(Setup::new(lookup, toolkit, cache, worker, device_worker, threads))
}

/// Folder of a campaign without `--out`.
pub(crate) fn default_out(kernel: &str, target: &str) -> PathBuf {
    PathBuf::from("ridge-out").join(format!("{kernel}-{target}"))
}

/// Where the Hub is and who asks, as the Hub's own clients find out: `HF_ENDPOINT`; `HF_TOKEN`,
/// else the file that `hf auth login` writes (`HF_TOKEN_PATH`, or `token` in `HF_HOME`, which is
/// `huggingface` in the user's cache folder).
pub(crate) fn hub() -> HubOptions {
    let endpoint = variable("HF_ENDPOINT");
    let implicit = variable("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_none();
    let token = implicit
        .then(|| variable("HF_TOKEN").or_else(|| std::fs::read_to_string(token_file()?).ok()));
    let token = token.flatten().as_deref().and_then(Token::new);
    HubOptions { endpoint, token, ..HubOptions::default() }
}

fn token_file() -> Option<PathBuf> {
    if let Some(path) = variable("HF_TOKEN_PATH") {
        return Some(path.into());
    }
    let home = variable("HF_HOME").map(PathBuf::from).or_else(|| {
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")));
        Some(cache?.join("huggingface"))
    });
    Some(home?.join("token"))
}

/// Whether text on stdout may carry colour.
pub(crate) fn stdout_colour() -> bool {
    std::io::stdout().is_terminal() && variable("NO_COLOR").is_none()
}

/// Whether text on stderr may carry colour.
pub(crate) fn stderr_colour() -> bool {
    std::io::stderr().is_terminal() && variable("NO_COLOR").is_none()
}

/// Sends logs to stderr, as `RIDGE_LOG` asks (`RIDGE_LOG=debug`).
pub(crate) fn install_log() {
    // What the Hub's client says of each attempt is said again with what follows from it.
    let filter = variable("RIDGE_LOG").unwrap_or_else(|| "error,hf_hub=off".to_owned());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(stderr_colour())
        .finish();
    // Only a second installation fails, and there is none.
    let _installed = tracing::subscriber::set_global_default(subscriber);
}
