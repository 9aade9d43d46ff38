//! What is asked, and what is answered.

use serde_json::{Value, json};

use super::State;
use super::http::{Request, Response};
use super::store::{Blob, Kind, Repo, Store, pointer};

/// Tokens: `hf_writer` is of `me`, who is a member of `org` and may create kernels; `hf_member` may
/// not create any; everything else is unknown.
pub(super) fn answer(state: &mut State, request: &Request, endpoint: &str) -> Response {
    let token = request.header("authorization").and_then(|it| it.strip_prefix("Bearer "));
    if token.is_some_and(|token| !matches!(token, "hf_writer" | "hf_member")) {
        // Some servers repeat what they were given.
        let words = format!("Invalid credentials in Authorization header: {token:?}");
        return Response::refusal(401, &words);
    }
    let writes = !matches!(request.method.as_str(), "GET" | "HEAD");
    if writes && token.is_none() {
        return Response::refusal(401, "Invalid username or password.");
    }
    let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["api", "whoami-v2"]) => who(token),
        ("POST", ["api", "repos", "create"]) => create(state, request, token, endpoint),
        ("GET", ["api", "kernels"]) if state.has_no_list => Response::refusal(404, "Not found"),
        ("GET", ["api", "kernels"]) => list(&state.store, request, token),
        ("POST", ["kernels", _, repo, "info", "lfs", "objects", "batch"])
            if repo.ends_with(".git") =>
        {
            large_files(state, request)
        }
        ("GET" | "HEAD", ["kernels", owner, name, "resolve", revision, path @ ..]) => {
            let id = format!("{owner}/{name}");
            visible(&state.store, Kind::Kernel, &id, token)
                .map_or_else(|missing| missing, |repo| resolve(repo, revision, &path.join("/")))
        }
        (_, ["api", kind, owner, name, rest @ ..]) => {
            let Some(kind) = Kind::ALL.into_iter().find(|it| format!("{}s", it.word()) == *kind)
            else {
                return Response::refusal(404, "no such route");
            };
            let id = format!("{owner}/{name}");
            if let Err(missing) = visible(&state.store, kind, &id, token) {
                return missing;
            }
            in_repo(state, request, (kind, id), rest, endpoint)
        }
        _ => Response::refusal(404, "no such route"),
    }
}

fn visible<'a>(
    store: &'a Store,
    kind: Kind,
    id: &str,
    token: Option<&str>,
) -> Result<&'a Repo, Response> {
    match store.repos.get(&(kind, id.to_owned())) {
        Some(repo) if !repo.private || token.is_some() => Ok(repo),
        _ if token.is_some() => Err(Response::missing("RepoNotFound", "Repository not found")),
        // The Hub tells somebody it does not know to sign in.
        _ => {
            Err(Response::refusal(401, "Repository not found").with("X-Error-Code", "RepoNotFound"))
        }
    }
}

fn who(token: Option<&str>) -> Response {
    if token.is_none() {
        return Response::refusal(401, "Invalid username or password.");
    }
    Response::json(
        200,
        &json!({
            "type": "user", "id": "0", "name": "me", "fullname": "Me",
            "orgs": [{ "type": "org", "id": "1", "name": "org", "fullname": "Org" }],
            "auth": { "type": "access_token", "accessToken": { "role": "write" } },
        }),
    )
}

fn create(state: &mut State, request: &Request, token: Option<&str>, endpoint: &str) -> Response {
    let body = request.json();
    let word = body["type"].as_str().unwrap_or("model");
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == word) else {
        return Response::refusal(400, "unknown type");
    };
    let owner = body["organization"].as_str().unwrap_or("me");
    let id = format!("{owner}/{}", body["name"].as_str().unwrap_or_default());
    if token != Some("hf_writer") {
        let words = "You don't have the rights to create a kernel under this namespace";
        return Response::refusal(403, words);
    }
    let url = format!("{endpoint}/{word}s/{id}");
    if Kind::ALL.into_iter().any(|kind| state.store.repos.contains_key(&(kind, id.clone()))) {
        return Response::json(409, &json!({"error": "You already created this repo", "url": url}));
    }
    let private = body["private"].as_bool().unwrap_or(false);
    state.store.repos.insert((kind, id.clone()), Repo::new(private));
    Response::json(200, &json!({ "url": url, "name": id, "id": "5c4b2dca60b1a7fc3f0bd5d5" }))
}

fn list(store: &Store, request: &Request, token: Option<&str>) -> Response {
    let search = request.query.get("search").map_or("", String::as_str).to_lowercase();
    let limit = request.query.get("limit").and_then(|it| it.parse().ok()).unwrap_or(100);
    let items: Vec<Value> = store
        .repos
        .iter()
        .filter(|((kind, id), repo)| {
            *kind == Kind::Kernel
                && id.to_lowercase().contains(&search)
                && (!repo.private || token.is_some())
        })
        .take(limit)
        .map(|((_, id), repo)| summary(id, repo, "main"))
        .collect();
    Response::json(200, &json!(items))
}

fn summary(id: &str, repo: &Repo, revision: &str) -> Value {
    json!({
        "_id": "0",
        "id": id,
        "author": id.split('/').next(),
        "sha": repo.resolve(revision),
        "lastModified": "2026-11-22T06:17:22.000Z",
        "private": repo.private,
        "gated": false,
        "downloads": repo.downloads,
        "likes": 0,
        "trustedPublisher": id.starts_with("kernels-community/"),
    })
}

fn in_repo(
    state: &mut State,
    request: &Request,
    key: (Kind, String),
    rest: &[&str],
    endpoint: &str,
) -> Response {
    let (commit_bytes_max, ignores) = (state.commit_bytes_max, state.ignores.clone());
    let xet = state.xet.clone();
    let id = key.1.clone();
    let Some(repo) = state.store.repos.get_mut(&key) else {
        return Response::missing("RepoNotFound", "Repository not found");
    };
    match (request.method.as_str(), rest) {
        ("GET", []) => Response::json(200, &summary(&id, repo, "main")),
        ("GET", ["revision", revision]) => Response::json(200, &summary(&id, repo, revision)),
        ("GET", ["refs"]) => refs(repo),
        ("GET", ["tree", revision, path @ ..]) => {
            let recursive = request.query.get("recursive").is_some_and(|it| it == "true");
            tree(repo, revision, &path.join("/"), recursive)
        }
        ("POST", ["preupload", revision]) => preupload(repo, revision, request, xet.is_some()),
        ("POST", ["commit", branch]) => {
            if commit_bytes_max.is_some_and(|limit| request.body.len() > limit) {
                return Response::refusal(413, "request entity too large");
            }
            let lines: Vec<Value> = request
                .body
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice(line).unwrap_or(Value::Null))
                .collect();
            match repo.commit(branch, &lines, ignores.as_deref()) {
                Ok(oid) => {
                    let url = format!("{endpoint}/kernels/{id}/commit/{oid}");
                    let answer = json!({
                        "success": true, "commitOid": oid, "commitUrl": url, "hookOutput": "",
                    });
                    Response::json(200, &answer)
                }
                Err(refusal) => refusal,
            }
        }
        ("POST", ["branch", branch]) => {
            if repo.branches.contains_key(*branch) {
                return Response::refusal(409, &format!("Reference {branch} already exists"));
            }
            let Some(start) = repo.resolve("main").map(ToOwned::to_owned) else {
                return Response::missing("RevisionNotFound", "Invalid rev id");
            };
            repo.branches.insert((*branch).to_owned(), start);
            Response::json(201, &json!({}))
        }
        ("POST", ["tag", revision]) => {
            let tag = request.json()["tag"].as_str().unwrap_or_default().to_owned();
            let Some(commit) = repo.resolve(revision).map(ToOwned::to_owned) else {
                return Response::missing("RevisionNotFound", "Invalid rev id");
            };
            if repo.tags.contains_key(&tag) {
                return Response::refusal(409, "Tag reference exists already");
            }
            repo.tags.insert(tag, commit);
            Response::json(201, &json!({}))
        }
        ("GET", ["xet-write-token", _]) => match xet {
            Some(url) => Response::json(
                200,
                &json!({ "accessToken": "xet", "exp": 4_000_000_000_u64, "casUrl": url }),
            ),
            None => Response::refusal(404, "xet not enabled"),
        },
        _ => Response::refusal(404, "no such route"),
    }
}

fn refs(repo: &Repo) -> Response {
    let of = |prefix: &str, refs: &std::collections::BTreeMap<String, String>| -> Vec<Value> {
        refs.iter()
            .map(|(name, commit)| {
                json!({ "name": name, "ref": format!("{prefix}{name}"), "targetCommit": commit })
            })
            .collect()
    };
    let branches = of("refs/heads/", &repo.branches);
    let tags = of("refs/tags/", &repo.tags);
    Response::json(200, &json!({ "branches": branches, "converts": [], "tags": tags }))
}

fn tree(repo: &Repo, revision: &str, folder: &str, recursive: bool) -> Response {
    let Some(tree) = repo.tree(revision) else {
        return Response::missing("RevisionNotFound", &format!("Invalid rev id: {revision}"));
    };
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut entries: std::collections::BTreeMap<String, Value> = Default::default();
    for (path, blob) in tree {
        let Some(inside) = path.strip_prefix(&prefix) else { continue };
        let mut depth = 0;
        for (at, _) in inside.match_indices('/') {
            if recursive || depth == 0 {
                let folder = format!("{prefix}{}", &inside[..at]);
                let entry =
                    json!({"type": "directory", "oid": "0".repeat(40), "size": 0, "path": folder});
                entries.insert(folder, entry);
            }
            depth += 1;
        }
        if recursive || depth == 0 {
            entries.insert(path.clone(), file_entry(path, blob));
        }
    }
    if entries.is_empty() && !folder.is_empty() {
        let words = format!("{folder} does not exist on {revision}");
        return Response::missing("EntryNotFound", &words);
    }
    Response::json(200, &json!(entries.into_values().collect::<Vec<_>>()))
}

fn file_entry(path: &str, blob: &Blob) -> Value {
    let mut entry = json!({ "type": "file", "oid": blob.oid(), "size": blob.size(), "path": path });
    if let Blob::Large { sha256, size } = blob {
        let pointer_size = pointer(sha256, *size).len();
        entry["lfs"] = json!({ "oid": sha256, "size": size, "pointerSize": pointer_size });
        entry["xetHash"] = json!("0".repeat(64));
    }
    entry
}

fn preupload(repo: &Repo, revision: &str, request: &Request, xet: bool) -> Response {
    use base64::Engine as _;
    let Some(commit) = repo.resolve(revision) else {
        return Response::missing("RevisionNotFound", &format!("Invalid rev id: {revision}"));
    };
    let body = request.json();
    let empty = Vec::new();
    let files: Vec<Value> = body["files"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .map(|file| {
            let sample = file["sample"].as_str().unwrap_or_default();
            let sample = base64::engine::general_purpose::STANDARD.decode(sample);
            let binary = sample.unwrap_or_default().contains(&0);
            let mode = if binary && xet { "lfs" } else { "regular" };
            json!({ "path": file["path"], "uploadMode": mode, "shouldIgnore": false })
        })
        .collect();
    Response::json(200, &json!({ "files": files, "commitOid": commit }))
}

fn large_files(state: &State, request: &Request) -> Response {
    let body = request.json();
    let transfer = if state.xet.is_some() { "xet" } else { "basic" };
    Response::json(200, &json!({ "transfer": transfer, "objects": body["objects"] }))
}

fn resolve(repo: &Repo, revision: &str, path: &str) -> Response {
    let Some(commit) = repo.resolve(revision) else {
        return Response::missing("RevisionNotFound", &format!("Invalid rev id: {revision}"));
    };
    match repo.tree(commit).and_then(|tree| tree.get(path)) {
        Some(blob @ Blob::Git(bytes)) => Response::bytes(bytes.clone())
            .with("X-Repo-Commit", commit)
            .with("ETag", &format!("\"{}\"", blob.oid()))
            .with("Accept-Ranges", "bytes"),
        Some(Blob::Large { .. }) => Response::refusal(501, "large files cannot be read back here"),
        None => Response::missing("EntryNotFound", "Entry not found").with("X-Repo-Commit", commit),
    }
}
