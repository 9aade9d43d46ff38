//! What `verify-repo` found, for people.

use ridge_pipeline::publish::verify::PublishedCheck;
use ridge_spec::record::BlocksVerified;

use crate::commands::verify_repo::VerifyAnswer;

use super::paint::Paint;

/// Draws the whole answer.
pub(crate) fn answer(paint: &Paint, answer: &VerifyAnswer) -> String {
    let mut text = String::new();
    for entry in &answer.entries {
        text.push_str(&row(paint, entry));
    }
    for problem in &answer.problems {
        text.push_str(&format!(
            "{} {}: {}  {}\n",
            paint.bad("wrong"),
            paint.strong(&problem.subject),
            problem.message,
            paint.faint(problem.code)
        ));
    }
    let verdict =
        if answer.passed { paint.good("verified") } else { paint.bad("not as published") };
    let ran = match answer.entries.len() {
        0 => "nothing was run".to_owned(),
        count => format!("{count} entries run on {}", answer.device),
    };
    text.push_str(&format!(
        "{} {verdict}: {} files in {}, {} artifacts, {ran}, {} problems\n",
        answer.kernel,
        answer.n_files,
        answer.variants.join(" and "),
        answer.n_artifacts,
        answer.problems.len()
    ));
    text
}

fn row(paint: &Paint, check: &PublishedCheck) -> String {
    let verdict = if check.passed { paint.good("pass") } else { paint.bad("FAIL") };
    let passed = check.workloads.iter().filter_map(|own| own.verification.as_ref());
    let (mut worst, mut sampled) = (0.0_f64, false);
    for summary in passed {
        worst = worst.max(summary.worst_error);
        sampled |= matches!(summary.blocks, BlocksVerified::Sampled(_));
    }
    let names: Vec<&str> = check.workloads.iter().map(|own| own.workload.as_str()).collect();
    let sampled = if sampled { ", blocks sampled on the largest" } else { "" };
    format!(
        "  {verdict} {}: on {}; worst error {worst:.2} of tolerance{sampled}\n",
        check.entry,
        names.join(", ")
    )
}
