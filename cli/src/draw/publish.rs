//! What `publish` wrote, for people.

use crate::commands::publish::PublishAnswer;

use super::hub;
use super::paint::Paint;
use super::time;

/// Draws the whole answer.
pub(crate) fn answer(paint: &Paint, answer: &PublishAnswer) -> String {
    let mut text = String::new();
    for entry in &answer.entries {
        let roofline = entry.fraction_of_roofline.map_or_else(String::new, |fraction| {
            format!(", {} of roofline", time::percent(fraction))
        });
        text.push_str(&format!(
            "  {} on {}: {} {}{roofline}  {}\n",
            paint.strong(&entry.workload),
            entry.device,
            entry.basis,
            time::nanoseconds(entry.median_ns),
            paint.faint(&entry.candidate)
        ));
        if let Some(alone) = &entry.alone {
            text.push_str(&format!(
                "    alone: {}  {}\n",
                time::nanoseconds(alone.median_ns),
                paint.faint(&alone.candidate)
            ));
        }
    }
    let verb = match (answer.dry_run, answer.changed.len() + answer.removed.len()) {
        (_, 0) => "unchanged",
        (true, _) => "would be published",
        (false, _) => "published",
    };
    let place = answer.folder.as_ref().map(|it| format!(" in `{it}`")).unwrap_or_default();
    let second = match answer.n_alone {
        0 => String::new(),
        n_alone => format!(", {n_alone} of them with a second kernel for calls alone"),
    };
    let verb = if answer.hub.is_some() { "gathered" } else { verb };
    text.push_str(&format!(
        "{} version {} {}: {} entries{second}, {} default kernels, {} artifacts; {} files, {} bytes{}\n",
        answer.kernel,
        answer.version,
        paint.good(verb),
        answer.entries.len(),
        answer.n_defaults,
        answer.n_artifacts,
        answer.n_files,
        answer.n_bytes,
        place
    ));
    if answer.n_predicted > 0 {
        text.push_str(&format!(
            "{} of the entries are predictions, and the card says so\n",
            answer.n_predicted
        ));
    }
    if let Some(pushed) = &answer.hub {
        text.push_str(&hub::pushed(paint, pushed));
        return text;
    }
    if !answer.changed.is_empty() || !answer.removed.is_empty() {
        text.push_str(&format!(
            "  {} files written, {} removed; module {}\n",
            answer.changed.len(),
            answer.removed.len(),
            answer.id
        ));
    }
    text
}
