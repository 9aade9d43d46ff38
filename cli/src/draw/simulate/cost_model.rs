//! How the cost model orders recorded campaigns, for people.

use ridge_pipeline::simulate::cost_model::{
    CampaignRanking, CostModelAnswer, Evaluation, HeldOut, Ranking,
};

use crate::draw::paint::Paint;

/// Characters of a campaign's name that are shown.
const NAME: usize = 42;

/// Draws the whole answer.
pub(crate) fn answer(paint: &Paint, answer: &CostModelAnswer) -> String {
    let mut text = String::new();
    for evaluation in &answer.evaluations {
        text.push_str(&table(paint, evaluation));
        text.push('\n');
    }
    text.push_str(&paint.faint(
        "tau, rho: Kendall's and Spearman's rank correlation of predicted and measured times;\n\
         top 1, top 10: how much slower the best of the so many predicted fastest is than the \
         fastest, %;\nshare: of the correction, as the guard allows it; pruned: candidates that \
         would not be timed, ! where one of the best is among them\n",
    ));
    text
}

fn table(paint: &Paint, evaluation: &Evaluation) -> String {
    let what = match evaluation.held_out {
        HeldOut::Shape => "its shape",
        HeldOut::Kernel => "its kernel",
    };
    let title = format!("each campaign by a model that has not seen {what}");
    let group = "  tau   rho  top 1 top 10";
    let mut text = format!(
        "{}\n  {:<NAME$}  {:^24}  {:^24}  {:^24}\n  {:<NAME$}{group}{group}{group} share pruned\n",
        paint.strong(&title),
        "",
        "analytic",
        "corrected",
        "guarded",
        "candidates",
    );
    for campaign in &evaluation.campaigns {
        text.push_str(&row(campaign));
    }
    text.push_str(&format!(
        "  {:<NAME$}{}{}{}\n",
        format!("median of {}", evaluation.campaigns.len()),
        numbers(&evaluation.analytic),
        numbers(&evaluation.corrected),
        numbers(&evaluation.guarded),
    ));
    text.push_str(&format!(
        "  guarded worse than analytic alone by more than 0.02 of tau: {} of {}\n",
        evaluation.n_worse,
        evaluation.campaigns.len()
    ));
    if evaluation.n_pruned > 0 {
        text.push_str(&format!(
            "  pruned at a risk of {:.1} %: {:.0} % of the candidates (median of {}); one of the \
             best was lost in {}\n",
            evaluation.risk * 100.0,
            evaluation.spared * 100.0,
            evaluation.n_pruned,
            evaluation.n_lost
        ));
    }
    text
}

fn row(campaign: &CampaignRanking) -> String {
    let name = format!("{} {}", campaign.kernel, campaign.workload);
    let name: String = name.chars().take(NAME - 5).collect();
    let pruned = campaign.pruned.map_or_else(
        || "     -".to_owned(),
        |pruned| {
            let mark = if pruned.lost { "!" } else { "" };
            format!("{:>4.0} %{mark}", pruned.share * 100.0)
        },
    );
    format!(
        "  {name:<width$}{:>5}{}{}{} {:>5.2} {pruned}\n",
        campaign.n_candidates,
        numbers(&campaign.analytic),
        numbers(&campaign.corrected),
        numbers(&campaign.guarded),
        campaign.share,
        width = NAME - 5,
    )
}

fn numbers(ranking: &Ranking) -> String {
    format!(
        " {:>5.2} {:>5.2} {:>6.1} {:>6.1}",
        ranking.kendall_tau,
        ranking.spearman_rho,
        ranking.regret_1 * 100.0,
        ranking.regret_10 * 100.0
    )
}
