//! Rounds: every graph once, in random order, until enough is known.

use std::time::{Duration, Instant};

use rand::seq::SliceRandom;
use ridge_spec::record::Clocks;

use super::graphs::CopyGraphs;
use super::{Entry, Runner, Stop};
use crate::measure::statistics::{self, Next};

/// How long to wait before samples that were taken with clocks held down are taken again.
const COOL_DOWN: Duration = Duration::from_millis(50);

/// What one replay of a round is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    /// The candidate of that number; whether it is the long graph.
    Candidate(usize, bool),
    /// The copy.
    Copy(bool),
}

/// Nanoseconds of one round's replays.
#[derive(Clone, Debug, Default)]
struct Round {
    /// For each entry: short and long; 0 where there is none.
    entries: Vec<[f64; 2]>,
    copy: [f64; 2],
}

impl Runner<'_> {
    /// Takes rounds until every entry has enough samples; nanoseconds a copy in the counted ones.
    pub(super) fn rounds(
        &mut self,
        entries: &mut [Entry<'_>],
        copy: &CopyGraphs,
    ) -> Result<Vec<u64>, Stop> {
        let plan = *self.plan;
        let (mut copies, mut copies_plain) = (Vec::new(), Vec::new());
        let (rounds_min, rounds_max) = (plan.rounds_min.max(1), plan.rounds_max.max(1));
        let mut warm_up = plan.warm_up_rounds;
        let (mut taken, mut discarded) = (0, 0);
        // Half the time is left for what is not in vain.
        let patience = Instant::now() + self.deadline.saturating_duration_since(Instant::now()) / 2;
        while entries.iter().any(|entry| entry.state == Next::Continue) && taken < 2 * rounds_max {
            let n = if taken == 0 { rounds_min } else { rounds_min.div_ceil(4) };
            self.engine.clocks.begin();
            let mut batch = self.batch(entries, copy, warm_up + n)?;
            let (clocks, throttled) = self.engine.clocks.end();
            batch.drain(..warm_up as usize);
            warm_up = 0;
            let active = |entry: &&mut Entry<'_>| entry.state != Next::Lost;
            if throttled && discarded < rounds_max && Instant::now() < patience {
                discarded += n;
                entries.iter_mut().filter(active).for_each(|entry| entry.throttled += n);
                std::thread::sleep(COOL_DOWN);
                continue;
            }
            taken += n;
            for round in &batch {
                keep(round.copy, copy.graphs.launches, &mut copies, &mut copies_plain);
                for (entry, times) in entries.iter_mut().zip(&round.entries) {
                    if entry.state != Next::Lost {
                        let launches = entry.graphs.launches;
                        keep(*times, launches, &mut entry.samples, &mut entry.plain);
                    }
                }
            }
            for entry in entries.iter_mut().filter(|entry| entry.state != Next::Lost) {
                entry.clocks = merge(entry.clocks, clocks);
                if entry.state == Next::Continue {
                    entry.state = statistics::next(&entry.samples, &plan);
                }
            }
        }
        Ok(if copies.is_empty() { copies_plain } else { copies })
    }

    /// Queues `n` rounds, waits for the last, and reads the times.
    fn batch(
        &mut self,
        entries: &mut [Entry<'_>],
        copy: &CopyGraphs,
        n: u32,
    ) -> Result<Vec<Round>, Stop> {
        let mut items = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if entry.state != Next::Lost {
                items.push(Item::Candidate(at, false));
                items.extend(entry.graphs.long.is_some().then_some(Item::Candidate(at, true)));
            }
        }
        items.push(Item::Copy(false));
        items.extend(copy.graphs.long.is_some().then_some(Item::Copy(true)));
        self.ensure_pairs(items.len() * n as usize)?;
        let mut queued = Vec::new();
        for _ in 0..n {
            items.shuffle(&mut self.rng);
            for &item in &items {
                let pair = queued.len();
                match item {
                    Item::Candidate(at, long) => {
                        let replayed = self.replay(&entries[at].graphs, long, pair)?;
                        entries[at].last = Some(replayed);
                    }
                    Item::Copy(long) => {
                        self.replay_with(&copy.graphs, long, pair, false)?;
                    }
                }
                queued.push(item);
            }
        }
        self.wait_for_pair(queued.len().saturating_sub(1))?;
        let mut rounds = Vec::new();
        for (round, items) in queued.chunks(items.len()).enumerate() {
            let mut times = Round { entries: vec![[0.0; 2]; entries.len()], copy: [0.0; 2] };
            for (at, item) in items.iter().enumerate() {
                let ns = self.pair_ns(round * items.len() + at)?;
                match *item {
                    Item::Candidate(entry, long) => times.entries[entry][usize::from(long)] = ns,
                    Item::Copy(long) => times.copy[usize::from(long)] = ns,
                }
            }
            rounds.push(times);
        }
        Ok(rounds)
    }
}

/// Keeps a round's times of one kernel as nanoseconds a launch: the difference of its two graphs
/// where there are two and it is positive, and the short one's.
fn keep([short, long]: [f64; 2], launches: u32, samples: &mut Vec<u64>, plain: &mut Vec<u64>) {
    let launches = f64::from(launches.max(1));
    plain.push(rounded(short / launches).max(1));
    let sample = if long > 0.0 { (long - short) / launches } else { short / launches };
    samples.extend(Some(rounded(sample)).filter(|&ns| ns > 0));
}

/// The nearest integer; 0 for what is negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
pub(super) fn rounded(ns: f64) -> u64 {
    ns.round() as u64
}

/// The clocks of two windows together.
fn merge(a: Option<Clocks>, b: Option<Clocks>) -> Option<Clocks> {
    let (Some(first), Some(second)) = (a, b) else { return a.or(b) };
    Some(Clocks {
        multiprocessor_min_hz: first.multiprocessor_min_hz.min(second.multiprocessor_min_hz),
        multiprocessor_max_hz: first.multiprocessor_max_hz.max(second.multiprocessor_max_hz),
        memory_hz: second.memory_hz,
    })
}

#[cfg(test)]
mod tests {
    use super::keep;

    #[test]
    fn a_sample_is_a_difference_where_there_are_two_graphs() {
        let (mut samples, mut plain) = (Vec::new(), Vec::new());
        keep([10_000.0, 0.0], 10, &mut samples, &mut plain);
        keep([10_000.0, 18_000.0], 10, &mut samples, &mut plain);
        // Noise larger than the time itself is no sample.
        keep([10_000.0, 9_000.0], 10, &mut samples, &mut plain);
        assert_eq!(samples, [1000, 800]);
        assert_eq!(plain, [1000; 3]);
    }
}
