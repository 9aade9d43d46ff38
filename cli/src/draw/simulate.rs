//! What `simulate` found, for people.

pub(crate) mod cost_model;

use ridge_pipeline::simulate::{LandscapeAnswer, Performance, SimulateAnswer};

use super::paint::Paint;
use super::time;

/// Characters of a landscape's device that are shown.
const DEVICE: usize = 30;

/// Draws the whole answer; with `each`, every landscape's rows.
pub(crate) fn answer(paint: &Paint, answer: &SimulateAnswer, each: bool) -> String {
    let mut text = String::new();
    for landscape in &answer.landscapes {
        text.push_str(&landscape_line(landscape));
    }
    text.push('\n');
    if each {
        for (place, landscape) in answer.landscapes.iter().enumerate() {
            text.push_str(&header(paint, answer, &name(landscape)));
            for strategy in &answer.strategies {
                text.push_str(&row(answer, &strategy.strategy, &strategy.per_landscape[place]));
            }
            text.push('\n');
        }
    }
    let title = format!(
        "mean over {} landscapes, {} seeds{}",
        answer.landscapes.len(),
        answer.seeds,
        if answer.batch > 1 { format!(", {} at a time", answer.batch) } else { String::new() }
    );
    text.push_str(&header(paint, answer, &title));
    for strategy in &answer.strategies {
        text.push_str(&row(answer, &strategy.strategy, &strategy.overall));
    }
    text.push_str(&paint.faint(
        "fraction of the optimum (median over seeds) and share of runs within 5 % of it, after so \
         many evaluations;\nscore: 0 is random search, 1 the optimum at once; * over fewer \
         evaluations than the score asks for; to 1 %: evaluations until within 1 % of the optimum, \
         the median over seeds and landscapes\n",
    ));
    if let Some(best) = answer.strategies.first() {
        text.push_str(&format!(
            "\nbest: {}, {}; {:.3} of the optimum on average over {} evaluations\n",
            paint.strong(&best.strategy),
            best.summary,
            best.overall.area,
            answer.budget
        ));
    }
    if let Some(plot) = &answer.plot {
        text.push_str(&format!("plot: {plot}\n"));
    }
    text
}

fn name(landscape: &LandscapeAnswer) -> String {
    let device: String = landscape.device.chars().take(DEVICE).collect();
    let workload = if landscape.workload.is_empty() {
        String::new()
    } else {
        format!(", {}", landscape.workload)
    };
    format!("{} on {device}{workload}", landscape.kernel)
}

fn landscape_line(landscape: &LandscapeAnswer) -> String {
    let mut line = format!(
        "{}: {} candidates, {} failed, {} within 5 % of {}",
        name(landscape),
        landscape.n_candidates,
        landscape.n_failed,
        landscape.n_close,
        time::nanoseconds(landscape.optimum_ns)
    );
    if !landscape.prior_sources.is_empty() {
        line.push_str(&format!(", prior from {} campaigns", landscape.prior_sources.len()));
    }
    if let Some(reason) = &landscape.suspect {
        line.push_str(&format!("; doubted: {reason}"));
    }
    line.push('\n');
    line
}

fn header(paint: &Paint, answer: &SimulateAnswer, title: &str) -> String {
    let columns: String = answer.checkpoints.iter().map(|at| format!("  {:>12}", at)).collect();
    format!("{}\n  {:<12}{columns}   score  to 1 %\n", paint.strong(title), "evaluations")
}

fn row(answer: &SimulateAnswer, name: &str, performance: &Performance) -> String {
    let mut line = format!("  {name:<12}");
    for place in 0..answer.checkpoints.len() {
        match performance.reached.get(place) {
            Some(reached) => line.push_str(&format!(
                "  {:.3} {:>4.0} %",
                reached.fraction,
                reached.close_share * 100.0
            )),
            None => line.push_str(&format!("  {:>12}", "-")),
        }
    }
    match &performance.community {
        Some(community) => {
            let mark = if community.complete { " " } else { "*" };
            line.push_str(&format!("  {:>5.2}{mark}", community.score));
        }
        None => line.push_str("      - "),
    }
    match performance.to_one_percent {
        Some(evaluations) => line.push_str(&format!("  {evaluations:>6}")),
        None => line.push_str("       -"),
    }
    format!("{}\n", line.trim_end())
}
