//! What arrives on the Hub when all goes well.

use ridge_hub_publish::hub::{Card, Event};

use crate::fixture::{
    Files, ID, files, folder, hub, listener, on_branch, publish, publish_from, target, visible,
};
use crate::stand_in::{Kind, StandIn, State};

fn without(files: &Files, prefix: &str) -> Files {
    files
        .iter()
        .filter(|(path, _)| !path.starts_with(prefix))
        .map(|(p, b)| (p.clone(), b.clone()))
        .collect()
}

#[test]
fn a_first_publication() {
    let stand_in = StandIn::start();
    let files = files(1, 2);
    let pushed = publish(&stand_in, &files, 1).unwrap();

    assert_eq!(on_branch(&stand_in, "v1"), files);
    let readme = Files::from([("README.md".to_owned(), files["CARD.md"].clone())]);
    assert_eq!(on_branch(&stand_in, "main"), readme);
    assert!(pushed.repo_created && pushed.branch_created && pushed.tag.created);
    assert_eq!(pushed.card, Card::Written);
    assert_eq!(pushed.changed, files.keys().cloned().collect::<Vec<_>>());
    assert_eq!((pushed.deleted.len(), pushed.n_unchanged), (0, 0));
    assert_eq!(pushed.n_bytes_changed, files.values().map(|it| it.len() as u64).sum::<u64>());
    {
        let state = stand_in.state();
        let repo = state.store.kernel(ID).unwrap();
        assert_eq!(repo.tags[&pushed.tag.name], repo.branches["v1"]);
        assert_eq!(pushed.commit.as_ref(), Some(&repo.branches["v1"]));
        let titles: Vec<&str> = repo.history("v1").iter().map(|it| it.title.as_str()).collect();
        assert_eq!(titles, ["rmsnorm v1, by Ridge", "initial commit"]);
    }
    let mut seen = stand_in.take_seen().join("\n");
    for commit in stand_in.state().store.kernel(ID).unwrap().commits.keys() {
        seen = seen.replace(commit, "COMMIT");
    }
    insta::assert_snapshot!(seen);
}

#[test]
fn the_same_again_writes_nothing() {
    let stand_in = StandIn::start();
    let files = files(1, 2);
    let first = publish(&stand_in, &files, 1).unwrap();
    stand_in.take_seen();
    let again = publish(&stand_in, &files, 1).unwrap();
    assert!(again.is_unchanged(), "{again:?}");
    assert_eq!(again.commit, first.commit);
    assert_eq!(again.tag.name, first.tag.name);
    assert_eq!((again.n_unchanged, again.card), (files.len(), Card::Unchanged));
    let seen = stand_in.take_seen();
    assert!(seen.iter().all(|it| it.starts_with("GET ") || it.starts_with("HEAD ")), "{seen:?}");
}

#[test]
fn only_what_changed_is_sent_and_what_is_stale_goes() {
    let stand_in = StandIn::start();
    publish(&stand_in, &files(1, 5), 1).unwrap();
    let mut changed = without(&files(1, 5), "build/torch-cuda/ptx/00000003");
    changed.insert("build/torch-cuda/kernel.json".to_owned(), b"{\"schema\": 1, \"x\": 2}".into());
    changed.insert("build/torch-universal/metadata.json".to_owned(), {
        let text = String::from_utf8(changed["build/torch-cuda/metadata.json"].clone()).unwrap();
        text.replace("cuda", "cpu").into_bytes()
    });
    let pushed = publish(&stand_in, &changed, 1).unwrap();
    assert_eq!(
        pushed.changed,
        ["build/torch-cuda/kernel.json", "build/torch-universal/metadata.json"]
    );
    assert_eq!(pushed.deleted, ["build/torch-cuda/ptx/00000003.ptx"]);
    assert_eq!(pushed.n_unchanged, changed.len() - 2);
    assert_eq!(on_branch(&stand_in, "v1"), changed);
    let state = stand_in.state();
    let repo = state.store.kernel(ID).unwrap();
    assert_eq!(repo.history("v1").len(), 3);
    assert_eq!(repo.tags.len(), 2);
}

#[test]
fn what_is_not_ours_stays() {
    let stand_in = StandIn::start();
    publish(&stand_in, &files(1, 1), 1).unwrap();
    let theirs = [("LICENSE", "Apache"), (".github/x.yml", "on: push"), ("docs/a.md", "text")];
    {
        let mut state = stand_in.state();
        let repo = state.store.repos.values_mut().next().unwrap();
        let head = repo.branches["v1"].clone();
        let mut tree = repo.tree("v1").unwrap().clone();
        for (path, text) in theirs {
            tree.insert(path.to_owned(), crate::stand_in::Blob::Git(text.into()));
        }
        let commit = repo.add_commit(tree, Some(head), "theirs");
        repo.branches.insert("v1".to_owned(), commit);
    }
    publish(&stand_in, &files(1, 2), 1).unwrap();
    let mut expected = files(1, 2);
    expected.extend(theirs.map(|(path, text)| (path.to_owned(), text.into())));
    assert_eq!(on_branch(&stand_in, "v1"), expected);
}

#[test]
fn versions_live_beside_each_other() {
    let stand_in = StandIn::start();
    publish(&stand_in, &files(1, 1), 1).unwrap();
    let mut second = files(2, 3);
    second.insert("CARD.md".to_owned(), b"# the second".into());
    let pushed = publish(&stand_in, &second, 2).unwrap();
    assert!(pushed.branch_created && !pushed.repo_created);
    assert_eq!(on_branch(&stand_in, "v1"), files(1, 1));
    // A new branch begins as `main` does.
    assert_eq!(without(&on_branch(&stand_in, "v2"), "README.md"), second);
    assert_eq!(on_branch(&stand_in, "main")["README.md"], b"# the second");

    // A repaired first version leaves the page of the second alone.
    let repaired = publish(&stand_in, &files(1, 2), 1).unwrap();
    assert_eq!(repaired.card, Card::Kept);
    assert_eq!(on_branch(&stand_in, "v1"), files(1, 2));
    assert_eq!(on_branch(&stand_in, "main")["README.md"], b"# the second");
}

#[test]
fn a_dry_run_asks_and_tells_what_would_happen() {
    let stand_in = StandIn::start();
    let check = |files: &Files| {
        let folder = folder(files);
        stand_in.take_seen();
        let planned = publish_from(&stand_in, folder.path(), &target(1), true).unwrap();
        let seen = stand_in.take_seen();
        assert!(seen.iter().all(|it| !it.starts_with("POST ")), "{seen:?}");
        let mut pushed = publish_from(&stand_in, folder.path(), &target(1), false).unwrap();
        assert!(planned.dry_run && !pushed.dry_run);
        pushed.dry_run = true;
        pushed.commit.clone_from(&planned.commit);
        assert_eq!(planned, pushed);
    };
    check(&files(1, 2));
    check(&files(1, 2));
    check(&files(1, 1));
}

#[test]
fn a_dry_run_needs_no_token() {
    let stand_in = StandIn::start();
    let folder = folder(&files(1, 1));
    let planned =
        hub(&stand_in, None).publish(folder.path(), &target(1), true, &listener().0).unwrap();
    assert!(planned.repo_created);
    let state = stand_in.state();
    assert!(state.seen.iter().all(|it| it.authorization.is_none()), "{:?}", state.seen);
}

#[test]
fn what_is_there_is_said_first() {
    let stand_in = StandIn::start();
    stand_in.state().store.put(Kind::Kernel, "acme/RMSnorm", &[]);
    stand_in.state().store.put(Kind::Kernel, "acme/fast-rmsnorm", &[]);
    let id = target(1).repo;
    let say = || hub(&stand_in, Some("hf_writer")).preflight(&id, &listener().0).unwrap();
    assert_eq!(
        say(),
        ["there are kernels of this name: `acme/RMSnorm`; `ridge search-hub rmsnorm` says what \
          they run on"]
    );
    stand_in.state().has_no_list = true;
    assert_eq!(say(), [""; 0]);
    stand_in.state().store.put(Kind::Kernel, ID, &[]);
    assert_eq!(say(), ["`org/rmsnorm` has no version yet"]);
    let build = |name: &str| format!("build/{name}/x.py");
    let (a, b) = (build("torch-cpu"), build("torch-cuda"));
    let there = [("v1", a.as_str(), ""), ("v2", &a, ""), ("v2", &b, "")];
    stand_in.state().store.put(Kind::Kernel, ID, &there);
    assert_eq!(say(), ["`org/rmsnorm` has v1 (torch-cpu), v2 (2 builds)"]);
    *stand_in.state() = State::default();
    publish(&stand_in, &files(1, 1), 1).unwrap();
    assert_eq!(say(), ["`org/rmsnorm` has v1 (tuned by Ridge)"]);
}

#[test]
fn progress_is_told() {
    let stand_in = StandIn::start();
    let (watch, heard) = listener();
    let folder = folder(&files(1, 1));
    hub(&stand_in, Some("hf_writer")).publish(folder.path(), &target(1), false, &watch).unwrap();
    let heard = heard.lock().unwrap();
    assert_eq!(heard.first(), Some(&Event::Step("looking at the Hub".to_owned())));
    let n_files = files(1, 1).len();
    let sent =
        heard.iter().any(|it| matches!(it, Event::Sending { n_files: n, .. } if *n == n_files));
    assert!(sent, "{heard:?}");
}

#[test]
fn a_private_repo_is_private() {
    let stand_in = StandIn::start();
    let folder = folder(&files(1, 1));
    let mut target = target(1);
    target.private = true;
    publish_from(&stand_in, folder.path(), &target, false).unwrap();
    assert!(stand_in.state().store.kernel(ID).unwrap().private);
    assert!(visible(&stand_in).contains_key("v1"));
}

#[test]
fn the_owner_of_the_token_is_told_where_it_looks_wrong() {
    let stand_in = StandIn::start();
    let folder = folder(&files(1, 1));
    let mut target = target(1);
    target.repo = ridge_hub_publish::hub::RepoId::parse("stranger/rmsnorm").unwrap();
    let planned = publish_from(&stand_in, folder.path(), &target, true).unwrap();
    assert_eq!(
        planned.notes,
        [
            "the token is of `me`, who is not a member of `stranger`",
            "the card does not name `stranger/rmsnorm`: write the folder with `--repo \
             stranger/rmsnorm`"
        ]
    );
}
