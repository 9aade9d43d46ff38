//! One-time installation of a toolkit from the Python registry into Ridge's cache.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::discover::{discover, probe};
use super::packages::{PACKAGES, installed_folder};
use super::search::SearchPaths;
use super::{InstallFailure, Origin, ToolchainError, Toolkit};

/// Bytes that [`PACKAGES`] take while they are unpacked, for the progress bar: measured on
/// x86-64 Linux.
const BYTES_TOTAL: u64 = 260_000_000;

/// How often the folder is measured while the installer runs.
const POLL: Duration = Duration::from_millis(150);

/// Hears how an installation goes.
pub trait InstallProgress {
    /// `done` of about `total` bytes are on disk.
    fn advance(&mut self, done: u64, total: u64);
}

/// Progress nobody looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl InstallProgress for NoProgress {
    fn advance(&mut self, _done: u64, _total: u64) {}
}

/// Bytes that the installed toolkit takes; 0 where there is none.
pub fn installed_bytes(cache_folder: &Path) -> u64 {
    bytes_below(&installed_folder(cache_folder))
}

/// Finds a toolkit, or installs one.
///
/// # Errors
/// As [`discover`] and [`install`]; an explicit setting that does not do is never papered over by
/// an installation.
pub fn ensure(
    paths: &SearchPaths,
    progress: &mut dyn InstallProgress,
) -> Result<Toolkit, ToolchainError> {
    match (discover(paths), &paths.cache_folder) {
        (Err(ToolchainError::NotFound { .. }), Some(cache)) if paths.setting.is_none() => {
            install(cache, progress)
        }
        (found, _) => found,
    }
}

/// Installs the toolkit into `cache_folder`, unless it is there.
///
/// Two processes at once do it once: the second waits. The toolkit appears under its name only
/// when it is whole; what an interrupted installation left is removed by the next.
///
/// # Errors
/// [`ToolchainError::NoInstaller`], [`ToolchainError::InstallFailed`], [`ToolchainError::Io`].
pub fn install(
    cache_folder: &Path,
    progress: &mut dyn InstallProgress,
) -> Result<Toolkit, ToolchainError> {
    install_with(cache_folder, &installers, progress)
}

/// Installs with the first of the commands that starts; they are told the folder to fill.
fn install_with(
    cache_folder: &Path,
    installers: &dyn Fn(&Path) -> Vec<Command>,
    progress: &mut dyn InstallProgress,
) -> Result<Toolkit, ToolchainError> {
    let target = installed_folder(cache_folder);
    let toolchains = cache_folder.join("toolchains");
    fs::create_dir_all(&toolchains).map_err(io("create the folder", &toolchains))?;
    let lock_path = toolchains.join(".lock");
    let lock = File::create(&lock_path).map_err(io("create", &lock_path))?;
    lock.lock().map_err(io("lock", &lock_path))?;
    if let Ok(toolkit) = probe(&target, Origin::Cache) {
        return Ok(toolkit);
    }
    remove_leftovers(&toolchains, &target);
    let scratch = tempfile::Builder::new()
        .prefix(LEFTOVER_PREFIX)
        .tempdir_in(&toolchains)
        .map_err(io("create a folder in", &toolchains))?;
    let unpacked = scratch.path().join("toolkit");
    let work = scratch.path().join("work");
    for folder in [&unpacked, &work] {
        fs::create_dir(folder).map_err(io("create the folder", folder))?;
    }
    run_installer(installers(&unpacked), &work, scratch.path(), progress)?;
    drop_unused(&unpacked);
    probe(&unpacked, Origin::Cache).map_err(|why| ToolchainError::InstallFailed {
        command: "pip install".to_owned(),
        log: why.unwrap_or_else(|| "it installed no `libnvrtc.so`".to_owned()),
        cause: InstallFailure::Incomplete,
    })?;
    fs::rename(&unpacked, &target).map_err(io("move the toolkit to", &target))?;
    progress.advance(BYTES_TOTAL, BYTES_TOTAL);
    probe(&target, Origin::Cache).map_err(|why| ToolchainError::InstallFailed {
        command: "pip install".to_owned(),
        log: why.unwrap_or_default(),
        cause: InstallFailure::Incomplete,
    })
}

const LEFTOVER_PREFIX: &str = ".installing-";

/// Called under the lock, when nobody else can be installing.
fn remove_leftovers(toolchains: &Path, target: &Path) {
    let _gone = fs::remove_dir_all(target);
    for entry in fs::read_dir(toolchains).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(LEFTOVER_PREFIX) {
            let _gone = fs::remove_dir_all(entry.path());
        }
    }
}

/// A second copy of NVRTC and the static libraries are two thirds of the bytes and never used.
fn drop_unused(unpacked: &Path) {
    let library_folder = unpacked.join("nvidia/cu13/lib");
    for entry in fs::read_dir(library_folder).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains(".alt.") || name.ends_with(".a") || name.starts_with("libcudart") {
            let _gone = fs::remove_file(entry.path());
        }
    }
}

/// The commands that can install Python packages, the usual first.
fn installers(unpacked: &Path) -> Vec<Command> {
    let pip = [
        "--no-deps",
        "--no-input",
        "--no-compile",
        "--disable-pip-version-check",
        "--quiet",
        "--only-binary=:all:",
        "--target",
    ];
    let requirements: Vec<String> =
        PACKAGES.iter().map(|(name, version)| format!("{name}=={version}")).collect();
    let command = |program: &str, before: &[&str], options: &[&str]| {
        let mut command = Command::new(program);
        command.args(before).arg("install").args(options).arg(unpacked).args(&requirements);
        command
    };
    vec![
        command("python3", &["-m", "pip"], &pip),
        command("pip3", &[], &pip),
        command("pip", &[], &pip),
        command("uv", &["pip"], &["--no-deps", "--quiet", "--only-binary=:all:", "--target"]),
    ]
}

fn run_installer(
    commands: Vec<Command>,
    work: &Path,
    scratch: &Path,
    progress: &mut dyn InstallProgress,
) -> Result<(), ToolchainError> {
    let mut tried = Vec::new();
    for mut command in commands {
        let name = describe(&command);
        // The installer unpacks in its temporary folder before it moves: it is given one beside
        // the target, so that the move is cheap and the growth can be seen.
        let spawned = command
            .env("TMPDIR", work)
            .env("PIP_ROOT_USER_ACTION", "ignore")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(child) = spawned else {
            tried.push(name);
            continue;
        };
        let (succeeded, log) = watch(child, scratch, progress)?;
        if succeeded {
            return Ok(());
        }
        if log.contains("No module named pip") || log.contains("command not found") {
            tried.push(name);
            continue;
        }
        let cause = failure_of(&log);
        return Err(ToolchainError::InstallFailed { command: name, log, cause });
    }
    Err(ToolchainError::NoInstaller { tried })
}

/// Waits for the installer, measuring the folder as it grows.
fn watch(
    mut child: Child,
    scratch: &Path,
    progress: &mut dyn InstallProgress,
) -> Result<(bool, String), ToolchainError> {
    let log = Arc::new(Mutex::new(VecDeque::new()));
    let reader = child.stderr.take().map(|stderr| {
        let log = Arc::clone(&log);
        thread::spawn(move || keep_tail(stderr, &log))
    });
    let status = loop {
        match child.try_wait().map_err(io("wait for the installer in", scratch))? {
            Some(status) => break status,
            None => {
                progress.advance(bytes_below(scratch).min(BYTES_TOTAL), BYTES_TOTAL);
                thread::sleep(POLL);
            }
        }
    };
    if let Some(reader) = reader {
        let _finished = reader.join();
    }
    let bytes: Vec<u8> =
        log.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
    Ok((status.success(), String::from_utf8_lossy(&bytes).into_owned()))
}

/// Keeps the last 8 KiB of what the installer says.
fn keep_tail(mut from: impl Read, tail: &Mutex<VecDeque<u8>>) {
    let mut buffer = [0_u8; 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(&buffer[..read]);
        let excess = tail.len().saturating_sub(8192);
        tail.drain(..excess);
    }
}

/// What an installer's log points to.
fn failure_of(log: &str) -> InstallFailure {
    let has = |marks: &[&str]| marks.iter().any(|mark| log.contains(mark));
    if has(&["No space left", "Errno 28", "Disk quota exceeded", "os error 28"]) {
        InstallFailure::DiskFull
    } else if has(&[
        "NewConnectionError",
        "ConnectionError",
        "Temporary failure in name resolution",
        "Network is unreachable",
        "Connection refused",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ProxyError",
        "dns error",
        "tcp connect error",
        // pip's last word when it has retried every connection in vain.
        "from versions: none",
    ]) {
        InstallFailure::Network
    } else {
        InstallFailure::Other
    }
}

/// The command as far as its options.
fn describe(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .take_while(|word| !word.starts_with("--") && !word.contains(' '))
        .collect::<Vec<_>>()
        .join(" ")
}

fn bytes_below(folder: &Path) -> u64 {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ToolchainError {
    let path = path.to_owned();
    move |source| ToolchainError::Io { action, path, source }
}

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;
