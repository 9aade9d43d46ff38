//! When a search has spent enough.
//!
//! **Invariant:** no clock: whoever has one passes seconds in.

use serde::Serialize;

/// What a search may spend, and when it is good enough. What is `None` does not limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Evaluations.
    pub evaluations: Option<usize>,
    /// Seconds.
    pub seconds: Option<f64>,
    /// Near enough to what the hardware allows.
    pub roofline: Option<RooflineGoal>,
    /// No gain to be expected.
    pub gain: Option<GainGoal>,
}

/// A search may stop when its best is this near the roofline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RooflineGoal {
    /// The least time that the hardware allows, nanoseconds.
    pub floor_ns: f64,
    /// The fraction of the roofline that is enough, above 0 and up to 1: floor over time.
    pub fraction: f64,
}

/// A search may stop when its strategy expects little.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GainGoal {
    /// An expected improvement below this fraction of the best time is little, such as 0.001.
    pub fraction: f64,
    /// So many proposals in a row must expect so little.
    pub proposals: usize,
}

/// Where a search stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Evaluations so far.
    pub evaluations: usize,
    /// Seconds so far.
    pub seconds: f64,
    /// The best time, nanoseconds, where anything succeeded.
    pub best_ns: Option<u64>,
    /// What the strategy expected of its proposals.
    pub expectations: Expectations,
}

/// What a strategy expected to gain, proposal by proposal. Fed with the recorded proposals of a
/// campaign that resumes, it is where it was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expectations {
    /// The largest of the proposals since the last that was not little, and how many they are, for
    /// the fraction it was asked with.
    n_little: usize,
    largest: f64,
}

impl Expectations {
    /// Takes note of the expected gain of a proposal, as a fraction of the best time: see
    /// [`crate::strategy::Strategy::expected_gain`]. A strategy that does not say may be about to
    /// find anything. A batch of `n` candidates counts as `n` proposals.
    pub fn note(&mut self, gain: Option<f64>, n: usize, goal: GainGoal) {
        match gain {
            Some(gain) if gain < goal.fraction => {
                self.n_little += n;
                self.largest = self.largest.max(gain.max(0.0));
            }
            _ => *self = Self::default(),
        }
    }
}

/// Why a search stopped.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum StopReason {
    /// Every legal candidate is evaluated.
    Exhausted,
    /// The evaluations are spent.
    Evaluations {
        /// How many there were.
        evaluations: usize,
    },
    /// The time is spent.
    Seconds {
        /// How long it may take.
        seconds: f64,
    },
    /// The best is near enough to the roofline.
    Roofline {
        /// The best's fraction of the roofline.
        fraction: f64,
        /// What is enough.
        goal: f64,
    },
    /// The strategy expects no gain worth an evaluation.
    NoExpectedGain {
        /// The largest gain expected of the last proposals, as a fraction of the best time.
        expected: f64,
        /// What would be worth one.
        goal: f64,
        /// How many proposals in a row expected no more.
        proposals: usize,
    },
    /// Whoever ran it asked it to stop.
    Interrupted,
}

impl StopReason {
    /// Stable code, the same as in the JSON.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Evaluations { .. } => "evaluations",
            Self::Seconds { .. } => "seconds",
            Self::Roofline { .. } => "roofline",
            Self::NoExpectedGain { .. } => "no-expected-gain",
            Self::Interrupted => "interrupted",
        }
    }

    /// One lower-case clause for a person.
    pub fn summary(&self) -> String {
        match *self {
            Self::Exhausted => "every legal candidate was evaluated".to_owned(),
            Self::Evaluations { evaluations } => {
                format!("the budget of {evaluations} evaluations is spent")
            }
            Self::Seconds { seconds } => format!("the budget of {seconds} s is spent"),
            Self::Roofline { fraction, goal } => format!(
                "the best runs at {:.1} % of the roofline, and {:.1} % is enough",
                fraction * 100.0,
                goal * 100.0
            ),
            Self::NoExpectedGain { expected, goal, proposals } => format!(
                "the last {proposals} proposals were expected to gain {:.3} % at most, and less \
                 than {:.3} % is not worth an evaluation",
                expected * 100.0,
                goal * 100.0
            ),
            Self::Interrupted => "it was asked to stop".to_owned(),
        }
    }
}

impl Budget {
    /// Why to stop now; `None` to go on. Of several reasons the most pleasing is given: near the
    /// roofline, then nothing to gain, then evaluations, then time.
    ///
    /// Once there is a reason, there is one for every later state of the same search: evaluations
    /// and seconds only grow, and the best time only falls.
    pub fn stop(&self, spent: &Spent) -> Option<StopReason> {
        let near = self.roofline.and_then(|goal| {
            let fraction = goal.floor_ns / spent.best_ns?.max(1) as f64;
            (fraction >= goal.fraction)
                .then_some(StopReason::Roofline { fraction, goal: goal.fraction })
        });
        let little = || {
            let goal = self.gain?;
            let Expectations { n_little, largest } = spent.expectations;
            let enough = spent.best_ns.is_some() && n_little >= goal.proposals.max(1);
            enough.then_some(StopReason::NoExpectedGain {
                expected: largest,
                goal: goal.fraction,
                proposals: n_little,
            })
        };
        let evaluations = || {
            let limit = self.evaluations?;
            (spent.evaluations >= limit).then_some(StopReason::Evaluations { evaluations: limit })
        };
        let seconds = || {
            let limit = self.seconds?;
            (spent.seconds >= limit).then_some(StopReason::Seconds { seconds: limit })
        };
        near.or_else(little).or_else(evaluations).or_else(seconds)
    }

    /// How many candidates to ask for at most: `wanted`, or what is left of the evaluations.
    pub fn batch(&self, wanted: usize, evaluations: usize) -> usize {
        self.evaluations.map_or(wanted, |limit| wanted.min(limit.saturating_sub(evaluations)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GAIN: GainGoal = GainGoal { fraction: 0.01, proposals: 3 };

    fn code(budget: Budget, spent: Spent) -> &'static str {
        budget.stop(&spent).map_or("go on", |reason| reason.code())
    }

    #[test]
    fn each_limit_stops_for_its_reason() {
        let spent = Spent { evaluations: 10, seconds: 5.0, best_ns: Some(100), ..Spent::default() };
        let none = Budget::default();
        assert_eq!(code(none, spent), "go on");
        assert_eq!(code(Budget { evaluations: Some(10), ..none }, spent), "evaluations");
        assert_eq!(code(Budget { evaluations: Some(11), ..none }, spent), "go on");
        assert_eq!(code(Budget { seconds: Some(5.0), ..none }, spent), "seconds");
        let goal = |fraction| Some(RooflineGoal { floor_ns: 90.0, fraction });
        assert_eq!(code(Budget { roofline: goal(0.9), ..none }, spent), "roofline");
        assert_eq!(code(Budget { roofline: goal(0.95), ..none }, spent), "go on");
        let failed = Spent { best_ns: None, ..spent };
        assert_eq!(code(Budget { roofline: goal(0.9), ..none }, failed), "go on");
        let both = Budget { roofline: goal(0.9), evaluations: Some(1), ..none };
        assert_eq!(code(both, spent), "roofline");
        assert_eq!(both.batch(8, 0), 1);
        assert_eq!(both.batch(8, 3), 0);
        assert_eq!(none.batch(8, 3), 8);
    }

    #[test]
    fn little_gain_must_last() {
        let budget = Budget { gain: Some(GAIN), ..Budget::default() };
        let mut spent = Spent { best_ns: Some(100), ..Spent::default() };
        let steps = [
            (Some(0.001), 2, "go on"),
            (Some(0.02), 1, "go on"),
            (Some(0.004), 2, "go on"),
            (None, 1, "go on"),
            (Some(0.009), 2, "go on"),
            (Some(0.002), 1, "no-expected-gain"),
        ];
        for (gain, n, expected) in steps {
            spent.expectations.note(gain, n, GAIN);
            assert_eq!(code(budget, spent), expected);
        }
        let reason = budget.stop(&spent).unwrap();
        assert_eq!(
            serde_json::to_string(&reason).unwrap(),
            r#"{"code":"no-expected-gain","expected":0.009,"goal":0.01,"proposals":3}"#
        );
        assert!(reason.summary().contains("3 proposals"));
    }

    prop_compose! {
        fn budgets()(
            evaluations in proptest::option::of(0usize..50),
            seconds in proptest::option::of(0.0..50.0f64),
            fraction in proptest::option::of(0.1..1.0f64),
        ) -> Budget {
            let roofline = fraction.map(|fraction| RooflineGoal { floor_ns: 50.0, fraction });
            Budget { evaluations, seconds, roofline, gain: None }
        }
    }

    proptest! {
        #[test]
        fn a_search_that_should_stop_should_not_go_on(
            budget in budgets(),
            steps in proptest::collection::vec((1usize..5, 0.0..5.0f64, 0u64..90), 1..20),
        ) {
            let mut spent = Spent::default();
            let mut stopped = false;
            for (evaluations, seconds, faster) in steps {
                spent.evaluations += evaluations;
                spent.seconds += seconds;
                spent.best_ns = Some(spent.best_ns.unwrap_or(1000).saturating_sub(faster).max(50));
                let stop = budget.stop(&spent).is_some();
                prop_assert!(stop || !stopped);
                stopped = stop;
                // What is left to ask for is nothing exactly when the evaluations are spent.
                let left = budget.batch(usize::MAX, spent.evaluations);
                prop_assert_eq!(left == 0, budget.evaluations.is_some_and(|n| spent.evaluations >= n));
            }
        }
    }
}
