//! What the Hub refuses, in our words, and what we refuse ourselves.

use ridge_hub_publish::hub::{Hub, HubError, HubOptions, RepoId, Token};

use crate::fixture::{ID, files, folder, hub, listener, publish, publish_from, target};
use crate::stand_in::{Fault, Kind, StandIn};

fn told(error: &HubError) -> String {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("error: {error}{hint}\ncode: {}", error.code())
}

#[test]
fn what_the_hub_refuses() {
    let cases: &[(&str, Fault)] = &[
        ("GET /api/whoami-v2", Fault::Status(401, "Invalid credentials")),
        ("GET /api/kernels/", Fault::Status(403, "Access denied")),
        ("POST /api/repos/create", Fault::Status(403, "You don't have the rights")),
        ("POST /api/repos/create", Fault::Status(409, "You already created this repo")),
        ("/branch/v1", Fault::Status(403, "Forbidden")),
        ("/preupload/", Fault::Status(404, "Repository not found")),
        ("/commit/", Fault::Status(403, "This token cannot write.")),
        ("/commit/", Fault::Status(409, "Reference update conflict")),
        ("/commit/", Fault::Status(400, "a path is not allowed")),
        ("/commit/", Fault::Status(429, "Too many requests")),
        ("/commit/", Fault::RetryAfter(429, 3600)),
        ("/commit/", Fault::Status(500, "<html><body>oops</body></html>")),
        ("/commit/", Fault::Lost),
        ("/tag/", Fault::Status(403, "Forbidden")),
    ];
    let mut text = String::new();
    for (at, fault) in cases {
        let stand_in = StandIn::start();
        stand_in.trouble(at, 0, 99, fault.clone());
        let error = publish(&stand_in, &files(1, 1), 1).unwrap_err();
        text.push_str(&format!("# {at}: {fault:?}\n{}\n\n", told(&error)));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn creating_kernels_needs_approval() {
    let stand_in = StandIn::start();
    let folder = folder(&files(1, 1));
    let error = hub(&stand_in, Some("hf_member"))
        .publish(folder.path(), &target(1), false, &listener().0)
        .unwrap_err();
    insta::assert_snapshot!(told(&error));
    assert!(stand_in.state().store.repos.is_empty());
}

#[test]
fn no_token() {
    let stand_in = StandIn::start();
    let folder = folder(&files(1, 1));
    let error =
        hub(&stand_in, None).publish(folder.path(), &target(1), false, &listener().0).unwrap_err();
    insta::assert_snapshot!(told(&error));
    assert!(stand_in.take_seen().is_empty());
}

#[test]
fn nobody_there() {
    let folder = folder(&files(1, 1));
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut options = HubOptions {
        endpoint: Some(format!("http://127.0.0.1:{port}/")),
        token: Token::new("hf_writer"),
        ..HubOptions::default()
    };
    options.patience.n_attempts = 2;
    options.patience.wait = std::time::Duration::from_millis(1);
    let hub = Hub::connect(&options).unwrap();
    let error = hub.publish(folder.path(), &target(1), false, &listener().0).unwrap_err();
    assert_eq!(error.code(), "hub.network");
    assert!(error.to_string().contains("no connection to the Hub"), "{error}");
    let error = hub.search("rmsnorm", &listener().0).unwrap_err();
    assert_eq!(error.code(), "hub.network");
}

#[test]
fn a_hub_that_says_nothing() {
    let stand_in = StandIn::start();
    stand_in.trouble("/refs", 0, 99, Fault::Stalled);
    let mut options = HubOptions { endpoint: Some(stand_in.endpoint()), ..HubOptions::default() };
    options.patience.n_attempts = 2;
    options.patience.wait = std::time::Duration::from_millis(1);
    options.patience.answer = std::time::Duration::from_millis(200);
    stand_in.state().store.put(Kind::Kernel, ID, &[]);
    let hub = Hub::connect(&options).unwrap();
    let error = hub.look(&RepoId::parse(ID).unwrap(), &listener().0).unwrap_err();
    assert_eq!(error.code(), "hub.network");
    assert_eq!(
        error.to_string(),
        "cannot list the branches of `org/rmsnorm`: the Hub took too long to answer"
    );
}

#[track_caller]
fn check_setup(endpoint: &str, token: &str, expected: &str) {
    let options = HubOptions {
        endpoint: Some(endpoint.to_owned()),
        token: Token::new(token),
        ..HubOptions::default()
    };
    let error = Hub::connect(&options).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("hub.setup", expected));
}

#[test]
fn endpoints_and_tokens_that_are_none() {
    let address = "the Hub cannot be asked: `huggingface.co` is no address of a server";
    check_setup("huggingface.co", "hf_x", address);
    let address = "the Hub cannot be asked: `ftp://x` is no address of a server";
    check_setup("ftp://x", "hf_x", address);
    let token = "the Hub cannot be asked: the token has characters that no token has";
    check_setup("http://localhost", "hf_a\nhf_b", token);
}

#[test]
fn an_id_that_another_type_has() {
    let stand_in = StandIn::start();
    stand_in.state().store.put(Kind::Dataset, ID, &[]);
    let error = publish(&stand_in, &files(1, 1), 1).unwrap_err();
    insta::assert_snapshot!(told(&error));
    let folder = folder(&files(1, 1));
    let planned = publish_from(&stand_in, folder.path(), &target(1), true).unwrap();
    assert_eq!(
        planned.notes,
        ["`org/rmsnorm` is also a dataset repo; `kernels` does not look there"]
    );
}

fn metadata(name: &str) -> String {
    format!(r#"{{"name": "{name}", "id": "_x_1", "version": 1}}"#)
}

#[test]
fn kernels_of_others_are_left_alone() {
    let path = "build/torch-cuda/metadata.json";
    let ours = "build/torch-cuda/kernel.json";
    let runtime = "build/torch-cuda/_ridge/__init__.py";
    let (same, other) = (metadata("rmsnorm"), metadata("layernorm"));
    /// Branch, path and content of files, and the version to publish.
    type Case<'a> = (&'a [(&'a str, &'a str, &'a str)], u32);
    let cases: &[Case<'_>] = &[
        // The same name, by somebody else: neither over it nor beside it.
        (&[("v1", path, &same)], 1),
        (&[("v1", path, &same)], 2),
        // Ridge's, but another kernel.
        (&[("v1", path, &other), ("v1", ours, "{}"), ("v1", runtime, "")], 1),
        // Ridge's first version, somebody else's second.
        (
            &[
                ("v1", path, &same),
                ("v1", ours, "{}"),
                ("v1", runtime, ""),
                ("v2", path, &same),
                ("v2", ours, "{}"),
                ("v3", "build/torch-cpu/x.py", ""),
            ],
            3,
        ),
    ];
    let mut text = String::new();
    for (there, version) in cases {
        let stand_in = StandIn::start();
        stand_in.state().store.put(Kind::Kernel, ID, there);
        let error = publish(&stand_in, &files(*version, 1), *version).unwrap_err();
        assert_eq!(error.code(), "hub.foreign");
        text.push_str(&format!("{}\n\n", told(&error)));
        let seen = stand_in.take_seen();
        assert!(seen.iter().all(|it| !it.starts_with("POST ")), "{seen:?}");
        // Unless asked to.
        let folder = folder(&files(*version, 1));
        let mut target = target(*version);
        target.replace = true;
        publish_from(&stand_in, folder.path(), &target, false).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn an_empty_repo_that_somebody_made_by_hand_is_fine() {
    let stand_in = StandIn::start();
    stand_in.state().store.put(Kind::Kernel, ID, &[("main", "README.md", "soon")]);
    let pushed = publish(&stand_in, &files(1, 1), 1).unwrap();
    assert!(!pushed.repo_created && pushed.branch_created);
}

#[test]
fn the_token_is_in_no_words() {
    let secret = "hf_TopSecretToken";
    let stand_in = StandIn::start();
    let hub = hub(&stand_in, Some(secret));
    let folder = folder(&files(1, 1));
    let (watch, heard) = listener();
    // The stand-in repeats the token when it does not know it.
    let publishing = hub.publish(folder.path(), &target(1), false, &watch).unwrap_err();
    let searching = hub.search("rmsnorm", &watch).unwrap_err();
    let looking = hub.look(&RepoId::parse(ID).unwrap(), &watch).unwrap_err();
    let heard = heard.lock().unwrap();
    for error in [&publishing, &searching, &looking] {
        assert_eq!(error.code(), "hub.unauthorized");
        assert!(error.to_string().contains("hf_…"), "{error}");
        let all = format!("{error} {error:?} {:?} {hub:?} {heard:?}", error.hint());
        assert!(!all.contains("Secret"), "{all}");
    }
    assert!(stand_in.state().seen.iter().all(|it| it.authorization.is_some()));
}
