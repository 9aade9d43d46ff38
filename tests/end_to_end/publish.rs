//! `ridge publish --to-folder` and `ridge verify-repo`: from a campaign to a repo that is checked.

use std::collections::BTreeMap;
use std::path::Path;

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
