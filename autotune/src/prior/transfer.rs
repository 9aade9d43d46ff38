//! Priors from the campaigns of other devices, workloads and versions of a kernel.

use std::collections::{BTreeMap, BTreeSet};

use ridge_spec::expression::Value;
use ridge_spec::outcome::Outcome;
use ridge_spec::record::TuningRecord;
use ridge_spec::space::{Candidate, LegalSpace, Parameter};

use super::{Place, Prior, PriorSource};
use crate::gaussian::{Observations, expected_slowdowns};
use crate::landscape::Landscape;

/// Successes at which a campaign has half its weight: a handful says little.
const HALF_TRUSTED: f64 = 10.0;

/// A campaign that was run elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// What it is called where its use is told.
    pub name: String,
    /// Where and on what it ran.
    pub place: Place,
    /// What it evaluated, in order.
    pub evaluations: Vec<(Candidate, Outcome)>,
}

impl Campaign {
    /// A recorded landscape as the campaign that evaluated all of it.
    pub fn of(landscape: &Landscape) -> Self {
        let evaluation =
            |index| (landscape.space().candidate(index), landscape.outcome(index).clone());
        Self {
            name: landscape.to_string(),
            place: landscape.place.clone(),
            evaluations: (0..landscape.space().len()).map(evaluation).collect(),
        }
    }
}

/// How a campaign was used.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceUse {
    /// The campaign's name.
    pub name: String,
    /// Its share of the prior, from 0 to 1; 0 where it says nothing of this space.
    pub share: f64,
    /// Evaluations that were used.
    pub n_used: usize,
    /// Evaluations that have a value which this space has nothing like.
    pub n_dropped: usize,
    /// Parameters of this space that the campaign did not have; it says nothing of them.
    pub unknown_parameters: Vec<String>,
}

/// A prior from other campaigns, and what became of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// The prior; `None` where no campaign says anything.
    pub prior: Option<Prior>,
    /// The campaigns in the order in which they were given.
    pub sources: Vec<SourceUse>,
}

impl Transfer {
    /// What campaigns elsewhere say of this space.
    ///
    /// Parameters are matched by name. Of a value that this space lacks, the nearest number is
    /// taken (in logarithms); evaluations with a text it lacks are dropped. What a parameter does
    /// that a campaign did not have is left open. Each campaign is interpolated by itself, and the
    /// logarithms of the slowdowns against each campaign's best are averaged by
    /// [`Place::similarity`]: so slow devices weigh as much as fast ones. The times are relative:
    /// 1 µs for a candidate as fast as every campaign's best. Deterministic for a seed.
    pub fn new(space: &LegalSpace, here: &Place, campaigns: &[Campaign], seed: u64) -> Self {
        let mut sources = Vec::with_capacity(campaigns.len());
        let mut usable: Vec<(usize, f64, Vec<f64>)> = Vec::new();
        for (place, campaign) in campaigns.iter().enumerate() {
            let (observations, n_dropped) = observations(space, &campaign.evaluations);
            let n_timed = observations.logarithms.iter().flatten().count() as f64;
            let names = space.parameters().iter().map(|parameter| &parameter.name);
            let unknown = names.zip(&observations.known).filter(|(_, known)| !**known);
            sources.push(SourceUse {
                name: campaign.name.clone(),
                share: 0.0,
                n_used: observations.rows.len(),
                n_dropped,
                unknown_parameters: unknown.map(|(name, _)| name.clone()).collect(),
            });
            if let Some(slowdowns) = expected_slowdowns(space, &observations, seed) {
                let trust = n_timed / (n_timed + HALF_TRUSTED);
                usable.push((place, trust * here.similarity(&campaign.place), slowdowns));
            }
        }
        let total: f64 = usable.iter().map(|(_, weight, _)| weight).sum();
        for (place, weight, _) in &usable {
            sources[*place].share = weight / total;
        }
        let prior = (total > 0.0).then(|| {
            let slowdown = |candidate: usize| {
                let weighted = usable.iter().map(|(_, weight, all)| weight * all[candidate]);
                weighted.sum::<f64>() / total
            };
            let times = (0..space.len()).map(|index| Some(1e3 * slowdown(index).exp()));
            let predicted_time_ns = times.collect();
            let sources = usable
                .iter()
                .map(|(_, weight, slowdowns)| PriorSource {
                    share: weight / total,
                    slowdowns: slowdowns.clone(),
                })
                .collect();
            Prior { predicted_time_ns, sources }
        });
        Self { prior, sources }
    }

    /// What earlier records say of this space: those of `kernel`, one campaign for each device,
    /// workload and version. Records of exactly `here` are used like all others; a campaign that
    /// resumes leaves its own out before.
    pub fn from_records(
        space: &LegalSpace,
        kernel: &str,
        here: &Place,
        records: &[TuningRecord],
        seed: u64,
    ) -> Self {
        Self::new(space, here, &campaigns(kernel, records), seed)
    }
}

/// The campaigns in a log, those of one kernel, in the order in which they first come.
pub fn campaigns(kernel: &str, records: &[TuningRecord]) -> Vec<Campaign> {
    let mut places = BTreeMap::new();
    let mut timed = BTreeSet::new();
    let mut campaigns: Vec<Campaign> = Vec::new();
    for record in records.iter().filter(|record| record.kernel == kernel) {
        let place = Place::of(record);
        let key = (place.version.clone(), place.device.clone(), record.workload.to_string());
        let at = *places.entry(key).or_insert_with(|| {
            let name = format!("{kernel} on {}, {}", place.device, record.workload);
            campaigns.push(Campaign { name, place, evaluations: Vec::new() });
            campaigns.len() - 1
        });
        // A finalist that is timed again, in another session, is no second evaluation.
        let again =
            record.outcome.time_ns().is_some() && !timed.insert((at, record.candidate.clone()));
        if !again {
            campaigns[at].evaluations.push((record.candidate.clone(), record.outcome.clone()));
        }
    }
    campaigns
}

/// A campaign's evaluations as points of this space, and how many are nothing like one. Of several
/// candidates that come to the same point the fastest counts.
fn observations(space: &LegalSpace, evaluations: &[(Candidate, Outcome)]) -> (Observations, usize) {
    let parameters = space.parameters();
    let known: Vec<bool> = parameters
        .iter()
        .map(|parameter| {
            evaluations.iter().any(|(candidate, _)| candidate.get(&parameter.name).is_some())
        })
        .collect();
    let mut at: BTreeMap<Vec<u16>, usize> = BTreeMap::new();
    let (mut rows, mut logarithms): (Vec<Vec<u16>>, Vec<Option<f64>>) = (Vec::new(), Vec::new());
    let mut n_dropped = 0;
    for (candidate, outcome) in evaluations {
        let row: Option<Vec<u16>> = parameters
            .iter()
            .zip(&known)
            .map(|(parameter, known)| match candidate.get(&parameter.name) {
                Some(value) => nearest(parameter, value),
                // A parameter that the campaign never had is left out of the model.
                None => (!known).then_some(0),
            })
            .collect();
        let Some(row) = row else {
            n_dropped += 1;
            continue;
        };
        let time = outcome.time_ns().map(|ns| (ns.max(1) as f64).ln());
        match at.get(&row) {
            Some(&place) => {
                logarithms[place] = match (logarithms[place], time) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            None => {
                at.insert(row.clone(), rows.len());
                rows.push(row);
                logarithms.push(time);
            }
        }
    }
    (Observations { rows, logarithms, known }, n_dropped)
}

/// The place of a value among a parameter's, or of the number nearest to it.
fn nearest(parameter: &Parameter, value: &Value) -> Option<u16> {
    let exact = parameter.values.iter().position(|known| known == value);
    let place = exact.or_else(|| {
        let wanted = value.as_integer()?;
        let distance = |known: i64| {
            if known > 0 && wanted > 0 {
                (known as f64 / wanted as f64).ln().abs()
            } else {
                // Beyond every distance of logarithms.
                100.0 + known.abs_diff(wanted) as f64
            }
        };
        let numbers = parameter.values.iter().enumerate();
        numbers
            .filter_map(|(place, known)| Some((distance(known.as_integer()?), place)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, place)| place)
    })?;
    u16::try_from(place).ok()
}
