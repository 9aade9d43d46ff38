//! `ridge publish --to-folder` and `ridge verify-repo`: from a campaign to a repo that is checked.

use std::collections::BTreeMap;
use std::path::Path;

use ridge_spec::outcome::{Outcome, Samples};
use ridge_spec::record::{self, Companions, TuningRecord};

use super::ridge::{Run, Scratch, toolkit_is_there};

/// A campaign of a few candidates in the emulator, or `None` without a compiler.
fn tuned() -> Option<Scratch> {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return None;
    }
    scratch.kernel("rmsnorm", &[]);
    let workload = super::tune::WORKLOAD;
    let run = scratch.run(&[
        "tune",
        "rmsnorm",
        "--workload",
        workload,
        "--target",
        "h200",
        "--budget",
        "6",
        "--seed",
        "7",
        "--out",
        "out",
    ]);
    assert_eq!(run.status, Some(0), "{}{}", run.stdout, run.stderr);
    Some(scratch)
}

fn publish(scratch: &Scratch, more: &[&str]) -> Run {
    let arguments = ["publish", "out", "--format", "json", "--predicted", "--to-folder"];
    scratch.run(&[&arguments, more].concat())
}

fn verify(scratch: &Scratch, more: &[&str]) -> Run {
    scratch.run(&[&["verify-repo", "repo", "--format", "json"], more].concat())
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn from_a_campaign_to_a_verified_repo() {
    let Some(scratch) = tuned() else { return };
    let refused = scratch.run(&["publish", "out", "--to-folder", "repo", "--format", "json"]);
    assert_eq!(refused.status, Some(2), "{}{}", refused.stdout, refused.stderr);
    assert_eq!(refused.json()["error"]["code"], "publish.predicted");
    assert!(!scratch.path().join("repo").exists());

    let dry = publish(&scratch, &["repo", "--dry-run"]);
    assert_eq!(dry.status, Some(0), "{}{}", dry.stdout, dry.stderr);
    assert!(!scratch.path().join("repo").exists());

    let first = publish(&scratch, &["repo"]);
    assert_eq!(first.status, Some(0), "{}{}", first.stdout, first.stderr);
    assert_eq!(first.json()["n_predicted"], 1);
    assert_eq!(first.json()["entries"][0]["basis"], "predicted");
    let again = publish(&scratch, &["repo"]);
    assert_eq!(again.json()["changed"], serde_json::json!([]), "{}", again.stdout);
    assert_eq!(publish(&scratch, &["other"]).status, Some(0));
    assert_eq!(files(&scratch.path().join("repo")), files(&scratch.path().join("other")));

    let verified = verify(&scratch, &[]);
    assert_eq!(verified.status, Some(0), "{}{}", verified.stdout, verified.stderr);
    let answer = verified.json();
    assert_eq!(answer["passed"], true);
    assert_eq!(answer["n_artifacts"].as_u64(), Some(2), "{answer}");
    for entry in answer["entries"].as_array().unwrap() {
        assert!(!entry["workloads"].as_array().unwrap().is_empty(), "{entry}");
    }
    damage(&scratch);
}

/// Damages the repo so that digests agree again, but the kernel does not.
fn damage(scratch: &Scratch) {
    let repo = scratch.path().join("repo");
    let source = repo.join("kernel/kernel.toml");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, text.replace("+ eps) * weight", "+ eps) * weight * 2")).unwrap();
    let run = verify(scratch, &[]);
    assert_eq!(run.status, Some(1), "{}{}", run.stdout, run.stderr);
    let problems = run.json()["problems"].clone();
    let codes: Vec<&str> =
        problems.as_array().unwrap().iter().filter_map(|own| own["code"].as_str()).collect();
    assert!(codes.contains(&"repo.spec") && codes.contains(&"repo.entry"), "{codes:?}");

    std::fs::write(&source, text).unwrap();
    std::fs::write(repo.join("build/torch-cuda/extra.py"), "").unwrap();
    let run = verify(scratch, &["--no-launch"]);
    assert_eq!(run.status, Some(1), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["problems"][0]["code"], "repo.foreign");
}

/// Checks that publishing the campaign's folder fails with a code.
#[track_caller]
fn refuses(scratch: &Scratch, more: &[&str], code: &str) {
    let run = publish(scratch, more);
    assert_eq!(run.status, Some(2), "{}{}", run.stdout, run.stderr);
    assert_eq!(run.json()["error"]["code"], code, "{}", run.stdout);
}

#[test]
fn records_of_another_version_are_refused() {
    let Some(scratch) = tuned() else { return };
    // A comment changes the digest of the folder, not what it compiles to.
    let spec = std::fs::read_to_string(scratch.path().join("rmsnorm/kernel.toml")).unwrap();
    scratch.write("rmsnorm/kernel.toml", &spec.replace("tags = [", "tags = [\"more\", "));
    refuses(&scratch, &["repo"], "publish.version");
    let any = publish(&scratch, &["repo", "--any-version"]);
    assert_eq!(any.status, Some(0), "{}{}", any.stdout, any.stderr);
    assert!(any.stderr.contains("compiles to the artifacts"), "{}", any.stderr);
    refuses(&scratch, &["repo", "--spec", "nowhere"], "io.read");

    // What the campaign kept does not help: this source compiles to something else.
    let source = std::fs::read_to_string(scratch.path().join("rmsnorm/rmsnorm.cu")).unwrap();
    scratch.write("rmsnorm/rmsnorm.cu", &source.replace("rsqrtf(", "1.0f / sqrtf("));
    refuses(&scratch, &["repo", "--any-version"], "publish.digest");

    std::fs::rename(scratch.path().join("rmsnorm"), scratch.path().join("elsewhere")).unwrap();
    refuses(&scratch, &["repo"], "publish.spec");
    let nothing = scratch.run(&["verify-repo", "out", "--format", "json"]);
    assert_eq!(nothing.status, Some(2));
    assert_eq!(nothing.json()["error"]["code"], "repo.none");
}

/// Makes the campaign's finalists measured ones: the first to be launched programmatically, or else
/// the first, is the fastest in a chain, and the first plain one besides it the fastest alone.
/// Answers both candidates.
fn as_measured(scratch: &Scratch) -> (String, String) {
    let path = scratch.path().join("out/records.jsonl");
    let log = record::read_log("records.jsonl", &std::fs::read(&path).unwrap());
    let mut records = log.records;
    records.retain(|own| own.protocol.name == "emulated-final-1" && own.artifact.is_some());
    let is_early = |own: &TuningRecord| own.launch.is_some_and(|launch| launch.programmatic);
    let chain = records.iter().position(is_early).unwrap_or(0);
    let plain = (0..records.len()).find(|&at| at != chain && !is_early(&records[at])).unwrap();
    for (at, own) in records.iter_mut().enumerate() {
        let samples = |ns: u64| Samples::new([ns - 5, ns + 5].repeat(10)).unwrap();
        let (chain_ns, alone_ns) = match at {
            at if at == chain => (17_000, 21_000),
            at if at == plain => (18_000, 20_000),
            _ => (19_000, 22_000),
        };
        own.outcome = Outcome::Measured(samples(chain_ns));
        own.companions = Some(Companions {
            copy: samples(16_000),
            hot: None,
            alone: Some(samples(alone_ns)),
            twin: None,
            repeatable: Some(true),
            throttled: 0,
            clocks: None,
        });
        own.protocol.name = "cold-graph-1.final".to_owned();
        own.environment.executor = "cuda:0".to_owned();
        own.environment.driver = Some("580.159.04".to_owned());
    }
    let lines: String = records.iter().map(record::to_line).collect();
    std::fs::write(path, lines).unwrap();
    (records[chain].candidate.to_string(), records[plain].candidate.to_string())
}

#[test]
fn a_second_winner_is_published_and_run() {
    let Some(scratch) = tuned() else { return };
    let (chain, alone) = as_measured(&scratch);
    let report = scratch.run(&["report", "out"]);
    assert_eq!(report.status, Some(0), "{}{}", report.stdout, report.stderr);
    let page = std::fs::read_to_string(scratch.path().join("out/report.html")).unwrap();
    assert!(page.contains("Fastest alone") && page.contains("alone, by another"), "{page}");

    let first = publish(&scratch, &["repo"]);
    assert_eq!(first.status, Some(0), "{}{}", first.stdout, first.stderr);
    let answer = first.json();
    assert_eq!((&answer["n_alone"], &answer["n_predicted"]), (&1.into(), &0.into()));
    assert_eq!(answer["entries"][0]["candidate"], chain.as_str());
    assert_eq!(answer["entries"][0]["alone"]["candidate"], alone.as_str());
    assert_eq!(answer["entries"][0]["alone"]["median_ns"], 20_000);
    let text = scratch.run(&["publish", "out", "--to-folder", "repo", "--dry-run"]);
    assert!(text.stdout.contains("1 of them with a second kernel"), "{}", text.stdout);
    assert!(text.stdout.contains("alone: 20.0 µs"), "{}", text.stdout);

    let verified = verify(&scratch, &[]);
    assert_eq!(verified.status, Some(0), "{}{}", verified.stdout, verified.stderr);
    let ran: Vec<String> = verified.json()["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own["entry"].as_str().unwrap().to_owned())
        .collect();
    let own = format!("{} on NVIDIA H200", super::tune::WORKLOAD);
    assert_eq!(ran[..2], [own.clone(), format!("{own}, alone")], "{ran:?}");
}
