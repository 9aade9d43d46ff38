use std::collections::BTreeSet;

use proptest::prelude::*;
use ridge_spec::outcome::{Outcome, Rejection, Samples};
use ridge_spec::space::{Candidate, LegalSpace, Parameter};

use super::*;
use crate::history::History;
use crate::prior::Prior;

/// `x` times `y` less a corner, so that the space is no full product.
fn space() -> LegalSpace {
    let values = |n: i64| (0..n).map(ridge_spec::expression::Value::Integer).collect::<Vec<_>>();
    let parameters = vec![
        Parameter { name: "x".to_owned(), values: values(9) },
        Parameter { name: "y".to_owned(), values: values(7) },
    ];
    let points: Vec<Candidate> = (0..9)
        .flat_map(|x| (0..7).map(move |y| (x, y)))
        .filter(|(x, y)| x + y < 12)
        .map(|(x, y)| Candidate::parse(&format!("x={x},y={y}")).unwrap())
        .collect();
    LegalSpace::from_points(parameters, &points).unwrap()
}

/// A bowl with its bottom at (6, 2).
fn time_ns(space: &LegalSpace, candidate: usize) -> u64 {
    let at = |place: usize| i64::from(space.indices(candidate)[place]);
    u64::try_from(1000 + 50 * (at(0) - 6).pow(2) + 80 * (at(1) - 2).pow(2)).unwrap()
}

/// Drives a strategy to its end, `n_max` at a time; what it proposed, in order.
fn drive(entry: &StrategyEntry, setup: Setup, n_max: usize) -> Vec<usize> {
    let space = space();
    let mut strategy = (entry.build)(setup);
    let mut history = History::new();
    loop {
        let batch = strategy.propose(&space, &history, n_max);
        assert!(batch.len() <= n_max, "{}", entry.name);
        if batch.is_empty() {
            break history.iter().map(|evaluation| evaluation.candidate).collect();
        }
        for candidate in batch {
            assert!(!history.contains(candidate), "{} proposed one twice", entry.name);
            let samples = Samples::new(vec![time_ns(&space, candidate)]).unwrap();
            history.push(candidate, Outcome::Measured(samples));
        }
    }
}

#[test]
fn every_strategy_is_deterministic_and_visits_everything_once() {
    let everything: BTreeSet<usize> = (0..space().len()).collect();
    for entry in TABLE {
        for n_max in [1, 4, 1000] {
            let setup = Setup { seed: 7, prior: None };
            let found = drive(entry, setup.clone(), n_max);
            assert_eq!(found, drive(entry, setup, n_max), "{}", entry.name);
            assert_eq!(found.len(), everything.len(), "{}", entry.name);
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), everything, "{}", entry.name);
        }
    }
}

#[test]
fn nothing_is_proposed_for_an_empty_batch() {
    for entry in TABLE {
        let mut strategy = (entry.build)(Setup::default());
        assert!(strategy.propose(&space(), &History::new(), 0).is_empty(), "{}", entry.name);
    }
}

#[test]
fn a_prior_that_fits_no_candidate_does_no_harm() {
    for entry in TABLE {
        for times in [vec![], vec![Some(f64::NAN); 3], vec![Some(-1.0); 63], vec![Some(1.0); 500]] {
            let setup = Setup {
                seed: 1,
                prior: Some(Prior { predicted_time_ns: times, ..Prior::default() }),
            };
            assert_eq!(drive(entry, setup, 5).len(), space().len(), "{}", entry.name);
        }
    }
}

#[test]
fn exhaustive_begins_with_the_predicted_fastest() {
    let space = space();
    let predicted = (0..space.len()).map(|index| Some(time_ns(&space, index) as f64)).collect();
    let setup =
        Setup { seed: 0, prior: Some(Prior { predicted_time_ns: predicted, ..Prior::default() }) };
    let order = drive(find("exhaustive").unwrap(), setup, 3);
    let times: Vec<u64> = order.iter().map(|&index| time_ns(&space, index)).collect();
    assert!(times.is_sorted());
    let plain = drive(find("exhaustive").unwrap(), Setup::default(), 3);
    assert!(plain.is_sorted());
}

/// Evaluations until a strategy proposes the bottom of the bowl.
fn n_until_best(name: &str, prior: Option<Prior>, seed: u64) -> usize {
    let space = space();
    let order = drive(find(name).unwrap(), Setup { seed, prior }, 1);
    let best = (0..space.len()).min_by_key(|&index| time_ns(&space, index)).unwrap();
    order.iter().position(|&candidate| candidate == best).unwrap() + 1
}

#[test]
fn the_surrogate_needs_few_evaluations() {
    for seed in 0..10 {
        assert!(n_until_best("surrogate", None, seed) <= 22, "seed {seed}");
    }
}

#[test]
fn a_good_prior_is_used_and_a_bad_one_survived() {
    let space = space();
    let with = |time: &dyn Fn(u64) -> f64| Prior {
        predicted_time_ns: (0..space.len()).map(|at| Some(time(time_ns(&space, at)))).collect(),
        ..Prior::default()
    };
    for seed in 0..5 {
        assert_eq!(n_until_best("portfolio", Some(with(&|ns| ns as f64)), seed), 1);
        let misled = n_until_best("portfolio", Some(with(&|ns| 1e9 / ns as f64)), seed);
        assert!(misled <= 30, "seed {seed}: {misled}");
    }
}

/// What becomes of a candidate: a bowl, but for one in seven, which fails.
fn outcome(space: &LegalSpace, candidate: usize) -> Outcome {
    if candidate % 7 == 3 {
        return Outcome::Rejected(Rejection::Launch { message: "no".to_owned() });
    }
    Outcome::Measured(Samples::new(vec![time_ns(space, candidate)]).unwrap())
}

/// Asks for batches of `sizes`, in turn, and answers; the history and what was proposed in each
/// batch. With `recorded`, batches are answered from it as long as it lasts.
fn campaign(
    entry: &StrategyEntry,
    setup: &Setup,
    sizes: &[usize],
    n: usize,
    recorded: &[usize],
) -> Vec<usize> {
    let space = space();
    let mut strategy = (entry.build)(setup.clone());
    let mut history = History::new();
    for size in sizes.iter().cycle() {
        let batch = strategy.propose(&space, &history, *size);
        if batch.is_empty() || history.len() >= n {
            break;
        }
        for candidate in batch {
            if let Some(known) = recorded.get(history.len()) {
                assert_eq!(candidate, *known, "{} left the recorded path", entry.name);
            }
            history.push(candidate, outcome(&space, candidate));
        }
    }
    history.iter().map(|evaluation| evaluation.candidate).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Killed anywhere, within a batch or between two, a search that is fed what was recorded goes
    /// on to the identical remainder.
    #[test]
    fn a_search_resumes_where_it_was_killed(
        seed in any::<u64>(),
        sizes in proptest::collection::vec(1usize..6, 1..4),
        killed_after in 0usize..45,
        predicted in proptest::option::of(proptest::collection::vec(1.0..100.0f64, 60)),
    ) {
        let prior = predicted.map(|times| Prior {
            predicted_time_ns: times.into_iter().map(Some).collect(),
            ..Prior::default()
        });
        for entry in TABLE {
            let setup = Setup { seed, prior: prior.clone() };
            let whole = campaign(entry, &setup, &sizes, 45, &[]);
            let recorded = &whole[..killed_after.min(whole.len())];
            let resumed = campaign(entry, &setup, &sizes, 45, recorded);
            prop_assert_eq!(&resumed, &whole, "{}", entry.name);
        }
    }
}

#[test]
fn models_say_what_they_expect_to_gain() {
    let space = space();
    for entry in TABLE {
        let mut strategy = (entry.build)(Setup { seed: 2, prior: None });
        let mut history = History::new();
        let mut gains = Vec::new();
        while history.len() < 40 {
            for candidate in strategy.propose(&space, &history, 1) {
                history.push(candidate, outcome(&space, candidate));
            }
            gains.extend(strategy.expected_gain());
        }
        if ["surrogate", "portfolio"].contains(&entry.name) {
            assert!(gains.len() > 30, "{}", entry.name);
            assert!(gains.iter().all(|gain| gain.is_finite() && *gain >= 0.0));
            let (early, late) =
                (gains[..5].iter().sum::<f64>(), gains[gains.len() - 5..].iter().sum::<f64>());
            assert!(late < early, "{}: {late} after {early}", entry.name);
        } else {
            assert!(gains.is_empty(), "{}", entry.name);
        }
    }
}

#[test]
fn random_depends_on_its_seed() {
    let random = find("random").unwrap();
    let drawn = |seed| drive(random, Setup { seed, prior: None }, 1);
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn an_unknown_name_lists_the_table() {
    let error = find("magic").err().unwrap();
    assert_eq!(error.code, "strategy.unknown");
    let hint = error.hint.unwrap();
    for entry in TABLE {
        assert!(hint.contains(entry.name));
    }
    find(DEFAULT).map(|entry| entry.name).unwrap();
}
