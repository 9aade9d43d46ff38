//! What is timed beside a candidate: itself with a warm cache, and alone after a foreign kernel.

use ridge_spec::outcome::Samples;

use super::graphs::Graphs;
use super::rounds::rounded;
use super::{Candidate, Runner, Stop};
use crate::cuda::driver::{DriverFault, GraphExec};

/// Launches timed alone in one graph.
const ALONE_LAUNCHES: u32 = 8;
/// Rounds at least.
const ROUNDS_MIN: u32 = 5;

/// The companions' samples.
#[derive(Debug)]
pub(super) struct Companions {
    pub(super) hot: Option<Samples>,
    pub(super) alone: Option<Samples>,
}

impl Runner<'_> {
    pub(super) fn companions(
        &mut self,
        candidate: &Candidate<'_>,
        graphs: &Graphs,
    ) -> Result<Companions, Stop> {
        let hot = self.hot(candidate, graphs.launches)?;
        let alone = self.alone(candidate)?;
        Ok(Companions { hot, alone })
    }

    /// Back to back on the first set. Each timed replay follows one that is not.
    fn hot(&mut self, candidate: &Candidate<'_>, launches: u32) -> Result<Option<Samples>, Stop> {
        let record = |runner: &Self, n: u32| {
            let stream = &runner.engine.stream;
            GraphExec::record(stream, || (0..n).try_for_each(|_| candidate.queue(stream, 0)))
                .map_err(|fault| runner.refused(candidate, &fault))
        };
        let short = record(self, launches)?;
        let long = if self.plan.difference { Some(record(self, 2 * launches)?) } else { None };
        let rounds = self.plan.rounds_min.max(ROUNDS_MIN);
        let per_round = 1 + usize::from(long.is_some());
        self.ensure_pairs(per_round * rounds as usize)?;
        for round in 0..rounds as usize {
            let seed = rand::Rng::next_u64(&mut self.rng);
            let queued = (|| {
                let stream = &self.engine.stream;
                self.parts.arena.poison(stream, &self.engine.kernels, 1, seed, 0)?;
                short.launch(stream)?;
                self.timed(&short, round * per_round)?;
                match &long {
                    Some(long) => self.timed(long, round * per_round + 1),
                    None => Ok(()),
                }
            })();
            queued.map_err(|fault| self.own(&fault))?;
        }
        self.wait_for_pair(per_round * rounds as usize - 1)?;
        let mut samples = Vec::new();
        for round in 0..rounds as usize {
            let short_ns = self.pair_ns(round * per_round)?;
            let ns = match long {
                Some(_) => self.pair_ns(round * per_round + 1)? - short_ns,
                None => short_ns,
            };
            samples.extend(Some(rounded(ns / f64::from(launches))).filter(|&ns| ns > 0));
        }
        Ok(Samples::new(samples).ok())
    }

    /// One launch after a foreign read, as the difference to the foreign reads without it.
    fn alone(&mut self, candidate: &Candidate<'_>) -> Result<Option<Samples>, Stop> {
        let n_sets = self.parts.arena.n_sets();
        let record = |runner: &Self, with: bool| {
            let stream = &runner.engine.stream;
            let (parts, kernels) = (&runner.parts, &runner.engine.kernels);
            let (address, sink) = (parts.foreign.address(), parts.arena.sink());
            GraphExec::record(stream, || {
                for at in 0..ALONE_LAUNCHES {
                    kernels.flush(stream, address, parts.alone_bytes(), sink)?;
                    if with {
                        candidate.queue(stream, at % n_sets)?;
                    }
                }
                Ok(())
            })
            .map_err(|fault| runner.refused(candidate, &fault))
        };
        let (with, without) = (record(self, true)?, record(self, false)?);
        // The first of each is warm-up.
        let rounds = self.plan.rounds_min.max(ROUNDS_MIN) as usize + 1;
        self.ensure_pairs(2 * rounds)?;
        for round in 0..rounds {
            let seed = rand::Rng::next_u64(&mut self.rng);
            let queued = (|| {
                let (stream, arena) = (&self.engine.stream, &self.parts.arena);
                arena.poison(stream, &self.engine.kernels, ALONE_LAUNCHES, seed, 0)?;
                self.timed(&without, 2 * round)?;
                self.timed(&with, 2 * round + 1)
            })();
            queued.map_err(|fault| self.own(&fault))?;
        }
        self.wait_for_pair(2 * rounds - 1)?;
        let mut without_ns = Vec::new();
        for round in 1..rounds {
            without_ns.push(self.pair_ns(2 * round)?);
        }
        without_ns.sort_by(f64::total_cmp);
        let middle = without_ns.get(without_ns.len() / 2).copied().unwrap_or(0.0);
        let mut samples = Vec::new();
        for round in 1..rounds {
            let ns = (self.pair_ns(2 * round + 1)? - middle) / f64::from(ALONE_LAUNCHES);
            samples.extend(Some(rounded(ns)).filter(|&ns| ns > 0));
        }
        Ok(Samples::new(samples).ok())
    }

    /// Queues a graph between a pair of events.
    fn timed(&self, graph: &GraphExec, pair: usize) -> Result<(), DriverFault> {
        self.mark(pair, true)?;
        graph.launch(&self.engine.stream)?;
        self.mark(pair, false)
    }
}
