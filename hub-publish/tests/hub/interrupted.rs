//! Kills, lost answers, a busy server, others at work: the end is that of a quiet publication.

use ridge_hub_publish::hub::{Event, HubError};

use crate::fixture::{
    Files, ID, files, folder, hub, listener, on_branch, publish, publish_from, target, visible,
};
use crate::stand_in::{Fault, StandIn, State};

/// Publishes over an older publication that has files the new one has not.
fn older(stand_in: &StandIn) {
    let mut older = files(1, 3);
    older.insert("build/torch-cuda/ptx/stale.ptx".to_owned(), b"old".into());
    older.insert("CARD.md".to_owned(), b"# older".into());
    publish(stand_in, &older, 1).unwrap();
    stand_in.take_seen();
}

fn with_history() -> StandIn {
    let stand_in = StandIn::start();
    older(&stand_in);
    stand_in
}

/// Killed after each request in turn, or every `step`-th, then repeated: what can be seen is the same.
#[track_caller]
fn check_killed_anywhere(prepare: fn(&StandIn), files: &Files, step: usize) {
    let stand_in = StandIn::start();
    let folder = folder(files);
    let publish = || publish_from(&stand_in, folder.path(), &target(1), false);
    prepare(&stand_in);
    publish().unwrap();
    let expected = visible(&stand_in);
    let n_requests = stand_in.take_seen().len();
    assert!(n_requests >= 9, "{n_requests}");
    for n_heard in (0..n_requests).step_by(step) {
        *stand_in.state() = State::default();
        prepare(&stand_in);
        stand_in.state().cut_after = Some(n_heard);
        let error = publish().unwrap_err();
        assert_eq!(error.code(), "hub.network", "after {n_heard}: {error}");
        stand_in.state().cut_after = None;
        publish().unwrap();
        assert_eq!(visible(&stand_in), expected, "killed after request {n_heard}");
    }
}

#[test]
fn killed_anywhere_and_repeated() {
    check_killed_anywhere(|_| {}, &files(1, 4), 1);
    check_killed_anywhere(older, &files(1, 4), 1);
}

#[test]
fn two_hundred_files_killed_half_way() {
    let files = files(1, 96);
    assert!(files.len() > 200);
    check_killed_anywhere(|_| {}, &files, 5);
}

/// Every write in turn has its effect, but its answer gets lost: one call gets through.
#[test]
fn lost_answers_change_nothing() {
    let stand_in = StandIn::start();
    publish(&stand_in, &files(1, 2), 1).unwrap();
    let expected = visible(&stand_in);
    let writes =
        ["repos/create", "/branch/", "/preupload/v1", "/commit/v1", "/commit/main", "/tag/"];
    for fault in [Fault::AnswerLost, Fault::Lost, Fault::Status(503, "busy")] {
        for at in writes {
            *stand_in.state() = State::default();
            stand_in.trouble(at, 0, 2, fault.clone());
            publish(&stand_in, &files(1, 2), 1).unwrap();
            assert_eq!(visible(&stand_in), expected, "{at}, {fault:?}");
            let state = stand_in.state();
            let history = state.store.kernel(ID).unwrap().history("v1").len();
            assert_eq!(history, 2, "{at}, {fault:?}: one commit, not two");
        }
    }
}

#[test]
fn a_busy_server_is_asked_again_and_said_so() {
    let stand_in = StandIn::start();
    stand_in.trouble("GET /api/kernels/org/rmsnorm", 0, 2, Fault::Status(502, "bad gateway"));
    stand_in.trouble("/commit/v1", 0, 1, Fault::RetryAfter(429, 1));
    let (watch, heard) = listener();
    let folder = folder(&files(1, 1));
    hub(&stand_in, Some("hf_writer")).publish(folder.path(), &target(1), false, &watch).unwrap();
    let waits: Vec<String> = heard
        .lock()
        .unwrap()
        .iter()
        .filter_map(|event| match event {
            Event::Waiting { wait, reason } => Some(format!("{wait:?}: {reason}")),
            _ => None,
        })
        .collect();
    insta::assert_snapshot!(waits.join("\n"));
}

#[test]
fn others_commit_once_meanwhile() {
    let stand_in = with_history();
    stand_in.trouble("/commit/v1", 0, 1, Fault::Overtaken);
    publish(&stand_in, &files(1, 4), 1).unwrap();
    // The branch is the folder, whatever came between.
    assert_eq!(on_branch(&stand_in, "v1"), files(1, 4));
    let state = stand_in.state();
    let history = state.store.kernel(ID).unwrap().history("v1");
    let titles: Vec<&str> = history.iter().map(|it| it.title.as_str()).collect();
    assert_eq!(titles[..2], ["rmsnorm v1, by Ridge", "theirs"]);
}

#[test]
fn others_commit_all_the_time() {
    let stand_in = with_history();
    stand_in.trouble("/commit/v1", 0, 99, Fault::Overtaken);
    let error = publish(&stand_in, &files(1, 4), 1).unwrap_err();
    assert!(matches!(error, HubError::Stale { .. }), "{error}");
    assert_eq!(error.code(), "hub.stale");
}

#[test]
fn a_commit_that_is_too_large_is_made_in_parts() {
    let files = files(1, 40);
    let stand_in = StandIn::start();
    stand_in.state().commit_bytes_max = Some(20_000);
    let pushed = publish(&stand_in, &files, 1).unwrap();
    assert_eq!(pushed.changed.len(), files.len());
    assert_eq!(on_branch(&stand_in, "v1"), files);
    let state = stand_in.state();
    let history = state.store.kernel(ID).unwrap().history("v1");
    assert!(history.len() > 4, "{}", history.len());
    // No commit on the way looks like a build that misses something.
    for commit in &history[1..] {
        assert!(!commit.tree.contains_key("build/torch-cuda/metadata.json"));
    }
}

#[test]
fn one_file_that_is_too_large() {
    let stand_in = StandIn::start();
    stand_in.state().commit_bytes_max = Some(20_000);
    let mut files = files(1, 1);
    files.insert("build/torch-cuda/ptx/huge.ptx".to_owned(), vec![b'x'; 30_000]);
    let error = publish(&stand_in, &files, 1).unwrap_err();
    assert_eq!(error.code(), "hub.too-large", "{error}");
}

#[test]
fn a_hub_that_loses_files_is_not_believed() {
    let stand_in = StandIn::start();
    stand_in.state().ignores = Some("cubin/".to_owned());
    let error = publish(&stand_in, &files(1, 2), 1).unwrap_err();
    assert_eq!(error.code(), "hub.answer");
    assert_eq!(
        error.to_string(),
        "cannot commit to `org/rmsnorm`: the Hub took the commit, but on `v1` \
         `build/torch-cuda/cubin/00000000-sm_90a.cubin` and 1 more is not what was sent"
    );
}
