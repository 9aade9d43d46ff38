//! `ridge simulate`: replays recorded landscapes against search strategies, to choose one.

pub mod cost_model;
pub(crate) mod files;
mod plot;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use ridge_autotune::landscape::Landscape;
use ridge_autotune::prior::{Campaign, Prior, Transfer};
pub use ridge_autotune::simulate::Performance;
use ridge_autotune::simulate::{CHECKPOINTS, Curve, Replay, log, replay};
use ridge_autotune::strategies::{DEFAULT, StrategyEntry, TABLE, find};
use ridge_spec::diagnostic::Diagnostic;
use serde::Serialize;

use crate::error::PipelineError;
use crate::event::{Event, Observer};
use crate::storage;
use files::Loaded;

/// The strategy that every other is compared with.
const BASELINE: &str = "random";

/// Evaluations of each earlier campaign that a prior is made from.
const PRIOR_LOG: usize = 200;

/// What to replay.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulateRequest {
    /// Landscape files, and folders of them.
    pub landscapes: Vec<PathBuf>,
    /// Names of strategies; `all` stands for every one. None: all.
    pub strategies: Vec<String>,
    /// Evaluations of each replay.
    pub budget: usize,
    /// Replays of each strategy on each landscape, with the seeds 0, 1, ….
    pub seeds: u64,
    /// Candidates asked for at once.
    pub batch: usize,
    /// Landscape files, and folders of them, whose campaigns are the priors of those of the same
    /// kernel elsewhere.
    pub priors: Vec<PathBuf>,
    /// Turn every prior upside down, to see what a prior that misleads costs.
    pub mislead: bool,
    /// Where to draw the convergence curves: an `.svg`, or an `.html` with every landscape.
    pub plot: Option<PathBuf>,
}

/// What came of it. Names are stable; `schema` is 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SimulateAnswer {
    /// Version of this form.
    pub schema: u32,
    /// Evaluations of each replay.
    pub budget: usize,
    /// Replays of each strategy on each landscape.
    pub seeds: u64,
    /// Candidates asked for at once.
    pub batch: usize,
    /// Numbers of evaluations that are compared: those of 10, 25, 50, 100, 200 within the budget.
    pub checkpoints: Vec<usize>,
    /// The landscapes.
    pub landscapes: Vec<LandscapeAnswer>,
    /// The strategies, the best first.
    pub strategies: Vec<StrategyAnswer>,
    /// Name of the strategy with the largest mean area under its curve.
    pub best: String,
    /// Where the plot was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plot: Option<String>,
    /// What was left out of the files, and why.
    pub warnings: Vec<Diagnostic>,
}

/// A landscape that was replayed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LandscapeAnswer {
    /// The file it is from.
    pub file: String,
    /// The kernel.
    pub kernel: String,
    /// The device.
    pub device: String,
    /// The workload, as text.
    pub workload: String,
    /// Its candidates.
    pub n_candidates: usize,
    /// Of those, how many failed.
    pub n_failed: usize,
    /// Of those, how many are within 5 % of the fastest.
    pub n_close: usize,
    /// The fastest time, nanoseconds.
    pub optimum_ns: u64,
    /// Why its times are doubted by whoever recorded them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspect: Option<String>,
    /// Campaigns elsewhere that its prior was made from.
    pub prior_sources: Vec<String>,
}

/// What a strategy did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StrategyAnswer {
    /// Its name.
    pub strategy: String,
    /// What it is.
    pub summary: String,
    /// The mean over landscapes.
    pub overall: Performance,
    /// On each landscape, in their order.
    pub per_landscape: Vec<Performance>,
}

/// Replays landscapes, draws the plot where one is asked for, and answers what each strategy did.
/// Deterministic for the request and the files.
///
/// # Errors
/// [`PipelineError::Spec`] with `simulate.none` where there is no landscape, `simulate.plot` for a
/// plot that is neither `.svg` nor `.html`, `strategy.unknown`, `landscape.*` for files that cannot
/// be read or are none; [`PipelineError::Write`] where the plot cannot be written.
pub fn run(
    request: &SimulateRequest,
    observer: &dyn Observer,
) -> Result<SimulateAnswer, PipelineError> {
    let entries = entries(&request.strategies).map_err(refuse)?;
    if let Some(path) = &request.plot {
        plot::format(path).map_err(refuse)?;
    }
    observer.notify(Event::Step("reading landscapes"));
    let mut warnings = Vec::new();
    let landscapes = files::load(&request.landscapes, &mut warnings)?;
    let sources = files::load(&request.priors, &mut warnings)?;
    if landscapes.is_empty() {
        return Err(refuse(
            Diagnostic::new("simulate.none", "there is no landscape to replay")
                .hint("name `.json`, `.json.gz` or `.jsonl` files, or folders of them"),
        ));
    }
    for warning in &warnings {
        observer.notify(Event::Warning(warning));
    }
    let replayer = Replayer { request, entries: &entries, landscapes: &landscapes, observer };
    let logs = replayer.logs(&sources);
    let curves = replayer.curves(&sources, &logs);
    let mut answer = replayer.answer(&sources, &curves, warnings);
    if let Some(path) = &request.plot {
        storage::write_whole(path, plot::render(&answer, path).as_bytes())?;
        answer.plot = Some(path.display().to_string());
    }
    Ok(answer)
}

fn refuse(diagnostic: Diagnostic) -> PipelineError {
    PipelineError::Spec(vec![diagnostic])
}

/// The strategies asked for, and the baseline.
fn entries(names: &[String]) -> Result<Vec<&'static StrategyEntry>, Diagnostic> {
    let mut chosen: Vec<&'static StrategyEntry> = Vec::new();
    let mut add = |entry: &'static StrategyEntry| {
        if chosen.iter().all(|known| known.name != entry.name) {
            chosen.push(entry);
        }
    };
    let everything = ["all".to_owned()];
    for name in if names.is_empty() { &everything[..] } else { names } {
        match name.as_str() {
            "all" => TABLE.iter().for_each(&mut add),
            name => add(find(name)?),
        }
    }
    add(find(BASELINE)?);
    Ok(chosen)
}

/// A source's evaluations, one list for each seed.
type Logs = Vec<Vec<Campaign>>;

struct Replayer<'a> {
    request: &'a SimulateRequest,
    entries: &'a [&'static StrategyEntry],
    landscapes: &'a [Loaded],
    observer: &'a dyn Observer,
}

impl Replayer<'_> {
    /// What a campaign of the default strategy left behind at each source that is of use, for each
    /// seed.
    fn logs(&self, sources: &[Loaded]) -> Logs {
        let needed: Vec<bool> = sources
            .iter()
            .map(|source| self.landscapes.iter().any(|target| is_elsewhere(source, target)))
            .collect();
        let jobs = self.request.seeds * needed.iter().filter(|needed| **needed).count() as u64;
        let progress = Progress::new(self.observer, "earlier campaigns", jobs);
        sources
            .par_iter()
            .zip(&needed)
            .map(|(source, needed)| {
                let seeds = if *needed { self.request.seeds } else { 0 };
                (0..seeds)
                    .into_par_iter()
                    .map(|seed| {
                        let campaign = campaign(&source.landscape, seed);
                        progress.step();
                        campaign
                    })
                    .collect()
            })
            .collect()
    }

    /// For each strategy and landscape, the curves of all seeds.
    fn curves(&self, sources: &[Loaded], logs: &Logs) -> Vec<Vec<Vec<Curve>>> {
        let jobs = self.landscapes.len() as u64 * self.request.seeds;
        let progress = Progress::new(self.observer, "replays", jobs * self.entries.len() as u64);
        let by_landscape: Vec<Vec<Vec<Curve>>> = self
            .landscapes
            .par_iter()
            .map(|target| {
                let seeds = (0..self.request.seeds).into_par_iter();
                seeds
                    .map(|seed| self.curves_of_seed(target, sources, logs, seed, &progress))
                    .collect()
            })
            .collect();
        let of = |strategy: usize| {
            let landscapes = by_landscape.iter();
            landscapes
                .map(|seeds| seeds.iter().map(|curves| curves[strategy].clone()).collect())
                .collect()
        };
        (0..self.entries.len()).map(of).collect()
    }

    /// One curve for each strategy.
    fn curves_of_seed(
        &self,
        target: &Loaded,
        sources: &[Loaded],
        logs: &Logs,
        seed: u64,
        progress: &Progress<'_>,
    ) -> Vec<Curve> {
        let landscape = &target.landscape;
        let settings = Replay {
            budget: self.request.budget,
            batch: self.request.batch,
            prior: prior(target, sources, logs, seed)
                .map(|prior| if self.request.mislead { prior.inverted() } else { prior }),
        };
        self.entries
            .iter()
            .map(|entry| {
                let curve = replay(landscape, entry, seed, &settings);
                progress.step();
                curve
            })
            .collect()
    }

    fn answer(
        &self,
        sources: &[Loaded],
        curves: &[Vec<Vec<Curve>>],
        warnings: Vec<Diagnostic>,
    ) -> SimulateAnswer {
        let mut strategies: Vec<StrategyAnswer> = self
            .entries
            .iter()
            .zip(curves)
            .filter_map(|(entry, curves)| {
                let per_landscape: Vec<Performance> = self
                    .landscapes
                    .iter()
                    .zip(curves)
                    .map(|(loaded, curves)| Performance::new(&loaded.landscape, curves))
                    .collect();
                Some(StrategyAnswer {
                    strategy: entry.name.to_owned(),
                    summary: entry.summary.to_owned(),
                    overall: Performance::mean(&per_landscape)?,
                    per_landscape,
                })
            })
            .collect();
        // A stable sort: equal ones stay in the table's order.
        strategies.sort_by(|a, b| b.overall.area.total_cmp(&a.overall.area));
        let best = strategies.first().map_or(DEFAULT, |best| best.strategy.as_str()).to_owned();
        let budget = self.request.budget;
        SimulateAnswer {
            schema: 1,
            budget,
            seeds: self.request.seeds,
            batch: self.request.batch,
            checkpoints: CHECKPOINTS.into_iter().filter(|&at| at <= budget).collect(),
            landscapes: self.landscapes.iter().map(|target| describe(target, sources)).collect(),
            strategies,
            best,
            plot: None,
            warnings,
        }
    }
}

fn describe(target: &Loaded, sources: &[Loaded]) -> LandscapeAnswer {
    let landscape = &target.landscape;
    let n_timed = landscape.times_ns().count();
    let close = |&time: &u64| time as f64 <= landscape.optimum_ns() as f64 * 1.05;
    let names = sources.iter().filter(|source| is_elsewhere(source, target));
    LandscapeAnswer {
        file: target.file.clone(),
        kernel: landscape.kernel.clone(),
        device: landscape.place.device.clone(),
        workload: landscape.workload.clone(),
        n_candidates: landscape.space().len(),
        n_failed: landscape.space().len() - n_timed,
        n_close: landscape.times_ns().filter(close).count(),
        optimum_ns: landscape.optimum_ns(),
        suspect: landscape.suspect.clone(),
        prior_sources: names.map(|source| source.landscape.to_string()).collect(),
    }
}

/// Whether a campaign at `source` is one of the same kernel as `target`, but not of the same
/// device and workload.
fn is_elsewhere(source: &Loaded, target: &Loaded) -> bool {
    let (a, b) = (&source.landscape, &target.landscape);
    a.kernel == b.kernel && (a.place.device != b.place.device || a.workload != b.workload)
}

fn campaign(landscape: &Landscape, seed: u64) -> Campaign {
    Campaign {
        name: landscape.to_string(),
        place: landscape.place.clone(),
        evaluations: find(DEFAULT)
            .map(|entry| log(landscape, entry, seed, PRIOR_LOG))
            .unwrap_or_default(),
    }
}

fn prior(target: &Loaded, sources: &[Loaded], logs: &Logs, seed: u64) -> Option<Prior> {
    let at = usize::try_from(seed).ok()?;
    let campaigns: Vec<Campaign> = sources
        .iter()
        .zip(logs)
        .filter(|(source, _)| is_elsewhere(source, target))
        .filter_map(|(_, seeds)| seeds.get(at).cloned())
        .collect();
    let landscape = &target.landscape;
    Transfer::new(landscape.space(), &landscape.place, &campaigns, seed).prior
}

/// Counts what is done and tells it.
struct Progress<'a> {
    observer: &'a dyn Observer,
    what: &'a str,
    n_total: usize,
    n_done: AtomicUsize,
}

impl<'a> Progress<'a> {
    fn new(observer: &'a dyn Observer, what: &'a str, n_total: u64) -> Self {
        let n_total = usize::try_from(n_total).unwrap_or(usize::MAX);
        let progress = Self { observer, what, n_total, n_done: AtomicUsize::new(0) };
        progress.tell(0);
        progress
    }

    fn step(&self) {
        self.tell(self.n_done.fetch_add(1, Ordering::Relaxed) + 1);
    }

    fn tell(&self, n_done: usize) {
        let (what, n_total) = (self.what, self.n_total);
        self.observer.notify(Event::Counted { what, n_done, n_total });
    }
}

#[cfg(test)]
mod tests;
