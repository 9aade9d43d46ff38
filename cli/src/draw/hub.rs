//! What is on the Hub, and what went there, for people.

use std::collections::{BTreeMap, BTreeSet};

use ridge_hub_publish::hub::{Card, Existing, ExistingVariant, Listing, Pushed};

use super::paint::Paint;

/// Paths of a publication that are shown one by one.
const SHOWN: usize = 12;

/// Draws what a search found.
pub(crate) fn listing(paint: &Paint, listing: &Listing) -> String {
    let mut text = String::new();
    for existing in &listing.found {
        repo(&mut text, paint, existing);
    }
    if listing.found.is_empty() {
        text.push_str(&format!("no kernel called `{}` on the Hub\n", listing.query));
    }
    if !listing.not_shown.is_empty() {
        text.push_str(&format!("not looked into: {}\n", listing.not_shown.join(", ")));
    }
    notes(&mut text, paint, &listing.notes);
    text
}

fn notes(text: &mut String, paint: &Paint, notes: &[String]) {
    for note in notes {
        text.push_str(&format!("{}: {note}\n", paint.faint("note")));
    }
}

fn repo(text: &mut String, paint: &Paint, existing: &Existing) {
    let mut facts = Vec::new();
    if existing.private {
        facts.push("private".to_owned());
    }
    facts.extend(
        existing
            .last_modified
            .as_ref()
            .map(|time| format!("last changed {}", time.split('T').next().unwrap_or(time))),
    );
    facts.extend(existing.downloads.map(|count| format!("{count} downloads")));
    let trust = match existing.trusted_publisher {
        Some(true) => Some("trusted publisher"),
        Some(false) => Some("needs `trust_remote_code`"),
        None => None,
    };
    facts.extend(trust.map(ToOwned::to_owned));
    text.push_str(&format!(
        "{}  {}\n",
        paint.strong(existing.id.to_string().as_str()),
        facts.join(", ")
    ));
    text.push_str(&format!("  {}\n", existing.url));
    if existing.versions.is_empty() {
        text.push_str("  no version\n");
    }
    for version in existing.versions.iter().rev() {
        let name = format!("v{}", version.version);
        let mut lines = lines(paint, &version.variants);
        if lines.is_empty() {
            lines.push("empty".to_owned());
        }
        for (index, line) in lines.iter().enumerate() {
            let name = if index == 0 { name.as_str() } else { "" };
            text.push_str(&format!("  {name:<4} {line}\n"));
        }
    }
}

/// A line for each build that runs with every torch, and one for all others.
fn lines(paint: &Paint, variants: &[ExistingVariant]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut bound: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut n_bound = 0_usize;
    for variant in variants {
        match &variant.made_for {
            Some(made_for) if made_for.framework.is_some() => {
                n_bound += 1;
                let versions = bound.entry(made_for.backend.as_str()).or_default();
                versions.extend(made_for.backend_version.as_deref());
            }
            Some(_) => lines.push(build(paint, variant)),
            None => lines.push(format!("{}  no build that `kernels` knows", variant.name)),
        }
    }
    if n_bound > 0 {
        let backends: Vec<String> = bound
            .into_iter()
            .map(|(backend, versions)| {
                let versions: Vec<&str> = versions.into_iter().collect();
                format!("{backend} {}", versions.join(" ")).trim_end().to_owned()
            })
            .collect();
        let builds = if n_bound == 1 { "build" } else { "builds" };
        let backends = backends.join(", ");
        lines.push(format!("{n_bound} {builds} for certain versions of torch: {backends}"));
    }
    lines
}

fn build(paint: &Paint, variant: &ExistingVariant) -> String {
    let mut facts = Vec::new();
    if !variant.architectures.is_empty() {
        facts.push(format!("for {}", variant.architectures.join(" ")));
    }
    facts.extend(variant.license.clone());
    if variant.tuned_matrix {
        facts.push(paint.good("tuned by Ridge"));
    } else if variant.by_ridge {
        facts.push("by Ridge".to_owned());
    }
    format!("{}  {}", variant.name, facts.join(", ")).trim_end().to_owned()
}

/// Draws what a publication did, or would do.
pub(crate) fn pushed(paint: &Paint, pushed: &Pushed) -> String {
    let mut text = String::new();
    let (will, verb) = if pushed.dry_run { ("would be ", "would ") } else { ("", "") };
    if pushed.repo_created {
        text.push_str(&format!("repo `{}` {will}created\n", pushed.repo));
    }
    if pushed.branch_created {
        text.push_str(&format!("branch `{}` {will}created\n", pushed.branch));
    }
    let n_files = pushed.changed.len();
    if n_files > 0 {
        text.push_str(&format!(
            "{n_files} file{} {will}sent ({}), {} there already\n",
            if n_files == 1 { "" } else { "s" },
            bytes(pushed.n_bytes_changed),
            pushed.n_unchanged
        ));
        paths(&mut text, "+", &pushed.changed);
    }
    if !pushed.deleted.is_empty() {
        text.push_str(&format!("{} {will}deleted\n", pushed.deleted.len()));
        paths(&mut text, "-", &pushed.deleted);
    }
    match pushed.card {
        Card::Written => text.push_str(&format!("card {will}written to `main`\n")),
        Card::Kept => text.push_str("card of a newer version kept on `main`\n"),
        Card::Unchanged | Card::None => {}
    }
    if pushed.tag.created {
        text.push_str(&format!("tag `{}` {will}created\n", pushed.tag.name));
    }
    notes(&mut text, paint, &pushed.notes);
    let at = pushed.commit.as_deref().and_then(|commit| commit.get(..12));
    let at = at.map(|commit| format!(" at {commit}")).unwrap_or_default();
    let outcome = match (pushed.is_unchanged(), pushed.dry_run) {
        (true, _) => format!("unchanged: {} has all of this{at}", pushed.branch),
        (false, true) => format!("nothing was written; `{}` {verb}change", pushed.branch),
        (false, false) => paint.good(&format!("published as {}{at}", pushed.branch)),
    };
    text.push_str(&format!("{outcome}\n  {}\n", pushed.url));
    if !pushed.dry_run {
        let number = pushed.branch.trim_start_matches('v');
        text.push_str(&format!(
            "  kernels.get_kernel(\"{}\", version={number}, trust_remote_code=True)\n",
            pushed.repo
        ));
    }
    text
}

/// Every path, or, where they are many, how many there are in each folder.
fn paths(text: &mut String, sign: &str, paths: &[String]) {
    if paths.len() <= SHOWN {
        for path in paths {
            text.push_str(&format!("  {sign} {path}\n"));
        }
        return;
    }
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for path in paths {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *folders.entry(folder).or_default() += 1;
    }
    for (folder, count) in folders {
        let folder = if folder.is_empty() { "." } else { folder };
        text.push_str(&format!("  {sign} {count:>4} in {folder}\n"));
    }
}

/// `1.2 MB`.
pub(crate) fn bytes(count: u64) -> String {
    let (unit, name) = match count {
        0..1_000 => return format!("{count} B"),
        1_000..1_000_000 => (100, "kB"),
        1_000_000..1_000_000_000 => (100_000, "MB"),
        _ => (100_000_000, "GB"),
    };
    let tenths = count / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let shown: Vec<String> = [0, 999, 1000, 1_250_000, 7_000_000_000].map(bytes).to_vec();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.2 MB", "7.0 GB"]);
    }
}
