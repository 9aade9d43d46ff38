//! Folders to publish, and hubs to publish them to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ridge_hub_publish::hub::{
    Event, Hub, HubError, HubOptions, Patience, Pushed, RepoId, Target, Token, Watcher,
};

use crate::stand_in::{Blob, StandIn};

pub(crate) const ID: &str = "org/rmsnorm";

/// Files of a published folder, by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A small publication of kernel `rmsnorm`, version `version`, with `n_artifacts` artifacts.
pub(crate) fn files(version: u32, n_artifacts: usize) -> Files {
    let metadata = format!(
        r#"{{"name": "rmsnorm", "id": "_rmsnorm_cuda_{n_artifacts:07x}", "version": {version},
            "license": "Apache-2.0", "kernels-minver": "0.14.0", "python-depends": [],
            "backend": {{"type": "cuda", "archs": ["9.0a"]}}}}"#
    );
    let mut files = Files::new();
    let mut text = |path: &str, text: &str| files.insert(path.to_owned(), text.into());
    text("CARD.md", "---\nlibrary_name: kernels\n---\n# org/rmsnorm\n");
    text("build.toml", "[general]\nname = \"rmsnorm\"\n");
    text("kernel/kernel.toml", "schema = 1\n");
    text("benchmarks/benchmark.py", "import torch\n");
    text("build/torch-cuda/__init__.py", "from ._ridge import call\n");
    text("build/torch-cuda/_ridge/__init__.py", "");
    text("build/torch-cuda/kernel.json", "{\"schema\": 1}\n");
    text("build/torch-cuda/configs/tuned.toml", "schema = 1\n");
    text("build/torch-cuda/metadata.json", &metadata);
    for index in 0..n_artifacts {
        let ptx = format!("// artifact {index}\n{}", "add.f32 %f1, %f2, %f3;\n".repeat(20));
        text(&format!("build/torch-cuda/ptx/{index:08x}.ptx"), &ptx);
    }
    for index in 0..n_artifacts {
        let cubin: Vec<u8> = b"\x7fELF\x02\x01\x01\0".iter().copied().cycle().take(700).collect();
        let cubin = [cubin, index.to_le_bytes().to_vec()].concat();
        files.insert(format!("build/torch-cuda/cubin/{index:08x}-sm_90a.cubin"), cubin);
    }
    files
}

/// The files on disk.
pub(crate) fn folder(files: &Files) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

pub(crate) fn target(version: u32) -> Target {
    Target::new(RepoId::parse(ID).unwrap(), version)
}

/// A hub that does not wait; the same one for the same stand-in, as making one reads the machine's
/// certificates.
pub(crate) fn hub(stand_in: &StandIn, token: Option<&str>) -> Arc<Hub> {
    type Hubs = BTreeMap<(String, Option<String>), Arc<Hub>>;
    static HUBS: Mutex<Hubs> = Mutex::new(Hubs::new());
    let key = (stand_in.endpoint(), token.map(ToOwned::to_owned));
    let mut hubs = HUBS.lock().unwrap();
    let hub = hubs.entry(key).or_insert_with(|| {
        let patience = Patience {
            n_attempts: 4,
            wait: Duration::from_millis(1),
            wait_max: Duration::from_secs(2),
            ..Patience::default()
        };
        let token = token.and_then(Token::new);
        let endpoint = Some(stand_in.endpoint());
        Arc::new(Hub::connect(&HubOptions { endpoint, token, patience }).unwrap())
    });
    hub.clone()
}

/// Collects what is told.
pub(crate) fn listener() -> (Watcher, Arc<Mutex<Vec<Event>>>) {
    let heard: Arc<Mutex<Vec<Event>>> = Arc::default();
    let ears = heard.clone();
    (Arc::new(move |event| ears.lock().unwrap().push(event)), heard)
}

pub(crate) fn publish(stand_in: &StandIn, files: &Files, version: u32) -> Result<Pushed, HubError> {
    let folder = folder(files);
    publish_from(stand_in, folder.path(), &target(version), false)
}

pub(crate) fn publish_from(
    stand_in: &StandIn,
    folder: &Path,
    target: &Target,
    dry_run: bool,
) -> Result<Pushed, HubError> {
    hub(stand_in, Some("hf_writer")).publish(folder, target, dry_run, &listener().0)
}

/// What a branch has.
pub(crate) fn on_branch(stand_in: &StandIn, branch: &str) -> Files {
    let state = stand_in.state();
    let repo = state.store.kernel(ID).unwrap();
    let tree = repo.tree(branch).unwrap();
    tree.iter()
        .filter(|(path, _)| *path != ".gitattributes")
        .map(|(path, blob)| {
            let bytes = match blob {
                Blob::Git(bytes) => bytes.clone(),
                Blob::Large { sha256, .. } => sha256.clone().into_bytes(),
            };
            (path.clone(), bytes)
        })
        .collect()
}

/// What can be seen from outside of a repo: every branch's files and every tag's.
pub(crate) fn visible(stand_in: &StandIn) -> BTreeMap<String, Files> {
    let names: Vec<String> = {
        let state = stand_in.state();
        let repo = state.store.kernel(ID).unwrap();
        repo.branches.keys().chain(repo.tags.keys()).cloned().collect()
    };
    names.into_iter().map(|name| (name.clone(), on_branch(stand_in, &name))).collect()
}
