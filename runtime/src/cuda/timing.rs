//! Timing candidates on a stage: `cold-graph-1`, as [`measure`](crate::measure) describes it.

mod companions;
mod graphs;
mod rounds;

use std::time::{Duration, Instant};

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ridge_spec::outcome::{Phase, Rejection, Samples};
use ridge_spec::record::Clocks;

use super::arena::TransferEnd;
use super::device::Engine;
use super::driver::{DriverFault, Function, Waited};
use super::fault::{self, Needs, Purpose, Stop};
use super::stage::Parts;
use crate::arguments;
use crate::device::DeviceError;
use crate::measure::statistics::Next;
use crate::measure::{Attempt, Contested, Evaluation, Image, Timing, TimingPlan};
use crate::verify::Launch;
use crate::worker::progress;
pub(super) use graphs::CopyGraphs;
use graphs::Graphs;

/// A candidate on a stage.
#[derive(Debug)]
struct Candidate<'a> {
    launch: Launch<'a>,
    function: Function,
    needs: Needs,
    /// The arguments of each set.
    values: Vec<Vec<u64>>,
}

/// A candidate while it is timed.
#[derive(Debug)]
struct Entry<'a> {
    candidate: Candidate<'a>,
    graphs: Graphs,
    /// Nanoseconds a launch, as the plan has it.
    samples: Vec<u64>,
    /// The same without difference, for where the differences are none.
    plain: Vec<u64>,
    throttled: u32,
    clocks: Option<Clocks>,
    state: Next,
    /// Launches and poison of the last replay.
    last: Option<(u32, u64)>,
}

/// Everything a measurement works with.
struct Runner<'a> {
    engine: &'a mut Engine,
    parts: &'a mut Parts,
    plan: &'a TimingPlan,
    rng: ChaCha8Rng,
    deadline: Instant,
}

/// See [`Stage::evaluate`](crate::measure::Stage::evaluate).
pub(super) fn evaluate(
    engine: &mut Engine,
    parts: &mut Parts,
    launch: &Launch<'_>,
    plan: &TimingPlan,
) -> Result<Attempt<Evaluation>, DeviceError> {
    let start = Instant::now();
    let mut phase = Phase::Load;
    let mut runner = Runner::new(engine, parts, plan, start);
    match runner.evaluate(launch, &mut phase) {
        Ok(mut evaluation) => {
            evaluation.busy_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            Ok(Ok(evaluation))
        }
        Err(stop) => stop.into_rejection(phase).map(Err),
    }
}

/// See [`Stage::contest`](crate::measure::Stage::contest).
pub(super) fn contest(
    engine: &mut Engine,
    parts: &mut Parts,
    launches: &[Launch<'_>],
    plan: &TimingPlan,
) -> Result<Vec<Attempt<Contested>>, DeviceError> {
    Runner::new(engine, parts, plan, Instant::now()).contest(launches)
}

impl<'a> Runner<'a> {
    fn new(
        engine: &'a mut Engine,
        parts: &'a mut Parts,
        plan: &'a TimingPlan,
        start: Instant,
    ) -> Self {
        let limit = Duration::from_nanos(plan.time_limit_ns);
        let deadline = start + limit.min(Duration::from_secs(24 * 3600));
        let rng = ChaCha8Rng::seed_from_u64(plan.seed);
        Self { engine, parts, plan, rng, deadline }
    }

    fn evaluate(&mut self, launch: &Launch<'_>, phase: &mut Phase) -> Result<Evaluation, Stop> {
        let mut laps = Laps::start();
        self.enter(phase, Phase::Load);
        let candidate = self.prepare(launch)?;
        let load_us = laps.lap_us();
        self.enter(phase, Phase::Verify);
        let first = self.run_once(&candidate)?;
        let first_us = laps.lap_us();
        self.enter(phase, Phase::Measure);
        let graphs = self.candidate_graphs(&candidate)?;
        let copy = self.copy_graphs()?;
        let graphs_us = laps.lap_us();
        let mut entries = [Entry::new(candidate, graphs)];
        let copies = self.rounds(&mut entries, &copy);
        self.parts.copy_graphs = Some(copy);
        let copies = copies?;
        let rounds_us = laps.lap_us();
        let [entry] = &mut entries;
        // Nobody looks at what a lost candidate left.
        let wanted = self.plan.images_after > 0 && entry.state != Next::Lost;
        let again = if wanted { self.image_after(entry, 0)? } else { None };
        let later = if wanted { self.later(entry)? } else { Vec::new() };
        let images_us = laps.lap_us();
        let mut timing = self.timing(entry, copies)?;
        self.add_companions(entry, &mut timing)?;
        let companions_us = laps.lap_us();
        tracing::debug!(
            candidate = %launch.artifact.digest,
            load_us,
            first_us,
            graphs_us,
            rounds_us,
            n_rounds = timing.samples.len(),
            n_launches = timing.launches,
            images_us,
            n_images = later.len() + usize::from(again.is_some()),
            companions_us,
            "timed a candidate"
        );
        Ok(Evaluation { first, again, later, timing, busy_ns: 0 })
    }

    /// Times the companions where they are wanted; a lost candidate has none.
    fn add_companions(&mut self, entry: &Entry<'_>, timing: &mut Timing) -> Result<(), Stop> {
        if self.plan.companions && entry.state != Next::Lost {
            let companions = self.companions(&entry.candidate, &entry.graphs)?;
            timing.hot = companions.hot;
            timing.alone = companions.alone;
        }
        Ok(())
    }

    fn contest(&mut self, launches: &[Launch<'_>]) -> Result<Vec<Attempt<Contested>>, DeviceError> {
        let mut attempts: Vec<Option<Box<Rejection>>> = Vec::new();
        let mut entries = Vec::new();
        for (at, launch) in launches.iter().enumerate() {
            let mut phase = Phase::Load;
            match self.enlist(launch, &mut phase) {
                Ok(entry) => {
                    entries.push(entry);
                    attempts.push(None);
                }
                Err(Stop::Refused(rejection)) => attempts.push(Some(rejection)),
                Err(stop) => return Err(lost_to(at, stop, phase)),
            }
        }
        progress::enter(Phase::Measure);
        let mut contested = Vec::new();
        if !entries.is_empty() {
            let measured = self.contest_entries(&mut entries);
            contested = measured.map_err(|stop| lost_to(usize::MAX, stop, Phase::Measure))?;
        }
        let mut contested = contested.into_iter();
        attempts
            .into_iter()
            .map(|rejection| match rejection {
                Some(rejection) => Ok(Err(rejection)),
                None => contested.next().map(Ok).ok_or_else(|| DeviceError::Lost {
                    reason: "a candidate was not measured".to_owned(),
                }),
            })
            .collect()
    }

    fn enlist<'l>(&mut self, launch: &Launch<'l>, phase: &mut Phase) -> Result<Entry<'l>, Stop> {
        self.enter(phase, Phase::Load);
        let candidate = self.prepare(launch)?;
        self.enter(phase, Phase::Verify);
        self.run_once(&candidate)?;
        self.enter(phase, Phase::Measure);
        let graphs = self.candidate_graphs(&candidate)?;
        Ok(Entry::new(candidate, graphs))
    }

    fn contest_entries(&mut self, entries: &mut [Entry<'_>]) -> Result<Vec<Contested>, Stop> {
        let copy = self.copy_graphs()?;
        let copies = self.rounds(entries, &copy);
        self.parts.copy_graphs = Some(copy);
        let copies = copies?;
        let mut contested = Vec::new();
        for entry in entries {
            let mut later = Vec::new();
            if self.plan.images_after > 0 {
                // One more replay like the others: what it leaves is looked at before the next one
                // writes over it.
                self.ensure_pairs(1)?;
                entry.last = Some(self.replay(&entry.graphs, false, 0)?);
                self.wait_for_pair(0)?;
                later = self.later(entry)?;
            }
            let mut timing = self.timing(entry, copies.clone())?;
            self.add_companions(entry, &mut timing)?;
            contested.push(Contested { timing, later });
        }
        Ok(contested)
    }

    fn enter(&mut self, phase: &mut Phase, next: Phase) {
        *phase = next;
        progress::enter(next);
    }

    fn prepare<'l>(&mut self, launch: &Launch<'l>) -> Result<Candidate<'l>, Stop> {
        let (function, needs) = self.engine.prepare(launch.artifact, &launch.config)?;
        let arena = &self.parts.arena;
        let values = (0..arena.n_sets())
            .map(|set| {
                arguments::encode(launch.arguments, function.parameter_sizes(), |name| {
                    arena.address(set, name)
                })
            })
            .collect::<Result<_, _>>()
            .map_err(|reason| {
                let entry = launch.artifact.manifest.entry_symbol.clone();
                DeviceError::InvalidExecution { entry, reason }
            })?;
        Ok(Candidate { launch: *launch, function, needs, values })
    }

    /// Runs a candidate once, on the first set, and brings that back.
    fn run_once(&mut self, candidate: &Candidate<'_>) -> Result<Image, Stop> {
        self.ensure_pairs(1)?;
        let poison_seed = self.rng.next_u64();
        let engine = &*self.engine;
        self.parts
            .arena
            .poison(&engine.stream, &engine.kernels, 1, poison_seed, 0)
            .map_err(|fault| self.own(&fault))?;
        // With an event between them, a programmatic launch does not overlap the poisoning.
        self.record_pair(0, true)?;
        self.launch(candidate, 0)?;
        self.record_pair(0, false)?;
        self.wait_for_pair(0)?;
        let bytes = self.image(0)?;
        Ok(Image { set: 0, poison_seed, bytes })
    }

    /// Queues one launch on a set.
    fn launch(&self, candidate: &Candidate<'_>, set: u32) -> Result<(), Stop> {
        candidate.queue(&self.engine.stream, set).map_err(|fault| self.refused(candidate, &fault))
    }

    /// A launch of a candidate that could not be made.
    fn refused(&self, candidate: &Candidate<'_>, fault: &DriverFault) -> Stop {
        let purpose = Purpose::Launch(&candidate.launch.config, candidate.needs);
        fault::stop(fault, purpose, &self.engine.context)
    }

    fn own(&self, fault: &DriverFault) -> Stop {
        self.engine.own(fault)
    }

    fn time_up(&self) -> Stop {
        self.engine.context.give_up();
        Stop::TimeUp(Duration::from_nanos(self.plan.time_limit_ns))
    }

    /// Waits for the end of a pair of events.
    fn wait_for_pair(&self, pair: usize) -> Result<(), Stop> {
        let Some((_, end)) = self.engine.pairs.get(pair) else { return Ok(()) };
        match self.engine.stream.wait(end, self.deadline).map_err(|fault| self.own(&fault))? {
            Waited::Done => Ok(()),
            Waited::TimeUp => Err(self.time_up()),
        }
    }

    fn image(&mut self, set: u32) -> Result<Vec<u8>, Stop> {
        let engine = &mut *self.engine;
        let image = self.parts.arena.image(&engine.stream, &mut engine.staging, set, self.deadline);
        image.map_err(|end| match end {
            TransferEnd::Fault(fault) => self.own(&fault),
            TransferEnd::TimeUp => self.time_up(),
        })
    }

    /// The image of a set that the last replay ran on; `None` for another.
    fn image_after(&mut self, entry: &Entry<'_>, set: u32) -> Result<Option<Image>, Stop> {
        let Some((launches, poison_seed)) = entry.last.filter(|(launches, _)| set < *launches)
        else {
            return Ok(None);
        };
        debug_assert!(launches > set);
        Ok(Some(Image { set, poison_seed, bytes: self.image(set)? }))
    }

    /// Images of sets drawn at random from those the last replay ran on, but for the first set.
    fn later(&mut self, entry: &Entry<'_>) -> Result<Vec<Image>, Stop> {
        let launches = entry.last.map_or(0, |(launches, _)| launches);
        let mut sets: Vec<u32> = (1..launches.min(self.parts.arena.n_sets())).collect();
        sets.shuffle(&mut self.rng);
        sets.truncate(self.plan.images_after as usize);
        let mut later = Vec::new();
        for set in sets {
            later.extend(self.image_after(entry, set)?);
        }
        Ok(later)
    }

    fn timing(&self, entry: &mut Entry<'_>, copies: Vec<u64>) -> Result<Timing, Stop> {
        let taken = if entry.samples.is_empty() { &mut entry.plain } else { &mut entry.samples };
        let samples = |ns: Vec<u64>| {
            Samples::new(ns).map_err(|error| {
                Stop::Failed(DeviceError::Lost { reason: format!("nothing was timed: {error}") })
            })
        };
        Ok(Timing {
            samples: samples(std::mem::take(taken))?,
            copy: samples(copies)?,
            hot: None,
            alone: None,
            launches: entry.graphs.launches,
            sets: self.parts.arena.n_sets(),
            throttled: entry.throttled,
            clocks: entry.clocks,
            lost: entry.state == Next::Lost,
        })
    }
}

/// Where the time goes.
struct Laps(Instant);

impl Laps {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the last lap.
    fn lap_us(&mut self) -> u64 {
        let last = std::mem::replace(&mut self.0, Instant::now());
        u64::try_from((self.0 - last).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Candidate<'_> {
    /// Queues one launch on a set.
    fn queue(&self, stream: &super::driver::Stream, set: u32) -> Result<(), DriverFault> {
        let values = self.values.get(set as usize).map_or(&[][..], Vec::as_slice);
        stream.launch(&self.function, &self.launch.config, values)
    }
}

impl<'a> Entry<'a> {
    fn new(candidate: Candidate<'a>, graphs: Graphs) -> Self {
        Self {
            candidate,
            graphs,
            samples: Vec::new(),
            plain: Vec::new(),
            throttled: 0,
            clocks: None,
            state: Next::Continue,
            last: None,
        }
    }
}

/// The error of a contest whose context one of the candidates took along: the others cannot be
/// timed in this process any more.
fn lost_to(candidate: usize, stop: Stop, phase: Phase) -> DeviceError {
    match stop.into_rejection(phase) {
        Err(error) => error,
        Ok(rejection) if candidate == usize::MAX => DeviceError::Lost {
            reason: format!("a candidate of a contest {}", rejection.summary()),
        },
        Ok(rejection) => DeviceError::Lost {
            reason: format!("candidate `{candidate}` of a contest {}", rejection.summary()),
        },
    }
}
