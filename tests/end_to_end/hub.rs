//! `search-hub` and `publish --repo`, against a Hub of our own on this machine.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::published::{ID, files, on_branch, visible};
use crate::ridge::{Run, Scratch};
use crate::stand_in::{Blob, Fault, Kind, StandIn};

const TOKEN: &str = "hf_writer";

/// A scratch folder with a published kernel in `repo`, and a Hub.
fn scratch(stand_in: &StandIn, n_artifacts: usize) -> Scratch {
    let mut scratch = Scratch::new();
    let home = scratch.path().join("home");
    scratch.set("HF_ENDPOINT", &stand_in.endpoint());
    scratch.set("HF_TOKEN", TOKEN);
    // Where Hub clients keep things, so that nothing of this machine is read or changed.
    scratch.set("HF_HOME", home.to_str().unwrap());
    scratch.set("RIDGE_CACHE", home.join("ridge").to_str().unwrap());
    write(&scratch, n_artifacts);
    scratch
}

fn write(scratch: &Scratch, n_artifacts: usize) {
    for (path, bytes) in files(1, n_artifacts) {
        let path = scratch.path().join("repo").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

const PUBLISH: &[&str] = &["publish", "repo", "--repo", ID];

#[track_caller]
fn check(run: &Run, status: i32) {
    assert_eq!(run.status, Some(status), "{}{}", run.stdout, run.stderr);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains(TOKEN), "the token is shown");
}

/// What is printed, without what differs from run to run.
fn stable(stand_in: &StandIn, text: &str) -> String {
    let mut text = text.replace(&stand_in.endpoint(), "HUB");
    for repo in stand_in.state().store.repos.values() {
        for commit in repo.commits.keys() {
            text = text.replace(commit, "COMMIT").replace(&commit[..12], "COMMIT");
        }
    }
    text
}

#[test]
fn a_folder_is_published_and_found() {
    let stand_in = StandIn::start();
    let scratch = scratch(&stand_in, 2);
    let nothing = scratch.run(&["search-hub", "rmsnorm"]);
    check(&nothing, 1);
    insta::assert_snapshot!("hub_nothing", nothing.stdout);

    let planned = scratch.run(&[PUBLISH, &["--dry-run"]].concat());
    check(&planned, 0);
    insta::assert_snapshot!("hub_dry_run", stable(&stand_in, &planned.stdout));
    assert!(stand_in.take_seen().iter().all(|it| !it.starts_with("POST ")));

    let published = scratch.run(PUBLISH);
    check(&published, 0);
    insta::assert_snapshot!("hub_published", stable(&stand_in, &published.stdout));
    assert_eq!(on_branch(&stand_in, "v1"), files(1, 2));

    stand_in.take_seen();
    let again = scratch.run(PUBLISH);
    check(&again, 0);
    insta::assert_snapshot!("hub_unchanged", stable(&stand_in, &again.stdout));
    assert!(stand_in.take_seen().iter().all(|it| !it.starts_with("POST ")));

    let found = scratch.run(&["search-hub", "rms-norm"]);
    check(&found, 0);
    insta::assert_snapshot!("hub_found", stable(&stand_in, &found.stdout));
    let json = scratch.run(&["search-hub", ID, "--format", "json"]).json();
    assert_eq!(json["schema"], 1);
    let variant = &json["found"][0]["versions"][0]["variants"][0];
    assert_eq!((&variant["name"], &variant["tuned_matrix"]), (&"torch-cuda".into(), &true.into()));
    let json = scratch.run(&[PUBLISH, &["--format", "json"]].concat()).json();
    assert_eq!((&json["schema"], &json["hub"]["changed"]), (&1.into(), &serde_json::json!([])));
}

/// Killed by the system in the middle of the commit, then repeated.
#[test]
fn two_hundred_files_killed_and_repeated() {
    let quiet = StandIn::start();
    check(&scratch(&quiet, 96).run(PUBLISH), 0);
    let expected = visible(&quiet);

    let stand_in = StandIn::start();
    stand_in.trouble("/commit/v1", 0, 1, Fault::Stalled);
    let scratch = scratch(&stand_in, 96);
    let mut child =
        scratch.command(PUBLISH).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !stand_in.state().seen.iter().any(|it| it.path.contains("/commit/v1")) {
        assert!(Instant::now() < deadline, "it never came to the commit");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(on_branch(&stand_in, "v1").len(), 0);
    check(&scratch.run(PUBLISH), 0);
    assert_eq!(visible(&stand_in), expected);
}

#[test]
fn binaries_go_to_the_large_file_storage() {
    let storage = tempfile::tempdir().unwrap();
    let stand_in = StandIn::start();
    stand_in.state().xet = Some(format!("local://{}", storage.path().display()));
    let scratch = scratch(&stand_in, 3);
    check(&scratch.run(PUBLISH), 0);
    {
        let state = stand_in.state();
        let tree = state.store.kernel(ID).unwrap().tree("v1").unwrap();
        for (path, bytes) in files(1, 3) {
            match &tree[&path] {
                Blob::Git(stored) => {
                    assert_eq!((&bytes, path.contains("/cubin/")), (stored, false))
                }
                Blob::Large { size, .. } => {
                    assert_eq!((bytes.len() as u64, path.contains("/cubin/")), (*size, true));
                }
            }
        }
    }
    assert!(std::fs::read_dir(storage.path()).unwrap().count() > 0);
    // Known by its pointer, nothing is sent again.
    let again = scratch.run(&[PUBLISH, &["--format", "json"]].concat()).json();
    assert_eq!(again["hub"]["changed"], serde_json::json!([]));
}

#[test]
fn the_token_comes_from_the_environment_or_the_file_and_is_never_shown() {
    let stand_in = StandIn::start();
    let mut scratch = scratch(&stand_in, 1);
    scratch.set("RIDGE_LOG", "trace");
    let last = || {
        let seen = std::mem::take(&mut stand_in.state().seen);
        seen.last().and_then(|it| it.authorization.clone())
    };
    // Even where everything is logged.
    let run = scratch.run(PUBLISH);
    check(&run, 0);
    assert!(run.stderr.contains("TRACE"), "{}", run.stderr);
    assert_eq!(last().as_deref(), Some("Bearer hf_writer"));

    // A server that repeats what it does not know.
    scratch.set("HF_TOKEN", "hf_unknown_secret");
    let run = scratch.run(PUBLISH);
    check(&run, 2);
    assert!(run.stderr.contains("hub.unauthorized"), "{}", run.stderr);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("unknown_secret"), "{}", run.stderr);
    last();

    scratch.set("RIDGE_LOG", "error");
    scratch.set("HF_TOKEN", "");
    let run = scratch.run(PUBLISH);
    check(&run, 2);
    insta::assert_snapshot!("hub_no_token", run.stderr);
    scratch.write("home/token", "hf_member\n");
    check(&scratch.run(&["search-hub", "rmsnorm"]), 0);
    assert_eq!(last().as_deref(), Some("Bearer hf_member"));
    scratch.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    check(&scratch.run(&["search-hub", "rmsnorm"]), 0);
    assert_eq!(last(), None);
}

#[test]
fn refusals_have_codes_and_hints() {
    let stand_in = StandIn::start();
    let mut scratch = scratch(&stand_in, 1);
    scratch.set("HF_TOKEN", "hf_member");
    let run = scratch.run(PUBLISH);
    check(&run, 2);
    insta::assert_snapshot!("hub_not_approved", run.stderr);
    let json = scratch.run(&[PUBLISH, &["--format", "json"]].concat()).json();
    assert_eq!(json["error"]["code"], "hub.forbidden");

    scratch.set("HF_TOKEN", TOKEN);
    let theirs = ("v1", "build/torch-cpu/metadata.json", r#"{"name": "rmsnorm", "version": 1}"#);
    stand_in.state().store.put(Kind::Kernel, ID, &[theirs]);
    let run = scratch.run(PUBLISH);
    check(&run, 2);
    insta::assert_snapshot!("hub_foreign", run.stderr);
    check(&scratch.run(&[PUBLISH, &["--replace"]].concat()), 0);
    assert_eq!(on_branch(&stand_in, "v1"), files(1, 1));

    let run = scratch.run(&["publish", "repo", "--repo", "no-owner"]);
    check(&run, 2);
    assert!(run.stderr.contains("hub.name"), "{}", run.stderr);
}
