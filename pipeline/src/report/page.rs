//! The page around the figures.

use ridge_autotune::cost::{Work, roofline};
use ridge_runtime::profiles;

use super::model::{Campaign, Evaluation, EvaluationVerdict, Workload};
use super::svg::escape;
use super::{against, charts, pairs};

/// Candidates in the ranking table.
const RANKED: usize = 20;

/// The whole page; nothing in it is fetched from anywhere.
pub(crate) fn render(campaign: &Campaign) -> String {
    let mut body = format!(
        "<h1>{} on {}</h1>\n<p class=\"sub\">{}; spec {}; {}; ridge {}</p>\n",
        escape(&campaign.kernel),
        escape(&campaign.profile),
        escape(&campaign.device),
        escape(&campaign.spec),
        escape(&campaign.toolkit),
        escape(&campaign.tool_version)
    );
    for workload in &campaign.workloads {
        body.push_str(&section(campaign, workload));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
         name=\"viewport\" content=\"width=device-width\">\n<title>{} on {}</title>\n<style>\n{}\
         </style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(&campaign.kernel),
        escape(&campaign.profile),
        include_str!("page.css")
    )
}

fn section(campaign: &Campaign, workload: &Workload) -> String {
    let profile = profiles::builtin(&campaign.profile);
    let roofline_ns = profile.map(|profile| roofline(&work(workload), true, profile).physical_ns);
    let mut html = format!(
        "<h2>{}</h2>\n<p class=\"sub\"><code>{}</code></p>\n",
        escape(&workload.name),
        escape(&workload.shape)
    );
    html.push_str(&cards(workload, roofline_ns));
    if let Some(roofline_ns) = roofline_ns {
        html.push_str("<h3>Convergence</h3>\n");
        html.push_str(&figure("", &charts::convergence(workload, roofline_ns)));
    }
    if let Some(chart) = profile.and_then(|profile| charts::roofline(workload, profile)) {
        html.push_str("<h3>Roofline</h3>\n");
        html.push_str(&figure("", &chart));
    }
    let ranking = workload.ranking();
    if let Some(chart) = charts::terms(&ranking) {
        html.push_str("<h3>What limits the best candidate</h3>\n");
        html.push_str(&figure("", &chart));
    }
    let effects = charts::main_effects(workload);
    if !effects.is_empty() {
        html.push_str(
            "<h3>Parameter effects</h3>\n<p class=\"sub\">box: the middle half of the candidates \
             with the value; dot: the fastest</p>\n<div class=\"figures\">\n",
        );
        for (name, chart) in effects {
            html.push_str(&figure(&name, &chart));
        }
        html.push_str("</div>\n");
    }
    html.push_str(&pair_maps(workload));
    html.push_str(&prediction(workload));
    html.push_str(&ranking_table(workload, roofline_ns));
    html.push_str(&rejection_table(workload));
    html
}

fn pair_maps(workload: &Workload) -> String {
    let maps = pairs::pairs(workload);
    if maps.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<h3>Pairs of parameters</h3>\n<p class=\"sub\">the fastest candidate with both values, \
         percent above the best; the pairs that depend on each other most</p>\n<div \
         class=\"figures\">\n",
    );
    for (caption, chart) in maps {
        html.push_str(&figure(&caption, &chart));
    }
    html.push_str("</div>\n");
    html
}

fn prediction(workload: &Workload) -> String {
    let Some(against) = against::against(workload) else { return String::new() };
    format!(
        "<h3>Prediction against measurement</h3>\n<p class=\"sub\">Kendall's tau {:.2}; the \
         candidate predicted fastest is {:.1} % slower than the best</p>\n{}",
        against.tau,
        against.regret * 100.0,
        figure("", &against.chart)
    )
}

/// The physical floor does not ask which bytes are read and which are written.
fn work(workload: &Workload) -> Work {
    Work { read_bytes: workload.bytes_min, written_bytes: 0, flops: workload.flops }
}

fn figure(caption: &str, chart: &str) -> String {
    format!("<figure><figcaption>{}</figcaption>{chart}</figure>\n", escape(caption))
}

fn card(value: &str, name: &str) -> String {
    format!("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", escape(value), escape(name))
}

#[expect(clippy::cast_precision_loss, reason = "numbers are shown with three digits")]
fn cards(workload: &Workload, roofline_ns: Option<f64>) -> String {
    let best = workload.ranking().first().and_then(|evaluation| evaluation.time_ns());
    let timed = workload.ranking().len();
    let mut html = String::from("<div class=\"cards\">\n");
    if let Some(best) = best {
        html.push_str(&card(&format!("{:.2} µs", best as f64 / 1e3), "best"));
        if let Some(roofline_ns) = roofline_ns {
            let share = roofline_ns / best.max(1) as f64 * 100.0;
            html.push_str(&card(&format!("{share:.1} %"), "of roofline"));
        }
        let rate = workload.bytes_min as f64 / best.max(1) as f64;
        html.push_str(&card(&format!("{rate:.0} GB/s"), "least bytes over its time"));
    }
    if let Some(alone) = &workload.fastest_alone {
        let time = format!("{:.2} µs", alone.median_ns as f64 / 1e3);
        html.push_str(&card(&time, "alone, by another candidate"));
    }
    let refused = workload.evaluations.len() - timed;
    html.push_str(&card(&timed.to_string(), "candidates ranked"));
    html.push_str(&card(&refused.to_string(), "rejected"));
    let phases = workload.evaluations.iter().map(|evaluation| evaluation.phases);
    let total = phases.fold([0; 3], |[compile, verify, measure], phase| {
        [compile + phase.compile_ns, verify + phase.verify_ns, measure + phase.measure_ns]
    });
    let names = ["compiling, all processes", "running and checking", "on the GPU"];
    for (total_ns, name) in total.into_iter().zip(names).filter(|(total_ns, _)| *total_ns > 0) {
        html.push_str(&card(&format!("{:.1} s", total_ns as f64 / 1e9), name));
    }
    html.push_str("</div>\n");
    html
}

#[expect(clippy::cast_precision_loss, reason = "numbers are shown with three digits")]
fn ranking_table(workload: &Workload, roofline_ns: Option<f64>) -> String {
    let ranking = workload.ranking();
    let Some(first) = ranking.first() else { return String::new() };
    let any_alone = ranking.iter().any(|evaluation| evaluation.alone_ns.is_some());
    let mut html = String::from("<h3>Best candidates</h3>\n");
    html.push_str(&fastest_alone(workload, first));
    html.push_str(
        "<div class=\"scroll\"><table>\n<tr><th class=\"number\">µs</th><th \
         class=\"number\">of roofline</th><th>limited by</th>",
    );
    if any_alone {
        html.push_str("<th class=\"number\">alone, µs</th>");
    }
    for (name, _) in first.candidate.iter() {
        html.push_str(&format!("<th>{}</th>", escape(name)));
    }
    html.push_str("</tr>\n");
    for evaluation in ranking.iter().take(RANKED) {
        let EvaluationVerdict::Timed { time_ns, limiting, .. } = &evaluation.verdict else {
            continue;
        };
        let share = roofline_ns.map_or_else(String::new, |roofline_ns| {
            format!("{:.1} %", roofline_ns / (*time_ns).max(1) as f64 * 100.0)
        });
        html.push_str(&format!(
            "<tr><td class=\"number\">{:.2}</td><td class=\"number\">{share}</td><td>{}</td>",
            *time_ns as f64 / 1e3,
            escape(limiting.as_deref().unwrap_or(""))
        ));
        if any_alone {
            let alone = evaluation.alone_ns.map(|ns| format!("{:.2}", ns as f64 / 1e3));
            html.push_str(&format!("<td class=\"number\">{}</td>", alone.unwrap_or_default()));
        }
        for (_, value) in evaluation.candidate.iter() {
            html.push_str(&format!("<td>{}</td>", escape(&value.to_string())));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
    html
}

/// The second winner, which may be further down than the table goes.
#[expect(clippy::cast_precision_loss, reason = "numbers are shown with three digits")]
fn fastest_alone(workload: &Workload, first: &Evaluation) -> String {
    let Some(alone) = &workload.fastest_alone else { return String::new() };
    let instead = first.alone_ns.map_or_else(String::new, |ns| {
        format!(", and the best of the table {:.2} µs", ns as f64 / 1e3)
    });
    format!(
        "<p class=\"sub\">Fastest alone, behind a kernel that triggers nothing: \
         <code>{}</code>, which takes {:.2} µs there{instead}.</p>\n",
        escape(&alone.candidate.to_string()),
        alone.median_ns as f64 / 1e3
    )
}

fn rejection_table(workload: &Workload) -> String {
    let rejections = workload.rejections();
    if rejections.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<h3>Rejected candidates</h3>\n<div class=\"scroll\"><table>\n<tr><th>cause</th><th \
         class=\"number\">candidates</th><th>the first of them</th></tr>\n",
    );
    for (code, (count, example)) in rejections {
        html.push_str(&format!(
            "<tr><td>{code}</td><td class=\"number\">{count}</td><td class=\"wide\">{}</td></tr>\n",
            escape(&example)
        ));
    }
    html.push_str("</table></div>\n");
    html
}
