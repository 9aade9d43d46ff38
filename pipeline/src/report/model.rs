//! What the page shows, taken from the records: plain numbers, no drawing.

use std::collections::BTreeMap;

use ridge_spec::matrix::{AloneWinner, DeriveOptions, Matrix};
use ridge_spec::outcome::{Outcome, TermTime};
use ridge_spec::record::TuningRecord;
use ridge_spec::space::Candidate;

use crate::tune::is_final;

/// A campaign, workload by workload.
#[derive(Clone, Debug)]
pub(crate) struct Campaign {
    pub(crate) kernel: String,
    pub(crate) spec: String,
    pub(crate) device: String,
    pub(crate) profile: String,
    pub(crate) toolkit: String,
    pub(crate) tool_version: String,
    pub(crate) workloads: Vec<Workload>,
}

/// The search over one workload, with its finals.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) shape: String,
    pub(crate) bytes_min: u64,
    pub(crate) flops: u64,
    pub(crate) evaluations: Vec<Evaluation>,
    /// Who is surely faster alone than the best, where somebody is.
    pub(crate) fastest_alone: Option<AloneWinner>,
}

/// One evaluated candidate.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    pub(crate) candidate: Candidate,
    pub(crate) verdict: EvaluationVerdict,
    /// Bytes that the whole launch moves between multiprocessors and memory, 32-byte sectors, scaled
    /// from the blocks that ran.
    pub(crate) bytes_moved: Option<f64>,
    /// What was predicted of a measured candidate, nanoseconds.
    pub(crate) predicted_ns: Option<u64>,
    /// One launch behind a foreign kernel, nanoseconds, where that was timed.
    pub(crate) alone_ns: Option<u64>,
    pub(crate) phases: Phases,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum EvaluationVerdict {
    /// A time, predicted or measured, nanoseconds.
    Timed { time_ns: u64, terms: Vec<TermTime>, limiting: Option<String> },
    /// Refused: code and one line.
    Rejected { code: &'static str, summary: String },
}

/// Where its wall time went, nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phases {
    pub(crate) compile_ns: u64,
    pub(crate) verify_ns: u64,
    pub(crate) measure_ns: u64,
}

impl Campaign {
    /// The log's latest campaign, workload by workload in the order in which they appear. Of a
    /// candidate's records the last decides, in the place of its first. `None` without records.
    pub(crate) fn from_records(records: &[TuningRecord]) -> Option<Self> {
        let last = records.last()?;
        let ours = |record: &&TuningRecord| {
            record.spec == last.spec
                && record.environment.is_interchangeable(&last.environment)
                && record.seed == last.seed
        };
        let mut order: Vec<String> = Vec::new();
        let mut groups: BTreeMap<String, Workload> = BTreeMap::new();
        for record in records.iter().filter(ours) {
            let name = record.workload.name.clone();
            let group = groups.entry(name.clone()).or_insert_with(|| {
                order.push(name.clone());
                Workload {
                    name,
                    shape: record.workload.to_string(),
                    bytes_min: record.bytes_min,
                    flops: record.flops,
                    evaluations: Vec::new(),
                    fastest_alone: None,
                }
            });
            let evaluation = Evaluation::from_record(record);
            let earlier =
                group.evaluations.iter_mut().find(|other| other.candidate == evaluation.candidate);
            match earlier {
                Some(earlier) => earlier.supersede(evaluation),
                None => group.evaluations.push(evaluation),
            }
        }
        for entry in winners(records.iter().filter(ours), last).entries() {
            if let Some(group) = groups.get_mut(&entry.workload) {
                group.fastest_alone.clone_from(&entry.alone);
            }
        }
        Some(Self {
            kernel: last.kernel.clone(),
            spec: last.spec.short(),
            device: last.environment.device.clone(),
            profile: last.environment.profile.clone(),
            toolkit: last.environment.toolkit.clone(),
            tool_version: last.tool_version.clone(),
            workloads: order.into_iter().filter_map(|name| groups.remove(&name)).collect(),
        })
    }
}

/// The matrix of a campaign's finalists.
fn winners<'a>(records: impl Iterator<Item = &'a TuningRecord>, last: &TuningRecord) -> Matrix {
    let options = DeriveOptions { spec: Some(last.spec), ..DeriveOptions::default() };
    Matrix::derive(records.filter(|record| is_final(record)), &options)
}

impl Evaluation {
    fn from_record(record: &TuningRecord) -> Self {
        let verdict = match &record.outcome {
            Outcome::Measured(samples) => EvaluationVerdict::Timed {
                time_ns: samples.median_ns(),
                terms: record.prediction.iter().flat_map(|it| it.terms.clone()).collect(),
                limiting: record.prediction.as_ref().map(|it| it.limiting.to_string()),
            },
            Outcome::Predicted(prediction) => EvaluationVerdict::Timed {
                time_ns: prediction.time_ns,
                terms: prediction.terms.clone(),
                limiting: Some(prediction.limiting.to_string()),
            },
            Outcome::Rejected(rejection) => EvaluationVerdict::Rejected {
                code: rejection.code(),
                summary: match &record.refused_on {
                    Some(workload) => format!("on `{workload}`: {}", rejection.summary()),
                    None => rejection.summary(),
                },
            },
        };
        Self {
            candidate: record.candidate.clone(),
            verdict,
            bytes_moved: bytes_moved(record),
            predicted_ns: record.prediction.as_ref().map(|it| it.time_ns),
            alone_ns: record
                .companions
                .as_ref()
                .and_then(|it| Some(it.alone.as_ref()?.median_ns())),
            phases: Phases {
                compile_ns: record.phases.compile_ns,
                verify_ns: record.phases.verify_ns,
                measure_ns: record.phases.measure_ns,
            },
        }
    }

    /// Takes a later record of the same candidate into account.
    fn supersede(&mut self, later: Self) {
        self.verdict = later.verdict;
        self.alone_ns = later.alone_ns;
        self.phases.compile_ns += later.phases.compile_ns;
        self.phases.verify_ns += later.phases.verify_ns;
        self.phases.measure_ns += later.phases.measure_ns;
    }

    /// Its time, where it has one.
    pub(crate) fn time_ns(&self) -> Option<u64> {
        match self.verdict {
            EvaluationVerdict::Timed { time_ns, .. } => Some(time_ns),
            EvaluationVerdict::Rejected { .. } => None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are drawn, not added up")]
fn bytes_moved(record: &TuningRecord) -> Option<f64> {
    let counters = record.counters.as_ref()?;
    let blocks = record.launch.as_ref()?.blocks();
    if counters.blocks == 0 {
        return None;
    }
    let sectors = counters.block_sectors_read + counters.block_sectors_written;
    Some(sectors as f64 * 32.0 * blocks as f64 / counters.blocks as f64)
}

impl Workload {
    /// The best candidates, fastest first; ties in candidate order.
    pub(crate) fn ranking(&self) -> Vec<&Evaluation> {
        let mut timed: Vec<&Evaluation> =
            self.evaluations.iter().filter(|evaluation| evaluation.time_ns().is_some()).collect();
        timed.sort_by(|a, b| (a.time_ns(), &a.candidate).cmp(&(b.time_ns(), &b.candidate)));
        timed
    }

    /// For every parameter that varies: its values with the sorted times of their candidates.
    pub(crate) fn main_effects(&self) -> BTreeMap<String, BTreeMap<SortableValue, Vec<u64>>> {
        let mut effects: BTreeMap<String, BTreeMap<SortableValue, Vec<u64>>> = BTreeMap::new();
        for evaluation in &self.evaluations {
            let Some(time_ns) = evaluation.time_ns() else { continue };
            for (name, value) in evaluation.candidate.iter() {
                let key = SortableValue::new(value.to_string());
                effects.entry(name.to_owned()).or_default().entry(key).or_default().push(time_ns);
            }
        }
        effects.retain(|_, values| values.len() > 1);
        for times in effects.values_mut().flat_map(BTreeMap::values_mut) {
            times.sort_unstable();
        }
        effects
    }

    /// The fastest time for each pair of values of two parameters.
    pub(crate) fn pair(&self, first: &str, second: &str) -> Pair {
        let mut fastest = Pair::new();
        for evaluation in &self.evaluations {
            let Some(time_ns) = evaluation.time_ns() else { continue };
            let value = |name: &str| {
                let found = evaluation.candidate.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| SortableValue::new(value.to_string()))
            };
            if let (Some(first), Some(second)) = (value(first), value(second)) {
                let cell = fastest.entry((first, second)).or_insert(time_ns);
                *cell = time_ns.min(*cell);
            }
        }
        fastest
    }

    /// Rejected candidates: code to their number and the first one's line.
    pub(crate) fn rejections(&self) -> BTreeMap<&'static str, (usize, String)> {
        let mut causes: BTreeMap<&'static str, (usize, String)> = BTreeMap::new();
        for evaluation in &self.evaluations {
            if let EvaluationVerdict::Rejected { code, summary } = &evaluation.verdict {
                causes
                    .entry(code)
                    .or_insert_with(|| (0, format!("{}: {summary}", evaluation.candidate)))
                    .0 += 1;
            }
        }
        causes
    }
}

/// The fastest time, nanoseconds, for each pair of values.
pub(crate) type Pair = BTreeMap<(SortableValue, SortableValue), u64>;

impl SortableValue {
    fn new(text: String) -> Self {
        Self { number: text.parse().ok(), text }
    }
}

/// A parameter's value, numbers in numeric order before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SortableValue {
    pub(crate) number: Option<i64>,
    pub(crate) text: String,
}
