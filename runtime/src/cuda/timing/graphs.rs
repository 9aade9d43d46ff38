//! Graphs of launches over rotating sets, and their replays.

use super::super::driver::{DriverFault, Event, GraphExec, Stream};
use super::super::stage::Copies;
use super::{Candidate, Runner, Stop};
use crate::cuda::kernels::Kernels;
use crate::measure::statistics;

/// Launches that the first estimate is made from.
const ESTIMATE_LAUNCHES: u32 = 4;
/// What an empty replay takes, nanoseconds, about.
const REPLAY_FIXED_NS: f64 = 2300.0;

/// The graphs of one kernel.
#[derive(Debug)]
pub(super) struct Graphs {
    /// `launches` launches.
    pub(super) short: GraphExec,
    /// Twice as many, where a sample is a difference.
    pub(super) long: Option<GraphExec>,
    pub(super) launches: u32,
}

/// The graphs of the copy, which serve every candidate of a stage.
#[derive(Debug)]
pub(in crate::cuda) struct CopyGraphs {
    pub(super) graphs: Graphs,
    replay_ns: u64,
}

impl Runner<'_> {
    /// The graphs of a candidate, as long as the plan asks for, each replayed once.
    pub(super) fn candidate_graphs(&mut self, candidate: &Candidate<'_>) -> Result<Graphs, Stop> {
        let n_sets = self.parts.arena.n_sets();
        self.ensure_pairs(2)?;
        let (seed, engine) = (rand::Rng::next_u64(&mut self.rng), &*self.engine);
        let arena = &self.parts.arena;
        arena
            .poison(&engine.stream, &engine.kernels, n_sets.min(ESTIMATE_LAUNCHES), seed, 0)
            .map_err(|fault| self.own(&fault))?;
        self.record_pair(0, true)?;
        for at in 0..ESTIMATE_LAUNCHES {
            self.launch(candidate, at % n_sets)?;
        }
        self.record_pair(0, false)?;
        self.wait_for_pair(0)?;
        let estimate = self.pair_ns(0)? / f64::from(ESTIMATE_LAUNCHES);
        let make = |runner: &Self, launches| {
            runner
                .graphs(launches, |stream, at| candidate.queue(stream, at % n_sets))
                .map_err(|fault| runner.refused(candidate, &fault))
        };
        let first = statistics::launches(estimate, self.plan.replay_ns, n_sets);
        let graphs = make(self, first)?;
        let launch_ns = self.warm(&graphs, true)?;
        let better = statistics::launches(launch_ns, self.plan.replay_ns, n_sets);
        // The first estimate of a short launch is the host's time, not the device's.
        if (0.8..1.25).contains(&(f64::from(better) / f64::from(first))) {
            return Ok(graphs);
        }
        let graphs = make(self, better)?;
        self.warm(&graphs, true)?;
        Ok(graphs)
    }

    /// The copy's graphs: those of the stage where they fit the plan.
    pub(super) fn copy_graphs(&mut self) -> Result<CopyGraphs, Stop> {
        let difference = self.plan.difference;
        let replay_ns = self.plan.replay_ns;
        let fits = |known: &CopyGraphs| {
            known.replay_ns == replay_ns && (known.graphs.long.is_some() || !difference)
        };
        if let Some(known) = self.parts.copy_graphs.take().filter(fits) {
            return Ok(known);
        }
        let n_sets = self.parts.copies.n_sets;
        let mut launches = ESTIMATE_LAUNCHES;
        // Twice: the first only says how long a copy takes.
        for last in [false, true] {
            let graphs = self.graphs(launches, |stream, at| {
                queue_copy(&self.engine.kernels, &self.parts.copies, stream, at)
            });
            let graphs = graphs.map_err(|fault| self.own(&fault))?;
            let launch_ns = self.warm(&graphs, false)?;
            if last {
                return Ok(CopyGraphs { graphs, replay_ns });
            }
            launches = statistics::launches(launch_ns, replay_ns, n_sets);
        }
        Err(Stop::Failed(crate::device::DeviceError::Lost {
            reason: "the copy was not timed".to_owned(),
        }))
    }

    /// Records `launches` and, where the plan asks for differences, twice as many.
    fn graphs(
        &self,
        launches: u32,
        queue: impl Fn(&Stream, u32) -> Result<(), DriverFault>,
    ) -> Result<Graphs, DriverFault> {
        let stream = &self.engine.stream;
        let record =
            |n: u32| GraphExec::record(stream, || (0..n).try_for_each(|at| queue(stream, at)));
        let long = if self.plan.difference { Some(record(2 * launches)?) } else { None };
        Ok(Graphs { short: record(launches)?, long, launches })
    }

    /// Replays each graph once; nanoseconds a launch.
    fn warm(&mut self, graphs: &Graphs, poison: bool) -> Result<f64, Stop> {
        self.ensure_pairs(2)?;
        if graphs.long.is_some() {
            self.replay_with(graphs, true, 1, poison)?;
        }
        self.replay_with(graphs, false, 0, poison)?;
        self.wait_for_pair(0)?;
        Ok((self.pair_ns(0)? - REPLAY_FIXED_NS).max(1.0) / f64::from(graphs.launches))
    }

    /// Queues a replay of a candidate's graph; its launches and the poison before it.
    pub(super) fn replay(
        &mut self,
        graphs: &Graphs,
        long: bool,
        pair: usize,
    ) -> Result<(u32, u64), Stop> {
        self.replay_with(graphs, long, pair, true)
    }

    /// Queues poison where asked for, the foreign read, and a graph between a pair of events.
    pub(super) fn replay_with(
        &mut self,
        graphs: &Graphs,
        long: bool,
        pair: usize,
        poison: bool,
    ) -> Result<(u32, u64), Stop> {
        let (graph, launches) = match &graphs.long {
            Some(graph) if long => (graph, 2 * graphs.launches),
            _ => (&graphs.short, graphs.launches),
        };
        let seed = rand::Rng::next_u64(&mut self.rng);
        let queued = (|| {
            let (stream, arena) = (&self.engine.stream, &self.parts.arena);
            if poison {
                arena.poison(stream, &self.engine.kernels, launches, seed, 0)?;
            }
            let (foreign, sink) = (&self.parts.foreign, arena.sink());
            self.engine.kernels.flush(stream, foreign.address(), foreign.size_bytes(), sink)?;
            self.mark(pair, true)?;
            graph.launch(stream)?;
            self.mark(pair, false)
        })();
        queued.map(|()| (launches, seed)).map_err(|fault| self.own(&fault))
    }

    /// Queues an event of a pair.
    pub(super) fn mark(&self, pair: usize, start: bool) -> Result<(), DriverFault> {
        match self.engine.pairs.get(pair) {
            Some((event, _)) if start => self.engine.stream.record(event),
            Some((_, event)) => self.engine.stream.record(event),
            None => Ok(()),
        }
    }

    pub(super) fn record_pair(&self, pair: usize, start: bool) -> Result<(), Stop> {
        self.mark(pair, start).map_err(|fault| self.own(&fault))
    }

    /// Makes events for that many pairs.
    pub(super) fn ensure_pairs(&mut self, n: usize) -> Result<(), Stop> {
        while self.engine.pairs.len() < n {
            let made = Event::new(&self.engine.context)
                .and_then(|start| Ok((start, Event::new(&self.engine.context)?)));
            let pair = made.map_err(|fault| self.own(&fault))?;
            self.engine.pairs.push(pair);
        }
        Ok(())
    }

    /// Time between the events of a pair that was waited for, nanoseconds.
    pub(super) fn pair_ns(&self, pair: usize) -> Result<f64, Stop> {
        let Some((start, end)) = self.engine.pairs.get(pair) else { return Ok(0.0) };
        end.since_ns(start).map_err(|fault| self.own(&fault))
    }
}

fn queue_copy(
    kernels: &Kernels,
    copies: &Copies,
    stream: &Stream,
    at: u32,
) -> Result<(), DriverFault> {
    let (from, to) = copies.halves(at);
    kernels.copy(stream, from, to, copies.n_vectors)
}
