//! A child process with a time limit. It has a process group of its own, so that what it starts
//! ends with it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a running child is looked at.
const POLL: Duration = Duration::from_millis(4);
/// Bytes kept of what a child printed.
const TAIL: u64 = 4096;

/// How a child ended.
pub(super) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// By its time limit.
    TimedOut,
}

/// Runs a command to its end or its time limit; what it prints goes to `log`.
pub(super) fn run(command: &mut Command, log: &Path, limit: Duration) -> std::io::Result<Ended> {
    let output = File::create(log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.spawn()?;
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Ended::Exited(status)),
            Ok(None) if started.elapsed() < limit => std::thread::sleep(POLL),
            Ok(None) => {
                kill(&mut child);
                return Ok(Ended::TimedOut);
            }
            Err(error) => {
                kill(&mut child);
                return Err(error);
            }
        }
    }
}

fn kill(child: &mut Child) {
    #[cfg(unix)]
    let group = {
        let group = format!("-{}", child.id());
        Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status().ok()
    };
    #[cfg(not(unix))]
    let group: Option<ExitStatus> = None;
    if !group.is_some_and(|status| status.success()) {
        // The child itself at least; it may have ended meanwhile, which is as good.
        child.kill().ok();
    }
    child.wait().ok();
}

/// The end of what a child printed, as text.
pub(super) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    if text.trim().is_empty() { "it printed nothing".to_owned() } else { text.trim().to_owned() }
}
