//! Bad input: a clear error with a code, and status 2.

use super::ridge::{Scratch, toolkit_is_there};
use super::tune::WORKLOAD;

/// Runs `check` on the library's rms norm with its spec changed, and snapshots what is said.
#[track_caller]
fn check(name: &str, replacements: &[(&str, &str)]) {
    let scratch = Scratch::new();
    scratch.kernel("rmsnorm", replacements);
    let run = scratch.run(&["check", "rmsnorm"]);
    assert_eq!(run.status, Some(2), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.stdout, "");
    insta::assert_snapshot!(name, run.stderr);
}

#[test]
fn a_misspelt_key() {
    check("misspelt_key", &[("description =", "descripton =")]);
}

#[test]
fn a_wrong_type() {
    check("wrong_type", &[("absolute = 1e-2", "absolute = \"small\"")]);
}

#[test]
fn an_unknown_axis_in_an_expression() {
    check("unknown_axis", &[("ceil_div(rows, rows_per_block)", "ceil_div(row, rows_per_block)")]);
}

#[test]
fn an_empty_parameter() {
    check("empty_parameter", &[("rows_per_block = [1, 2, 4, 8, 16]", "rows_per_block = []")]);
}

#[test]
fn a_source_outside_the_folder() {
    check("source_outside", &[("source = \"rmsnorm.cu\"", "source = \"../rmsnorm.cu\"")]);
}

#[test]
fn constraints_that_nothing_satisfies() {
    let scratch = Scratch::new();
    scratch.kernel(
        "rmsnorm",
        &[
            ("constraints = [", "constraints = [\n  \"threads_per_row > 4096\","),
            ("default = {", "# default = {"),
        ],
    );
    let run = scratch.run(&["tune", "rmsnorm"]);
    assert_eq!(run.status, Some(2), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("space.empty"), "{}", run.stderr);
    assert!(run.stderr.contains("threads_per_row > 4096"), "{}", run.stderr);
}

/// Runs a command that cannot be answered; answers the code.
#[track_caller]
fn check_code(arguments: &[&str], expected: &str) {
    let scratch = Scratch::new();
    scratch.kernel("rmsnorm", &[]);
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    let run = scratch.run(&all);
    assert_eq!(run.status, Some(2), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["error"]["code"], expected, "{}", run.stdout);
}

#[test]
fn requests_that_name_nothing() {
    check_code(&["check", "nowhere"], "io.read");
    check_code(&["check", "rmsnorm", "--workload", "none"], "workload.unknown");
    check_code(&["check", "rmsnorm", "--target", "h2000"], "profile.unknown");
    check_code(&["check", "rmsnorm", "--candidate", "threads=1"], "space.unknown-parameter");
    check_code(&["check", "rmsnorm", "--candidate", "hold=everything"], "space.unknown-value");
    check_code(&["tune", "rmsnorm", "--device", "gpu"], "device.unknown");
    // No machine has that many.
    check_code(&["tune", "rmsnorm", "--device", "cuda:999"], "device.none");
    check_code(&["tune", "rmsnorm", "--strategy", "luck"], "strategy.unknown");
    check_code(&["report", "nowhere"], "io.read");
}

#[test]
fn a_bad_flag_is_no_answer() {
    let scratch = Scratch::new();
    let run = scratch.run(&["tune", "rmsnorm", "--budget", "none"]);
    assert_eq!(run.status, Some(2), "{}", run.stderr);
}

#[test]
fn a_full_disk_keeps_earlier_records() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    // A limit on file sizes stands for a disk without room: writing stops in the middle of the log.
    let command = format!(
        "ulimit -f 16; trap '' XFSZ; exec \"$0\" tune rmsnorm --workload {WORKLOAD} --budget 12 --out out"
    );
    let run = scratch.run_program("bash", &["-c", &command, env!("CARGO_BIN_EXE_ridge")]);
    assert_eq!(run.status, Some(2), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("io.write"), "{}", run.stderr);
    assert!(run.stderr.contains("hint"), "{}", run.stderr);
    let again = scratch.run(&[
        "tune",
        "rmsnorm",
        "--workload",
        WORKLOAD,
        "--budget",
        "12",
        "--out",
        "out",
        "--format",
        "json",
    ]);
    assert_eq!(again.status, Some(0), "{}{}", again.stdout, again.stderr);
    let n_resumed = again.json()["workloads"][0]["n_resumed"].as_u64().unwrap();
    assert!(0 < n_resumed && n_resumed < 12, "{n_resumed} records survived");
}

#[test]
fn a_log_that_is_no_file_is_refused() {
    let scratch = Scratch::new();
    scratch.kernel("rmsnorm", &[]);
    let out = scratch.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::os::unix::fs::symlink("/dev/full", out.join("records.jsonl")).unwrap();
    let run = scratch.run(&["tune", "rmsnorm", "--budget", "2", "--out", "out"]);
    assert_eq!(run.status, Some(2), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("io.write"), "{}", run.stderr);
}
