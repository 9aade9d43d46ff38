//! Who takes part in the finals: a function of the history alone, so that a campaign that resumes
//! has the same finalists.

/// Candidates checked in one round.
const ROUND: usize = 8;

/// Rounds, while none of them passes.
const ROUNDS_MAX: usize = 8;

/// Plain launches that take part in a round on a GPU, where there are as many: programmatic ones win
/// in a chain, and may lose to them behind a kernel that triggers nothing.
const PLAIN: usize = 3;

/// A round of the finals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round<T> {
    /// Best first; those that joined come last.
    pub(super) candidates: Vec<T>,
    /// How many of them are there by their time alone; a round in which none of these passes is
    /// followed by another.
    pub(super) n_best: usize,
}

/// The rounds over candidates in the order of their screened times, fastest first.
///
/// Each takes the best eight that are left, and the best of the others whose launch `is_plain`, until
/// the round has three of those.
pub(super) fn rounds<T: Clone>(order: &[T], is_plain: impl Fn(&T) -> bool) -> Vec<Round<T>> {
    let mut left: Vec<&T> = order.iter().collect();
    let mut rounds = Vec::new();
    while !left.is_empty() && rounds.len() < ROUNDS_MAX {
        let others = left.split_off(left.len().min(ROUND));
        let mut candidates: Vec<T> = left.into_iter().cloned().collect();
        let n_best = candidates.len();
        left = others;
        let n_plain = candidates.iter().filter(|own| is_plain(own)).count();
        let mut wanted = PLAIN.saturating_sub(n_plain);
        left.retain(|own| {
            let joins = wanted > 0 && is_plain(own);
            if joins {
                wanted -= 1;
                candidates.push((*own).clone());
            }
            !joins
        });
        rounds.push(Round { candidates, n_best });
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::rounds;

    /// The rounds of candidates 0, 1, 2, …, of which those named are plain launches; as
    /// `best + joined` each.
    #[track_caller]
    fn check(n: usize, plain: Option<&[usize]>, expected: &[&str]) {
        let order: Vec<usize> = (0..n).collect();
        let is_plain = |own: &usize| plain.is_some_and(|plain| plain.contains(own));
        let found: Vec<String> = rounds(&order, is_plain)
            .iter()
            .map(|round| {
                let (best, joined) = round.candidates.split_at(round.n_best);
                format!("{best:?} + {joined:?}")
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn without_a_gpu_nobody_joins() {
        check(0, None, &[]);
        check(3, None, &["[0, 1, 2] + []"]);
        check(10, None, &["[0, 1, 2, 3, 4, 5, 6, 7] + []", "[8, 9] + []"]);
    }

    #[test]
    fn plain_launches_join_until_there_are_three() {
        let first = "[0, 1, 2, 3, 4, 5, 6, 7]";
        check(0, Some(&[]), &[]);
        check(8, Some(&[]), &[&format!("{first} + []")]);
        check(10, Some(&[]), &[&format!("{first} + []"), "[8, 9] + []"]);
        check(10, Some(&[9]), &[&format!("{first} + [9]"), "[8] + []"]);
        check(
            14,
            Some(&[3, 9, 11, 12, 13]),
            &[&format!("{first} + [9, 11]"), "[8, 10, 12, 13] + []"],
        );
        check(12, Some(&[0, 1, 2, 9]), &[&format!("{first} + []"), "[8, 9, 10, 11] + []"]);
        check(12, Some(&[8, 9, 10, 11]), &[&format!("{first} + [8, 9, 10]"), "[11] + []"]);
    }

    #[test]
    fn a_later_round_has_plain_launches_of_its_own() {
        check(
            20,
            Some(&[8, 9, 10, 19]),
            &["[0, 1, 2, 3, 4, 5, 6, 7] + [8, 9, 10]", "[11, 12, 13, 14, 15, 16, 17, 18] + [19]"],
        );
        assert_eq!(rounds(&[0; 100], |_| false).len(), 8);
    }
}
