//! Each kind of damage to a repo has its code.

use std::path::Path;

use ridge_hub_publish::folder;
use ridge_hub_publish::inspect;
use ridge_hub_publish::publication::Publication;
use serde_json::Value;

use super::fixture::Fixture;

pub(crate) const CUDA: &str = "build/torch-cuda";

/// Publishes, damages, and says what `verify-repo` would without running anything.
fn problems(fixture: &Fixture, damage: impl Fn(&Path)) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    folder::write(&fixture.publication(), scratch.path(), false).unwrap();
    damage(scratch.path());
    let mut inspection = inspect::open(scratch.path()).unwrap();
    if let Some(matrix) = inspection.matrix.clone() {
        let (records, artifacts) = (inspection.records.clone(), inspection.artifacts.clone());
        let (defaults, options) = (inspection.defaults(), inspection.options.clone());
        let publication = Publication {
            matrix: &matrix,
            records: &records,
            artifacts: &artifacts,
            defaults: &defaults,
            options: &options,
            ..fixture.publication()
        };
        inspection.compare(&publication);
    }
    let line = |problem: &inspect::Problem| format!("{} {}", problem.code, problem.subject);
    inspection.problems.iter().map(line).collect()
}

#[track_caller]
fn check(damage: impl Fn(&Path), expected: &[&str]) {
    check_of(&Fixture::measured(), damage, expected);
}

/// Checks that each of the expected problems is told, and where there is none, none.
#[track_caller]
pub(crate) fn check_of(fixture: &Fixture, damage: impl Fn(&Path), expected: &[&str]) {
    let found = problems(fixture, damage);
    for line in expected {
        assert!(found.iter().any(|own| own.starts_with(line)), "`{line}` is not in {found:#?}");
    }
    assert!(!expected.is_empty() || found.is_empty(), "{found:#?}");
}

/// The path of a variant's first file with an ending.
fn first(root: &Path, folder: &str) -> String {
    let mut names: Vec<String> = std::fs::read_dir(root.join(CUDA).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    format!("{CUDA}/{folder}/{}", names[0])
}

pub(crate) fn replace(root: &Path, path: &str, old: &str, new: &str) {
    let text = std::fs::read_to_string(root.join(path)).unwrap();
    assert!(text.contains(old), "`{old}` is not in {path}");
    std::fs::write(root.join(path), text.replacen(old, new, 1)).unwrap();
}

/// Makes the digests those of the files again, as somebody would who means to deceive.
pub(crate) fn sign_again(root: &Path) {
    let path = root.join(CUDA).join("metadata.json");
    let mut metadata: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let files = metadata["digest"]["files"].as_object_mut().unwrap();
    for (name, digest) in files {
        let bytes = std::fs::read(root.join(CUDA).join(name)).unwrap();
        *digest = Value::String(base64(ridge_spec::digest::Digest::of(&bytes).as_bytes()));
    }
    std::fs::write(&path, metadata.to_string()).unwrap();
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn a_whole_repo_has_no_problems() {
    check(|_| {}, &[]);
}

#[test]
fn a_flipped_bit_in_a_binary() {
    let flip = |root: &Path| {
        let path = root.join(first(root, "cubin"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    check(flip, &["repo.digest build/torch-cuda/cubin/", "repo.artifact artifact "]);
}

#[test]
fn an_edited_matrix() {
    let edit = |root: &Path| {
        replace(
            root,
            &format!("{CUDA}/configs/tuned.toml"),
            "rows_per_block = 2",
            "rows_per_block = 4",
        );
    };
    check(
        edit,
        &["repo.digest build/torch-cuda/configs/tuned.toml", "repo.matrix small on NVIDIA H200"],
    );
    let faster = |root: &Path| {
        let path = format!("{CUDA}/configs/tuned.toml");
        replace(
            root,
            &path,
            "median_ns = 2000\ninterval_ns = [1990",
            "median_ns = 1000\ninterval_ns = [990",
        );
        sign_again(root);
    };
    check(
        faster,
        &["repo.matrix build/torch-cuda/configs/tuned.json", "repo.matrix small on NVIDIA H200"],
    );
}

#[test]
fn a_missing_file() {
    let remove = |root: &Path| std::fs::remove_file(root.join(first(root, "ptx"))).unwrap();
    check(remove, &["repo.missing build/torch-cuda/ptx/"]);
    let no_spec = |root: &Path| std::fs::remove_file(root.join("kernel/kernel.toml")).unwrap();
    check(no_spec, &["repo.missing kernel/kernel.toml"]);
    let no_records = |root: &Path| std::fs::remove_file(root.join("kernel/records.jsonl")).unwrap();
    check(no_records, &["repo.missing kernel/records.jsonl"]);
    let no_metadata =
        |root: &Path| std::fs::remove_file(root.join(CUDA).join("metadata.json")).unwrap();
    check(no_metadata, &["repo.missing build/torch-cuda/metadata.json"]);
}

#[test]
fn a_foreign_file() {
    let add = |root: &Path| std::fs::write(root.join(CUDA).join("extra.py"), "").unwrap();
    check(add, &["repo.foreign build/torch-cuda/extra.py"]);
    let compiled = |root: &Path| {
        std::fs::create_dir(root.join(CUDA).join("__pycache__")).unwrap();
        std::fs::write(root.join(CUDA).join("__pycache__/x.pyc"), "").unwrap();
    };
    check(compiled, &[]);
}

/// What no metadata has a digest of: the card, the tree for builders, tests, the kernel's own files.
#[test]
fn files_outside_the_variants() {
    let scratch = tempfile::tempdir().unwrap();
    let fixture = Fixture::measured();
    let written = folder::write(&fixture.publication(), scratch.path(), false).unwrap();
    // Of the tree for builders one folder stands for the others.
    let outside = |path: &&String| {
        let first = path.split('/').next().unwrap_or_default();
        first != "build" && (first != "torch-ext" || path.contains("/cubin/"))
    };
    for path in written.files.keys().filter(outside) {
        let remove = |root: &Path| std::fs::remove_file(root.join(path)).unwrap();
        check(remove, &[&format!("repo.missing {path}")]);
        let lengthen = |root: &Path| {
            let mut bytes = std::fs::read(root.join(path)).unwrap();
            bytes.push(b'#');
            std::fs::write(root.join(path), bytes).unwrap();
        };
        let found = problems(&fixture, lengthen);
        assert!(found.iter().any(|line| line.ends_with(&format!(" {path}"))), "{path}: {found:#?}");
    }
    let foreign =
        |path: &'static str| move |root: &Path| std::fs::write(root.join(path), "x").unwrap();
    check(foreign("setup.py"), &["repo.foreign setup.py"]);
    check(foreign("torch-ext/row_scale/extra.py"), &["repo.foreign torch-ext/row_scale/extra.py"]);
    check(foreign(".gitattributes"), &[]);
    check(foreign("README.md"), &[]);
}

#[test]
fn another_kernels_folder_is_not_written_over() {
    let scratch = tempfile::tempdir().unwrap();
    let fixture = Fixture::measured();
    folder::write(&fixture.publication(), scratch.path(), false).unwrap();
    let manifest = format!("{CUDA}/kernel.json");
    replace(scratch.path(), &manifest, "\"kernel\": \"row-scale\"", "\"kernel\": \"softmax\"");
    let error = folder::write(&fixture.publication(), scratch.path(), false).unwrap_err();
    assert_eq!(error.code(), "publish.folder");
    assert!(error.to_string().ends_with("holds the published kernel `softmax`"), "{error}");
}

#[test]
fn a_wrong_launch() {
    let launch = |root: &Path| {
        replace(
            root,
            &format!("{CUDA}/kernel.json"),
            "\"ceil_div(rows, 2)\"",
            "\"ceil_div(rows, 4)\"",
        );
        sign_again(root);
    };
    check(
        launch,
        &["repo.launch small on NVIDIA H200", "repo.metadata build/torch-cuda/metadata.json"],
    );
    let legal = |root: &Path| {
        replace(root, &format!("{CUDA}/kernel.json"), "\"(2 <= rows)\"", "\"(1 <= rows)\"");
    };
    check(legal, &["repo.launch small on NVIDIA H200", "repo.digest build/torch-cuda/kernel.json"]);
}

#[test]
fn a_manifest_that_is_not_the_repos() {
    let symbol = |root: &Path| {
        replace(root, &format!("{CUDA}/kernel.json"), "\"row_scale_small\"", "\"row_scale_large\"");
    };
    check(symbol, &["repo.artifact artifact "]);
    let tolerance = |root: &Path| {
        replace(root, &format!("{CUDA}/kernel.json"), "\"absolute\": 0.001", "\"absolute\": 1.0");
    };
    check(tolerance, &["repo.manifest build/torch-cuda/kernel.json"]);
    let garbage = |root: &Path| std::fs::write(root.join(CUDA).join("kernel.json"), "{").unwrap();
    check(garbage, &["repo.manifest build/torch-cuda/kernel.json"]);
    let spec = |root: &Path| {
        let digest = Fixture::measured().publication().digest.to_string();
        replace(root, &format!("{CUDA}/kernel.json"), &digest, &"0".repeat(64));
    };
    check(spec, &["repo.spec kernel"]);
}

#[test]
fn edited_metadata_records_and_sources() {
    let id = |root: &Path| {
        replace(root, &format!("{CUDA}/metadata.json"), "_row_scale_cuda_", "_row_scale_cuda_x");
    };
    check(id, &["repo.metadata build/torch-cuda/metadata.json"]);
    let record = |root: &Path| {
        replace(root, "kernel/records.jsonl", "\"seed\":7", "\"seed\":8");
    };
    check(record, &["repo.record kernel/records.jsonl"]);
    let source = |root: &Path| {
        std::fs::write(root.join("torch-ext/row_scale/__init__.py"), "import os").unwrap();
    };
    check(source, &["repo.source torch-ext/row_scale/__init__.py"]);
}

#[test]
fn what_is_no_repo() {
    let scratch = tempfile::tempdir().unwrap();
    let error = inspect::open(scratch.path()).unwrap_err();
    assert_eq!(error.code(), "repo.none");
}
