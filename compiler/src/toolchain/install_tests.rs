use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// A shell script in the place of the installer; `$0` is the folder to fill.
fn script(text: &'static str) -> impl Fn(&Path) -> Vec<Command> {
    move |unpacked| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", text]).arg(unpacked);
        vec![command]
    }
}

/// Fills the folder as the packages would, and notes the run beside the cache.
const GOOD: &str = "cd \"$0\"; echo run >> ../../../../runs
    mkdir -p nvidia/cu13/lib nvidia/cu13/include/cccl/nv nvidia/cu13/include/crt \
             nvidia_cuda_nvrtc-13.0.88.dist-info
    cd nvidia/cu13
    touch lib/libnvrtc.so.13 lib/libnvrtc-builtins.so.13.0 lib/libnvrtc.alt.so.13 lib/x.a
    touch include/cuda_fp16.h include/cccl/nv/target include/crt/host_defines.h; sleep 0.4";

#[track_caller]
fn check(installer: &'static str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let answer = match install_with(&cache, &script(installer), &mut NoProgress) {
        Ok(toolkit) => format!("{} {}", toolkit.version, toolkit.nvrtc.display()),
        Err(error) => format!("{} {error}", error.code()),
    };
    assert_eq!(answer.replace(&cache.display().to_string(), "CACHE"), expected);
    let left = fs::read_dir(cache.join("toolchains")).unwrap().filter_map(Result::ok);
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().starts_with(".inst"))
        .collect();
    assert!(left.is_empty(), "{left:?} is left");
}

#[test]
fn installs_a_toolkit_whole_or_not_at_all() {
    check(GOOD, "13.0.88 CACHE/toolchains/cuda-13.0.88/nvidia/cu13/lib/libnvrtc.so.13");
    check(
        "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1",
        "toolchain.disk-full `/bin/sh -c` failed: OSError: [Errno 28] No space left on device",
    );
    check(
        "echo 'ERROR: No matching distribution found for x' >&2
         echo 'NewConnectionError: refused' >&2; exit 1",
        "toolchain.no-network `/bin/sh -c` failed: NewConnectionError: refused",
    );
    check("exit 1", "toolchain.install-failed `/bin/sh -c` failed: it said nothing");
    check("exit 0", "toolchain.install-failed `pip install` failed: it installed no `libnvrtc.so`");
}

#[test]
fn says_what_it_tried_when_no_installer_starts() {
    let folder = tempfile::tempdir().unwrap();
    let none = |_: &Path| vec![Command::new("/nonexistent/pip"), Command::new("/nonexistent/uv")];
    let error = install_with(folder.path(), &none, &mut NoProgress).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no installer for Python packages found (tried /nonexistent/pip, /nonexistent/uv)"
    );
    assert_eq!(error.code(), "toolchain.no-installer");
}

#[test]
fn two_at_once_install_once_and_a_killed_one_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    // What a killed installation leaves: a scratch folder, and here a torn toolkit too.
    let torn = installed_folder(&cache).join("nvidia/cu13/lib");
    fs::create_dir_all(&torn).unwrap();
    fs::write(torn.join("libnvrtc.so.13"), "torn").unwrap();
    let leftover = cache.join("toolchains").join(format!("{LEFTOVER_PREFIX}x"));
    fs::create_dir_all(leftover.join("toolkit")).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let toolkit = install_with(&cache, &script(GOOD), &mut NoProgress).unwrap();
                assert!(toolkit.builtins.is_file());
            });
        }
    });
    assert!(!leftover.exists());
    assert_eq!(fs::read_to_string(folder.path().join("runs")).unwrap(), "run\n");
    let library_folder = installed_folder(&cache).join("nvidia/cu13/lib");
    let kept = fs::read_dir(library_folder).unwrap().count();
    assert_eq!(kept, 2, "the unused libraries are dropped");
}

#[test]
fn reports_progress_up_to_the_end() {
    struct Last<'a>(&'a AtomicU64);
    impl InstallProgress for Last<'_> {
        fn advance(&mut self, done: u64, total: u64) {
            assert!(self.0.load(Ordering::Relaxed) <= done && done <= total);
            self.0.store(done, Ordering::Relaxed);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let done = AtomicU64::new(0);
    let cache = folder.path().join("cache");
    install_with(&cache, &script(GOOD), &mut Last(&done)).unwrap();
    assert_eq!(done.load(Ordering::Relaxed), BYTES_TOTAL);
}

#[test]
fn tells_a_missing_network_and_a_full_disk_from_other_failures() {
    let check = |log: &str, expected| assert_eq!(failure_of(log), expected, "{log}");
    check(
        "ERROR: Could not find a version that satisfies the requirement x (from versions: none)",
        InstallFailure::Network,
    );
    check("OSError: [Errno 28] No space left on device", InstallFailure::DiskFull);
    check(
        "ERROR: No matching distribution found for x==1 (from versions: 2)",
        InstallFailure::Other,
    );
}

#[test]
fn names_the_command_it_ran() {
    let names: Vec<String> = installers(Path::new("/x")).iter().map(describe).collect();
    assert_eq!(names, ["python3 -m pip install", "pip3 install", "pip install", "uv pip install"]);
}
