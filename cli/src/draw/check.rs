//! What `check` found, for people.

use std::fmt::Write as _;

use ridge_pipeline::answer::{CandidateCheck, CheckAnswer, Verdict, WorkloadCheck};
use ridge_pipeline::folder::KernelFolder;
use ridge_spec::diagnostic::SourceLocation;
use ridge_spec::outcome::{CompilerMessage, Finding, Rejection, Severity, SourceLine};

use ridge_spec::record::BlocksVerified;

use super::paint::Paint;
use super::{diagnostic, time};

/// Draws the whole answer; `folder` has the sources that findings point into.
pub(crate) fn answer(paint: &Paint, answer: &CheckAnswer, folder: &KernelFolder) -> String {
    let mut text = String::new();
    for candidate in &answer.candidates {
        draw_candidate(&mut text, paint, candidate, folder);
    }
    let n_passed = answer.candidates.iter().filter(|candidate| candidate.passed).count();
    let verdict = if answer.passed { paint.good("passed") } else { paint.bad("rejected") };
    text.push_str(&format!(
        "{} {verdict}: {n_passed} of {} candidates, target {}, device {}\n",
        answer.kernel,
        answer.candidates.len(),
        answer.target,
        answer.device
    ));
    text
}

fn draw_candidate(text: &mut String, paint: &Paint, check: &CandidateCheck, folder: &KernelFolder) {
    text.push_str(&format!("{}\n", paint.strong(&check.candidate.to_string())));
    for workload in &check.workloads {
        draw_workload(text, paint, workload, folder);
    }
}

fn draw_workload(text: &mut String, paint: &Paint, check: &WorkloadCheck, folder: &KernelFolder) {
    let name = &check.workload;
    match &check.verdict {
        Verdict::Passed { verification } => {
            let mut line = format!(
                "  {} {name}: inputs {}; {}; worst error {:.2} of tolerance",
                paint.good("pass"),
                verification.distributions.join(", "),
                blocks(verification.blocks),
                verification.worst_error
            );
            if let (Some(prediction), Some(fraction)) =
                (&check.prediction, check.fraction_of_roofline)
            {
                // Writing to a string cannot fail.
                let _ok = write!(
                    line,
                    "; predicted {}, {} of roofline, limited by {}",
                    time::nanoseconds(prediction.time_ns),
                    time::percent(fraction),
                    prediction.limiting
                );
            }
            text.push_str(&line);
            text.push('\n');
        }
        Verdict::Illegal { reason } => {
            text.push_str(&format!("  {} {name}: {}\n", paint.faint("skip"), reason.message));
        }
        Verdict::Rejected { rejection } => {
            // A finding's place is drawn below, with its source line.
            let what = match rejection.finding() {
                Some(finding) => finding.message.clone(),
                None => rejection.summary(),
            };
            text.push_str(&format!(
                "  {} {name}: {}: {what}\n",
                paint.bad("FAIL"),
                rejection.code()
            ));
            for line in details(paint, rejection, folder).lines() {
                text.push_str(&format!("       {line}\n"));
            }
        }
    }
}

fn blocks(blocks: BlocksVerified) -> String {
    match blocks {
        BlocksVerified::All => "all blocks".to_owned(),
        BlocksVerified::Sampled(count) => format!("{count} blocks sampled"),
    }
}

/// What there is beyond the summary: source excerpts, the mismatch's distribution, the log.
fn details(paint: &Paint, rejection: &Rejection, folder: &KernelFolder) -> String {
    let mut text = String::new();
    if let Some(finding) = rejection.finding() {
        draw_finding(&mut text, paint, finding, folder);
    }
    match rejection {
        Rejection::Compile { diagnostics, .. } => {
            let errors = diagnostics.iter().filter(|m| m.severity == Severity::Error);
            for message in errors.take(5) {
                draw_compiler_message(&mut text, paint, message, folder);
            }
        }
        Rejection::Incorrect(mismatch) => text.push_str(&super::mismatch::mismatch(mismatch)),
        _ => {}
    }
    text
}

fn draw_finding(text: &mut String, paint: &Paint, finding: &Finding, folder: &KernelFolder) {
    if let Some(place) = finding.source.as_ref().and_then(|line| locate(line, folder)) {
        text.push_str(&diagnostic::excerpt(paint, &place));
    }
    for line in &finding.inlined_at {
        text.push_str(&inlined_at(line, folder));
    }
    if let Some(place) = finding.other.as_ref().and_then(|line| locate(line, folder)) {
        text.push_str(&format!("{}\n", paint.strong("the other access:")));
        text.push_str(&diagnostic::excerpt(paint, &place));
    }
    let [x, y, z] = finding.block;
    text.push_str(&format!("block ({x}, {y}, {z})"));
    if let Some([x, y, z]) = finding.thread {
        text.push_str(&format!(", thread ({x}, {y}, {z})"));
    }
    if finding.lanes != 0 {
        text.push_str(&format!(", lanes {:#010x}", finding.lanes));
    }
    match finding.occurrences {
        0 | 1 => text.push_str(", once\n"),
        many => text.push_str(&format!(", {many} times\n")),
    }
    if let Some(instruction) = &finding.instruction {
        text.push_str(&format!("PTX line {}: {}\n", instruction.line, instruction.text));
    }
    if let Some(hint) = finding.kind.hint() {
        text.push_str(&format!("{}: {hint}\n", paint.strong("hint")));
    }
}

fn draw_compiler_message(
    text: &mut String,
    paint: &Paint,
    message: &CompilerMessage,
    folder: &KernelFolder,
) {
    text.push_str(&format!("{}\n", message.message));
    if let (Some(file), Some(line)) = (&message.file, message.line)
        && let Some(place) = locate(&SourceLine { file: file.clone(), line }, folder)
    {
        text.push_str(&diagnostic::excerpt(paint, &place));
    }
}

/// Where a line was inlined, with the text of the call.
fn inlined_at(line: &SourceLine, folder: &KernelFolder) -> String {
    match locate(line, folder) {
        Some(place) => {
            format!("inlined at {}:{}: {}\n", place.file, place.line, place.text.trim())
        }
        None => format!("inlined at {}:{}\n", line.file, line.line),
    }
}

/// The line with its text, marked from its first character to its last.
fn locate(line: &SourceLine, folder: &KernelFolder) -> Option<SourceLocation> {
    let bytes = folder.files.get(&line.file)?;
    let source = String::from_utf8_lossy(bytes);
    let text = source.lines().nth(usize::try_from(line.line).ok()?.checked_sub(1)?)?;
    let indent = text.chars().take_while(|c| c.is_whitespace()).count();
    let length = text.trim().chars().count();
    Some(SourceLocation {
        file: folder.shown_name(&line.file),
        line: line.line,
        column: u32::try_from(indent + 1).ok()?,
        length: u32::try_from(length.max(1)).ok()?,
        text: text.to_owned(),
    })
}
