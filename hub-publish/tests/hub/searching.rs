//! What is found on the Hub.

use ridge_hub_publish::hub::{HubError, Listing};

use crate::fixture::{ID, files, hub, listener, publish};
use crate::stand_in::{Fault, Kind, StandIn};

fn search(stand_in: &StandIn, name: &str) -> Result<Listing, HubError> {
    hub(stand_in, Some("hf_writer")).search(name, &listener().0)
}

fn populated() -> StandIn {
    let stand_in = StandIn::start();
    publish(&stand_in, &files(1, 2), 1).unwrap();
    publish(&stand_in, &files(2, 3), 2).unwrap();
    let arch = |cuda: &str| format!("build/torch29-cxx11-cu{cuda}-x86_64-linux/metadata.json");
    let metadata = r#"{"name": "rms-norm", "id": "_rms_norm_1", "version": 3, "license": "MIT",
        "backend": {"type": "cuda", "archs": ["8.0", "9.0"]}}"#;
    {
        let mut state = stand_in.state();
        let (a, b) = (arch("126"), arch("130"));
        let files = [("v3", a.as_str(), metadata), ("v3", &b, metadata), ("dev", &b, metadata)];
        state.store.put(Kind::Kernel, "kernels-community/RMS_norm", &files);
        state.store.put(Kind::Kernel, "acme/fast-rmsnorm-layer", &[("main", "README.md", "")]);
        state.store.put(Kind::Model, "acme/rmsnorm", &[]);
        for (name, downloads) in [("kernels-community/RMS_norm", 900), ("org/rmsnorm", 20)] {
            let key = (Kind::Kernel, name.to_owned());
            state.store.repos.get_mut(&key).unwrap().downloads = downloads;
        }
        let private = state.store.repos.get_mut(&(Kind::Kernel, "org/rmsnorm".to_owned()));
        private.unwrap().private = true;
    }
    stand_in.take_seen();
    stand_in
}

fn ids(listing: &Listing) -> Vec<String> {
    listing.found.iter().map(|it| it.id.to_string()).collect()
}

#[test]
fn a_kernel_and_its_likes() {
    let stand_in = populated();
    let listing = search(&stand_in, "rms-norm").unwrap();
    assert_eq!(
        ids(&listing),
        ["kernels-community/RMS_norm", "org/rmsnorm", "acme/fast-rmsnorm-layer"]
    );
    let seen = stand_in.take_seen();
    assert!(seen.iter().all(|it| it.starts_with("GET ") || it.starts_with("HEAD ")), "{seen:?}");
    let endpoint = stand_in.endpoint();
    let commits = stand_in
        .state()
        .store
        .repos
        .values()
        .flat_map(|it| it.commits.keys().cloned())
        .collect::<Vec<_>>();
    let mut text = serde_json::to_string_pretty(&listing).unwrap().replace(&endpoint, "HUB");
    for commit in commits {
        text = text.replace(&commit, "COMMIT");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn one_repo_by_its_id() {
    let stand_in = populated();
    let listing = search(&stand_in, ID).unwrap();
    assert_eq!(ids(&listing), [ID]);
    let versions: Vec<u32> = listing.found[0].versions.iter().map(|it| it.version).collect();
    assert_eq!(versions, [1, 2]);
    let variant = &listing.found[0].versions[1].variants[0];
    assert!(variant.by_ridge && variant.tuned_matrix);
    assert_eq!(variant.architectures, ["9.0a"]);
}

#[test]
fn nothing_is_an_answer() {
    let stand_in = populated();
    assert_eq!(ids(&search(&stand_in, "flash-attention").unwrap()), [""; 0]);
    assert_eq!(ids(&search(&stand_in, "org/nothing").unwrap()), [""; 0]);
}

#[test]
fn without_a_token_what_is_private_is_not_there() {
    let stand_in = populated();
    let hub = hub(&stand_in, None);
    let listing = hub.search("rmsnorm", &listener().0).unwrap();
    assert_eq!(ids(&listing), ["acme/fast-rmsnorm-layer"]);
    assert_eq!(listing.notes, ["asked without a token: private repos are not listed"]);
    assert_eq!(ids(&hub.search(ID, &listener().0).unwrap()), [""; 0]);
    assert!(stand_in.state().seen.iter().all(|it| it.authorization.is_none()));
}

#[test]
fn a_hub_without_a_list() {
    let stand_in = populated();
    stand_in.state().has_no_list = true;
    let listing = search(&stand_in, "RMS_norm").unwrap();
    assert_eq!(ids(&listing), ["kernels-community/RMS_norm"]);
    assert_eq!(
        listing.notes,
        ["this Hub has no list of kernels: only `kernels-community/RMS_norm` was looked for"]
    );
}

#[test]
fn a_busy_hub_is_asked_again() {
    let stand_in = populated();
    stand_in.trouble("GET /api/kernels?", 0, 1, Fault::Lost);
    stand_in.trouble("GET /api/kernels?", 1, 1, Fault::RetryAfter(429, 0));
    stand_in.trouble("/refs", 0, 2, Fault::Status(500, "oops"));
    assert_eq!(ids(&search(&stand_in, "layer").unwrap()), ["acme/fast-rmsnorm-layer"]);
    stand_in.trouble("GET /api/kernels?", 0, 99, Fault::Status(503, "down"));
    let error = search(&stand_in, "layer").unwrap_err();
    assert_eq!(error.code(), "hub.server");
    assert_eq!(error.to_string(), "cannot search the Hub: the Hub answered 503: down");
}

#[test]
fn names_that_no_kernel_has() {
    let stand_in = StandIn::start();
    for name in ["", "a b", "a/b/c", "../x", "a?b"] {
        assert_eq!(search(&stand_in, name).unwrap_err().code(), "hub.name", "`{name}`");
    }
    assert!(stand_in.take_seen().is_empty());
}

#[test]
fn a_repo_that_may_not_be_seen_does_not_spoil_the_rest() {
    let stand_in = populated();
    stand_in.trouble("/api/kernels/acme/fast-rmsnorm-layer", 0, 9, Fault::Status(403, "gated"));
    let listing = search(&stand_in, "rmsnorm").unwrap();
    assert_eq!(ids(&listing), [ID]);
    assert_eq!(listing.notes, ["`acme/fast-rmsnorm-layer` cannot be looked into (403)"]);
}
