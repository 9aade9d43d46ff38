//! The repo as a folder: what is in it, what is refused, and that damage is found.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod alone;
mod damage;
mod fixture;

use std::collections::BTreeMap;
use std::path::Path;

use fixture::{Fixture, predicted};
use ridge_hub_publish::folder;
use ridge_hub_publish::publication::PublishError;

/// Every file of a folder by path.
pub(crate) fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(root.join(prefix)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if entry.path().is_dir() {
                walk(root, &path, files);
            } else {
                files.insert(path, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(folder, "", &mut files);
    files
}

fn text(files: &BTreeMap<String, Vec<u8>>, path: &str) -> String {
    String::from_utf8(files[path].clone()).unwrap()
}

#[test]
fn the_files() {
    let fixture = Fixture::measured();
    let (_, files) = folder::files(&fixture.publication()).unwrap();
    let names: Vec<&str> = files
        .keys()
        .map(String::as_str)
        .filter(|path| !path.contains("_ridge/") && !path.starts_with("torch-ext"))
        .collect();
    insta::assert_snapshot!("files", names.join("\n"));
    insta::assert_snapshot!("card", text(&files, "CARD.md"));
    insta::assert_snapshot!("manifest", text(&files, "build/torch-cuda/kernel.json"));
    insta::assert_snapshot!("build", text(&files, "build.toml"));
    let metadata = text(&files, "build/torch-cuda/metadata.json");
    let head: Vec<&str> = metadata.lines().filter(|line| !line.contains('/')).collect();
    let settings = [
        (r#"(_row_scale_cuda_)[0-9a-f]{7}"#, "$1[CONTENT]"),
        (r#""[A-Za-z0-9+]{43}=""#, "[DIGEST]"),
    ];
    insta::with_settings!({ filters => settings.to_vec() }, {
        insta::assert_snapshot!("metadata", head.join("\n"));
    });
}

#[test]
fn templates_are_filled_in() {
    let (_, files) = folder::files(&Fixture::measured().publication()).unwrap();
    let signature =
        "def row_scale(x: \"torch.Tensor\", factor: float = 2.0, *, out=None) -> \"torch.Tensor\":";
    for variant in ["build/torch-cuda", "build/torch-universal"] {
        let module = text(&files, &format!("{variant}/__init__.py"));
        assert!(module.contains(signature), "{module}");
        assert!(module.contains("    x: [rows, cols], bf16 or f32. What is scaled.\n"), "{module}");
        assert!(module.contains("from . import reference\n"), "{module}");
        assert!(module.contains("\"reference\", \"row_scale\", \"why\""), "{module}");
    }
    let python = files.keys().filter(|path| path.ends_with(".py"));
    for path in python {
        let text = text(&files, path);
        let words = ["kernel", "function", "description", "parameters", "arguments", "returns"];
        let more = ["documentation", "imports", "exports", "workloads"];
        for word in words.iter().chain(&more) {
            assert!(!text.contains(&format!("@{word}@")), "{path}: @{word}@");
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, two) = (scratch.path().join("one"), scratch.path().join("two"));
    for folder in [&one, &two] {
        folder::write(&Fixture::measured().publication(), folder, false).unwrap();
    }
    assert_eq!(read_all(&one), read_all(&two));
}

#[test]
fn another_content_is_another_module() {
    let first = folder::files(&Fixture::measured().publication()).unwrap().0;
    let mut other = Fixture::measured();
    other.spec.description.push('!');
    let second = folder::files(&other.publication()).unwrap().0;
    assert!(first.starts_with("_row_scale_cuda_") && first.len() == "_row_scale_cuda_".len() + 7);
    assert_ne!(first, second);
}

#[test]
fn an_earlier_version_is_brought_up_to_date() {
    let scratch = tempfile::tempdir().unwrap();
    let fixture = Fixture::measured();
    let first = folder::write(&fixture.publication(), scratch.path(), false).unwrap();
    assert_eq!(first.changed.len(), first.files.len());
    let again = folder::write(&fixture.publication(), scratch.path(), false).unwrap();
    assert!(again.changed.is_empty() && again.removed.is_empty(), "{again:?}");
    let stale = scratch.path().join("build/torch-cuda/ptx/00000000.ptx");
    std::fs::write(&stale, "").unwrap();
    std::fs::write(scratch.path().join("CARD.md"), "edited").unwrap();
    let dry = folder::write(&fixture.publication(), scratch.path(), true).unwrap();
    assert!(stale.exists());
    let wet = folder::write(&fixture.publication(), scratch.path(), false).unwrap();
    assert_eq!(dry, wet);
    assert_eq!(wet.changed, ["CARD.md"]);
    assert_eq!(wet.removed, ["build/torch-cuda/ptx/00000000.ptx"]);
    assert!(!stale.exists());
}

/// Checks the code, message and hint of a refusal.
#[track_caller]
fn refused(fixture: &Fixture, expected: &str) {
    let error = folder::files(&fixture.publication()).unwrap_err();
    assert_eq!(shown(&error), expected);
}

fn shown(error: &PublishError) -> String {
    let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
    format!("{}: {error}{hint}", error.code())
}

#[test]
fn predictions_are_published_only_where_that_is_asked_for() {
    let mut fixture = Fixture::new(predicted);
    refused(
        &fixture,
        "publish.predicted: 2 of 2 entries of `row-scale` are predicted, not measured; measure them \
         with `ridge tune --device cuda:0`, or publish them as predictions with `--predicted`",
    );
    fixture.options.allow_predicted = true;
    let (_, files) = folder::files(&fixture.publication()).unwrap();
    let card = text(&files, "CARD.md");
    assert!(card.contains("> **Predicted, not measured.** 2 of 2 entries"), "{card}");
    assert!(card.contains("*predicted*"), "{card}");
}

#[test]
fn a_folder_of_somebody_else_is_not_touched() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("thesis.tex"), "").unwrap();
    let error = folder::write(&Fixture::measured().publication(), scratch.path(), false);
    assert_eq!(error.unwrap_err().code(), "publish.folder");
    assert_eq!(read_all(scratch.path()).len(), 1);
}

#[test]
fn what_does_not_fit_is_refused() {
    let empty =
        Fixture::new(|record| ridge_spec::record::TuningRecord { verification: None, ..record });
    refused(
        &empty,
        "publish.empty: there is no winner of `row-scale` to publish; `ridge tune` makes winners; \
         `ridge report` shows what was rejected",
    );
    let launched = Fixture::new(|mut record| {
        if let Some(launch) = &mut record.launch {
            launch.grid[0] += 1;
        }
        record
    });
    refused(
        &launched,
        "publish.entry: the entry for `small on NVIDIA H200` cannot be published: the spec launches it \
         otherwise than its record says",
    );
    let mut chain = Fixture::measured();
    chain.spec.name = ridge_spec::kernel::KernelName::parse("chain").unwrap();
    refused(
        &chain,
        "publish.interface: `chain` of `chain` cannot be published: the published module has something \
         else of that name; the published function learns extents and types from its tensors",
    );
    let mut named = Fixture::measured();
    let x = named.spec.inputs.shift_remove("factor").unwrap();
    named.spec.inputs.insert("out".to_owned(), x);
    refused(
        &named,
        "publish.interface: `out` of `row-scale` cannot be published: the function's own argument for \
         the outputs has that name; the published function learns extents and types from its tensors",
    );
}
