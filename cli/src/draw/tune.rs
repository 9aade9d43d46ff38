//! What `tune` found, for people.

use ridge_pipeline::answer::{FastestAlone, Measurement, Ranked, TuneAnswer, WorkloadAnswer};

use super::paint::Paint;
use super::time;

/// Candidates of the ranking that are shown.
const SHOWN: usize = 10;

/// Draws the whole answer.
pub(crate) fn answer(paint: &Paint, answer: &TuneAnswer) -> String {
    let mut text = String::new();
    for workload in &answer.workloads {
        draw_workload(&mut text, paint, workload);
    }
    text.push_str(&format!(
        "{} for {}, on {}: {} in {}\n",
        answer.kernel,
        answer.target,
        answer.device,
        if answer.found { paint.good("tuned") } else { paint.bad("no winner") },
        time::nanoseconds(answer.wall_time_ns)
    ));
    let files = &answer.files;
    for (name, path) in [
        ("records", Some(&files.records)),
        ("matrix", files.matrix.as_ref()),
        ("report", Some(&files.report)),
    ] {
        if let Some(path) = path {
            text.push_str(&format!("  {name:<8} {path}\n"));
        }
    }
    text
}

fn draw_workload(text: &mut String, paint: &Paint, answer: &WorkloadAnswer) {
    text.push_str(&format!(
        "{}: {} of {} legal candidates evaluated, roofline {}\n",
        paint.strong(&answer.workload),
        answer.n_evaluated,
        answer.n_legal,
        time::nanoseconds(answer.roofline_ns)
    ));
    text.push_str(&format!("  stopped because {}\n", answer.stopped_because.summary));
    if let Some(prior) = &answer.prior {
        let n_used = prior.campaigns.iter().filter(|campaign| campaign.share > 0.0).count();
        let model = match prior.n_predicted {
            0 => String::new(),
            n => format!(" and {n} predictions"),
        };
        text.push_str(&format!("  begun with {n_used} earlier campaigns{model}\n"));
    }
    if let Some(pruning) = &answer.pruning {
        text.push_str(&format!(
            "  not timed: {} that cannot win, at a risk of {:.1} %, by {} earlier campaigns\n",
            pruning.n_pruned,
            pruning.risk * 100.0,
            pruning.n_campaigns
        ));
    }
    if let Some(time_ns) = answer.default_time_ns {
        text.push_str(&format!("  the default candidate: {}\n", time::nanoseconds(time_ns)));
    }
    if !answer.rejected.is_empty() {
        let causes: Vec<String> =
            answer.rejected.iter().map(|(code, count)| format!("{count} {code}")).collect();
        text.push_str(&format!("  rejected: {}\n", causes.join(", ")));
    }
    if let Some(header) = ranking_header(&answer.best) {
        text.push_str(&header);
    }
    for ranked in answer.best.iter().take(SHOWN) {
        text.push_str(&ranking_row(ranked));
    }
    if let Some(alone) = &answer.alone {
        text.push_str(&fastest_alone(paint, alone));
    }
    for refused in &answer.refused_finalists {
        text.push_str(&format!(
            "  {} {} on `{}`: {}\n",
            paint.bad("refused"),
            refused.candidate,
            refused.workload,
            refused.rejection.summary()
        ));
    }
}

fn ranking_header(best: &[Ranked]) -> Option<String> {
    let first = best.first()?;
    let names: Vec<&str> = first.candidate.iter().map(|(name, _)| name).collect();
    let columns = match &first.measurement {
        Some(_) => " measured     ±  of copy  roofline      alone",
        None => "predicted  roofline  limited by      ",
    };
    Some(format!("  {columns}  {}\n", names.join("  ")))
}

fn ranking_row(ranked: &Ranked) -> String {
    let values: Vec<String> = ranked
        .candidate
        .iter()
        .map(|(name, value)| format!("{:<width$}", value.to_string(), width = name.chars().count()))
        .collect();
    let time = time::nanoseconds(ranked.time_ns);
    let roofline = time::percent(ranked.fraction_of_roofline);
    let columns = match &ranked.measurement {
        Some(measurement) => format!(
            "{time:>9} {:>5}  {:>7}  {roofline:>8}  {:>9}",
            time::percent(half_width(measurement, ranked.time_ns)),
            time::percent(measurement.copy_ns as f64 / ranked.time_ns.max(1) as f64),
            measurement.alone_ns.map_or_else(String::new, time::nanoseconds),
        ),
        None => {
            let limit = ranked.prediction.as_ref().map(|it| it.limiting.to_string());
            format!("{time:>9}  {roofline:>8}  {:<16}", limit.unwrap_or_default())
        }
    };
    format!("  {columns}  {}\n", values.join("  ").trim_end())
}

/// The second winner, which need not be among the candidates that are shown.
fn fastest_alone(paint: &Paint, alone: &FastestAlone) -> String {
    let instead = alone.chain_winner_ns.map_or_else(String::new, |winner_ns| {
        format!(" instead of {}", time::nanoseconds(winner_ns))
    });
    format!(
        "  {}: {}{instead}  {}\n",
        paint.strong("fastest alone"),
        time::nanoseconds(alone.time_ns),
        alone.candidate
    )
}

/// Half the width of the median's interval, as a share of the median.
fn half_width(measurement: &Measurement, time_ns: u64) -> f64 {
    let width = measurement.interval.high_ns.saturating_sub(measurement.interval.low_ns);
    width as f64 / 2.0 / time_ns.max(1) as f64
}

#[cfg(test)]
mod tests {
    use ridge_spec::digest::Digest;
    use ridge_spec::space::Candidate;

    use super::{FastestAlone, Paint, fastest_alone};

    #[track_caller]
    fn check(chain_winner_ns: Option<u64>, expected: &str) {
        let alone = FastestAlone {
            candidate: Candidate::parse("early=0,threads=64").unwrap(),
            time_ns: 2404,
            interval_ns: (2380, 2420),
            chain_winner_ns,
            artifact: Digest::of(b"artifact"),
        };
        assert_eq!(fastest_alone(&Paint::new(false), &alone), expected);
    }

    #[test]
    fn the_second_winner_has_a_line_of_its_own() {
        check(Some(2516), "  fastest alone: 2.40 µs instead of 2.52 µs  early=0,threads=64\n");
        check(None, "  fastest alone: 2.40 µs  early=0,threads=64\n");
    }
}
