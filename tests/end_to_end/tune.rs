//! `ridge tune`: what it writes, and that a killed campaign goes on as if it had not been.

use std::path::Path;
use std::time::Duration;

use super::ridge::{Run, Scratch, toolkit_is_there};

const BUDGET: &str = "10";

/// One workload of the library's, so that the tests do not tune all of them.
pub(crate) const WORKLOAD: &str = "qwen3-8b-prefill-4096";

fn tune(scratch: &Scratch, out: &str) -> Run {
    scratch.run(&[
        "tune",
        "rmsnorm",
        "--workload",
        WORKLOAD,
        "--target",
        "h200",
        "--budget",
        BUDGET,
        "--seed",
        "7",
        "--out",
        out,
        "--format",
        "json",
    ])
}

/// Candidate and outcome of each record, in order: what must not depend on interruptions.
fn trajectory(folder: &Path) -> Vec<(serde_json::Value, serde_json::Value)> {
    let log = std::fs::read_to_string(folder.join("records.jsonl")).unwrap();
    log.lines()
        .map(|line| {
            let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
            (record["candidate"].take(), record["outcome"].take())
        })
        .collect()
}

#[test]
fn writes_records_matrix_and_report() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    let run = tune(&scratch, "out");
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let answer = run.json();
    assert_eq!(answer["found"], true);
    let workload = &answer["workloads"][0];
    assert_eq!(workload["n_evaluated"], 10);
    let matrix = std::fs::read_to_string(scratch.path().join("out/tuned.toml")).unwrap();
    assert!(matrix.contains("basis = \"predicted\""), "{matrix}");
    let best = workload["best"][0]["artifact"].as_str().unwrap();
    assert!(matrix.contains(best), "the best artifact is not in\n{matrix}");
    let artifact = scratch.path().join("out/artifacts").join(best);
    for file in ["manifest.json", "kernel.ptx", "kernel.cubin"] {
        assert!(artifact.join(file).is_file(), "{file}");
    }
    let report = std::fs::read_to_string(scratch.path().join("out/report.html")).unwrap();
    assert!(report.contains("<svg"), "no figure");
    assert!(!report.contains("http"), "the report fetches something");
}

#[test]
fn the_same_command_again_evaluates_nothing() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    let first = tune(&scratch, "out").json();
    let log = std::fs::read(scratch.path().join("out/records.jsonl")).unwrap();
    let again = tune(&scratch, "out").json();
    assert_eq!(again["workloads"][0]["n_resumed"], 10);
    assert_eq!(again["workloads"][0]["best"], first["workloads"][0]["best"]);
    assert_eq!(std::fs::read(scratch.path().join("out/records.jsonl")).unwrap(), log);
}

#[test]
fn a_killed_campaign_goes_on_to_the_same_records() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    assert_eq!(tune(&scratch, "whole").status, Some(0));
    let expected = trajectory(&scratch.path().join("whole"));
    for delay_ms in [40, 150, 400, 900] {
        let mut child = scratch
            .command(&[
                "tune",
                "rmsnorm",
                "--workload",
                WORKLOAD,
                "--budget",
                BUDGET,
                "--seed",
                "7",
                "--out",
                "killed",
            ])
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // As a crash in the middle of a write would leave it.
    let log = scratch.path().join("killed/records.jsonl");
    let mut bytes = std::fs::read(&log).unwrap_or_default();
    bytes.extend(b"{\"schema\":1,\"torn");
    std::fs::write(&log, bytes).unwrap();
    let run = tune(&scratch, "killed");
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    assert_eq!(trajectory(&scratch.path().join("killed")), expected);
}

#[test]
fn garbage_in_the_log_is_reported_and_the_records_kept() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    scratch.kernel("rmsnorm", &[]);
    tune(&scratch, "out");
    let log = scratch.path().join("out/records.jsonl");
    let mut bytes = b"this is no record\n".to_vec();
    bytes.extend(std::fs::read(&log).unwrap());
    std::fs::write(&log, bytes).unwrap();
    let run = tune(&scratch, "out");
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("records.jsonl:1"), "{}", run.stderr);
    assert_eq!(run.json()["workloads"][0]["n_resumed"], 10);
}

#[test]
fn one_bad_kernel_does_not_end_the_campaign() {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    // Candidates of one kind are wrong; the others win.
    scratch.kernel(
        "rmsnorm",
        &[(
            "    const float scale =",
            "    if (kHold == Hold::shared) __trap();\n    const float scale =",
        )],
    );
    let run = tune(&scratch, "out");
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    let answer = run.json();
    let rejected = answer["workloads"][0]["rejected"].as_object().unwrap();
    assert!(rejected.keys().all(|code| code == "crash"), "{rejected:?}");
    let best = &answer["workloads"][0]["best"][0]["candidate"];
    assert_ne!(best["hold"], "shared");
}
