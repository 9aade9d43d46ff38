use super::campaigns::Row;
use super::*;

/// Campaigns of kernels of several shapes, whose measured time is the predicted one times what
/// `error` says of two parameters on a shape.
fn campaigns(
    kernels: &[&str],
    n_shapes: u32,
    error: impl Fn(usize, f64, f64) -> f64,
) -> Vec<RecordedCampaign> {
    let mut all = Vec::new();
    for (number, kernel) in kernels.iter().enumerate() {
        for shape in 0..n_shapes {
            let mut rows = Vec::new();
            for a in 0..8 {
                for b in 0..12 {
                    let (a, b) = (f64::from(a), f64::from(b));
                    // The analytic model knows of `a`, and nothing of `b`.
                    let predicted = 9.0 + f64::from(shape) + 0.05 * a;
                    let features = [
                        ("parameter a".to_owned(), a),
                        ("parameter b".to_owned(), b),
                        ("bytes".to_owned(), f64::from(shape + 1) * 1e6),
                        ("predicted".to_owned(), predicted),
                    ];
                    let place = number * 100 + shape as usize;
                    rows.push(Row {
                        features: features.into(),
                        predicted,
                        measured: predicted + error(place, a, b),
                    });
                }
            }
            all.push(RecordedCampaign {
                kernel: (*kernel).to_owned(),
                device: "board".to_owned(),
                workload: format!("rows={shape}"),
                rows,
            });
        }
    }
    all
}

fn evaluation(campaigns: &[RecordedCampaign], held_out: HeldOut) -> Evaluation {
    let rankings = (0..campaigns.len())
        .filter_map(|place| evaluate_one(campaigns, place, held_out, 0.01, 0))
        .collect();
    Evaluation::of(held_out, 0.01, rankings).unwrap()
}

#[test]
fn what_errs_alike_everywhere_is_learned() {
    let all = campaigns(&["k"], 8, |_, _, b| 0.1 * (b - 4.0).abs());
    let found = evaluation(&all, HeldOut::Shape);
    assert!(found.analytic.kendall_tau < 0.6, "{:?}", found.analytic);
    assert!(found.guarded.kendall_tau > 0.9, "{:?}", found.guarded);
    assert_eq!((found.n_worse, found.n_lost), (0, 0));
    assert!(found.n_pruned == 8 && found.spared > 0.2, "{found:?}");
    assert_eq!(evaluation(&all, HeldOut::Shape), found);
}

#[test]
fn what_errs_otherwise_on_every_shape_is_not_believed() {
    let sign = |place: usize| if place.is_multiple_of(2) { 1.0 } else { -1.0 };
    let all = campaigns(&["k"], 8, |place, _, b| 0.02 * sign(place) * b);
    let found = evaluation(&all, HeldOut::Shape);
    assert_eq!(found.n_worse, 0);
    assert!(found.guarded.kendall_tau + TOLERATED >= found.analytic.kendall_tau, "{found:?}");
    for campaign in &found.campaigns {
        assert!(campaign.share <= 0.25, "{campaign:?}");
    }
}

#[test]
fn a_related_kernel_profits_and_a_strange_one_is_left_alone() {
    let kernels = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let all = campaigns(&kernels, 1, |_, _, b| 0.1 * (b - 4.0).abs());
    let found = evaluation(&all, HeldOut::Kernel);
    assert!(found.guarded.kendall_tau > found.analytic.kendall_tau + 0.2, "{found:?}");
    let mut strange = all.clone();
    for row in &mut strange[0].rows {
        let renamed = row
            .features
            .iter()
            .map(|(name, value)| (name.replace("parameter ", "parameter other_"), *value));
        row.features = renamed.collect();
    }
    let alone = evaluate_one(&strange, 0, HeldOut::Kernel, 0.01, 0).unwrap();
    assert_eq!((alone.share, alone.pruned), (0.0, None));
    assert_eq!(alone.guarded, alone.analytic);
}

#[test]
fn one_shape_teaches_nothing() {
    let all = campaigns(&["k"], 1, |_, _, b| b);
    assert!(Learned::train(&all.iter().collect::<Vec<_>>(), 0).is_none());
    let found = evaluate_one(&all, 0, HeldOut::Shape, 0.01, 0).unwrap();
    assert_eq!(found.guarded, found.analytic);
}
