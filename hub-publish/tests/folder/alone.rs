//! A shape with two winners: one in a chain, another alone.

use ridge_hub_publish::folder;
use ridge_spec::matrix::Matrix;
use serde_json::Value;

use super::damage::{CUDA, check_of, replace, sign_again};
use super::fixture::{Fixture, with_alone};
use super::text;

/// Checks what is wrong with a damaged repo whose large workload has two winners.
#[track_caller]
fn check(damage: impl Fn(&std::path::Path), expected: &[&str]) {
    check_of(&Fixture::with_second_winner(), damage, expected);
}

#[test]
fn a_second_winner_has_an_entry_of_its_own() {
    let (_, files) = folder::files(&Fixture::with_second_winner().publication()).unwrap();
    let manifest: Value =
        serde_json::from_str(&text(&files, "build/torch-cuda/kernel.json")).unwrap();
    let shown: Vec<String> = manifest["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            format!(
                "{} {} {} {} {} programmatic {}",
                entry["rule"],
                entry["workload"],
                entry.get("situation").unwrap_or(&Value::String("-".to_owned())),
                entry["candidate"],
                entry["median_ns"],
                entry["launch"]["programmatic"]
            )
        })
        .collect();
    insta::assert_snapshot!("alone_entries", shown.join("\n"));
    insta::assert_snapshot!("alone_card", text(&files, "CARD.md"));
    let toml = text(&files, "build/torch-cuda/configs/tuned.toml");
    assert!(toml.contains("[entry.alone]"), "{toml}");
    assert_eq!(Matrix::parse("tuned.toml", &toml).unwrap().to_toml(), toml);
    let json: Value =
        serde_json::from_str(&text(&files, "build/torch-cuda/configs/tuned.json")).unwrap();
    assert_eq!(json["entry"][1]["alone"]["median_ns"], 32_050, "{json}");
    let cubins = files.keys().filter(|path| path.starts_with("build/torch-cuda/cubin/")).count();
    assert_eq!(cubins, 4);
}

#[test]
fn times_alone_without_a_second_winner_are_in_the_card_only() {
    let fixture = Fixture::new(|record| with_alone(record, 40_000));
    let (_, files) = folder::files(&fixture.publication()).unwrap();
    let card = text(&files, "CARD.md");
    assert!(card.contains("| copy of the same bytes | alone |"), "{card}");
    assert!(card.contains("| 40.00 µs |\n"), "{card}");
    assert!(!card.contains("second kernel") && !card.contains(".chain()"), "{card}");
    assert!(!text(&files, "build/torch-cuda/kernel.json").contains("situation"));
}

#[test]
fn a_whole_repo_has_no_problems() {
    check(|_| {}, &[]);
}

#[test]
fn an_edited_second_winner() {
    let candidate = |root: &std::path::Path| {
        let path = format!("{CUDA}/configs/tuned.toml");
        let text = std::fs::read_to_string(root.join(&path)).unwrap();
        let (before, alone) = text.split_once("[entry.alone]").unwrap();
        let alone = alone.replacen("rows_per_block = 4", "rows_per_block = 2", 1);
        std::fs::write(root.join(path), format!("{before}[entry.alone]{alone}")).unwrap();
    };
    check(
        candidate,
        &[
            "repo.digest build/torch-cuda/configs/tuned.toml",
            "repo.matrix large on NVIDIA H200, alone",
        ],
    );
    let faster = |root: &std::path::Path| {
        let path = format!("{CUDA}/configs/tuned.toml");
        replace(
            root,
            &path,
            "median_ns = 32050\ninterval_ns = [32042",
            "median_ns = 900\ninterval_ns = [890",
        );
        sign_again(root);
    };
    check(faster, &["repo.matrix large on NVIDIA H200, alone"]);
    let artifact = |root: &std::path::Path| {
        let path = format!("{CUDA}/configs/tuned.toml");
        let text = std::fs::read_to_string(root.join(&path)).unwrap();
        let digests: Vec<&str> =
            text.lines().filter(|line| line.starts_with("artifact = ")).collect();
        assert_eq!(digests.len(), 3, "{text}");
        std::fs::write(root.join(&path), text.replace(digests[2], digests[1])).unwrap();
        sign_again(root);
    };
    check(artifact, &["repo.matrix large on NVIDIA H200, alone"]);
}

#[test]
fn a_second_winner_that_is_left_out() {
    let matrix = |root: &std::path::Path| {
        let path = format!("{CUDA}/configs/tuned.toml");
        let text = std::fs::read_to_string(root.join(&path)).unwrap();
        let before = text.split_once("\n[entry.alone]").unwrap().0;
        std::fs::write(root.join(path), before).unwrap();
    };
    check(
        matrix,
        &[
            "repo.digest build/torch-cuda/configs/tuned.toml",
            "repo.manifest build/torch-cuda/kernel.json",
        ],
    );
    let record = |root: &std::path::Path| {
        let path = root.join("kernel/records.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().take(2).collect();
        std::fs::write(path, format!("{}\n", lines.join("\n"))).unwrap();
    };
    check(record, &["repo.matrix large on NVIDIA H200, alone"]);
}

#[test]
fn another_situation_or_launch() {
    let manifest = format!("{CUDA}/kernel.json");
    let both = |root: &std::path::Path| {
        replace(root, &manifest, "      \"situation\": \"alone\",\n", "");
    };
    check(
        both,
        &["repo.manifest large on NVIDIA H200", "repo.digest build/torch-cuda/kernel.json"],
    );
    let unknown = |root: &std::path::Path| {
        replace(root, &manifest, "\"situation\": \"alone\"", "\"situation\": \"rain\"");
    };
    check(unknown, &["repo.manifest build/torch-cuda/kernel.json"]);
}
