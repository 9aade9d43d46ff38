//! Verifying published artifacts: each runs, and what it leaves is compared with the reference.

use std::collections::BTreeMap;

use ridge_spec::artifact::Artifact;
use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{Role, Workload};
use ridge_spec::outcome::Rejection;
use ridge_spec::record::VerificationSummary;
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;
use serde::Serialize;

use crate::devices::DeviceChoice;
use crate::error::PipelineError;
use crate::evaluate::{Bound, Depth, Evaluator};
use crate::event::{Event, Observer};
use crate::folder::KernelFolder;
use crate::measuring::Bench;
use crate::setup::Setup;

/// A published candidate, and what it is for.
#[derive(Clone, Debug)]
pub struct Published<'a> {
    /// What reports call it.
    pub label: String,
    /// What it compiled to.
    pub artifact: &'a Artifact,
    /// Extents of the axes that are not derived.
    pub axes: BTreeMap<String, i64>,
    /// Dtypes of the type variables.
    pub types: BTreeMap<String, Dtype>,
    /// The candidate.
    pub candidate: Candidate,
    /// Where it is to run.
    pub profile: &'a DeviceProfile,
}

/// What came of one published candidate.
#[derive(Clone, Debug, Serialize)]
pub struct PublishedCheck {
    /// What it is called.
    pub entry: String,
    /// Whether it ran on some workload, and passed on all.
    pub passed: bool,
    /// The workloads it ran on.
    pub workloads: Vec<PublishedWorkload>,
}

/// What came of it on one workload.
#[derive(Clone, Debug, Serialize)]
pub struct PublishedWorkload {
    /// The workload.
    pub workload: String,
    /// What was checked; absent where it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationSummary>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
}

/// Runs every published candidate on the workloads to verify that share its artifact, and on its
/// own: whole where it is small, else a sample of blocks (all of them on a GPU).
///
/// # Errors
/// Where the device or the reference cannot answer; a candidate that fails is part of the answer.
pub fn run(
    setup: &Setup,
    folder: &KernelFolder,
    published: &[Published<'_>],
    device: &DeviceChoice,
    seed: u64,
    observer: &dyn Observer,
) -> Result<Vec<PublishedCheck>, PipelineError> {
    let bench = match device {
        DeviceChoice::Emulator => None,
        choice => {
            observer.notify(Event::Step("starting the device"));
            Some(Bench::open(setup, choice)?)
        }
    };
    observer.notify(Event::Step("running what was published"));
    let mut checks: Vec<Option<PublishedCheck>> = vec![None; published.len()];
    let mut open: Vec<usize> = (0..published.len()).collect();
    while let Some(&first) = open.first() {
        // What shares an artifact's axes and types shares the small workloads: they are made once.
        let profile = published[first].profile;
        let emulated = Evaluator::emulated(folder, profile, seed);
        let evaluator = match &bench {
            Some(bench) => emulated.on(bench.device()),
            None => emulated,
        };
        let session = Session { setup, folder, evaluator: &evaluator };
        let own = session.bind(&published[first])?;
        let siblings = session.siblings(&own)?;
        let mut rest = Vec::new();
        for place in open {
            let same = published[place].profile == profile;
            let bound = if same { Some(session.bind(&published[place])?) } else { None };
            match bound.filter(|bound| bound.shares_artifact(&own)) {
                Some(bound) => {
                    let check = session.check(&published[place], &bound, &siblings)?;
                    checks[place] = Some(check);
                }
                None => rest.push(place),
            }
        }
        open = rest;
    }
    observer.notify(Event::SearchEnded);
    Ok(checks.into_iter().flatten().collect())
}

struct Session<'a> {
    setup: &'a Setup,
    folder: &'a KernelFolder,
    evaluator: &'a Evaluator<'a>,
}

impl Session<'_> {
    /// The workload that a candidate was published for.
    fn bind(&self, published: &Published<'_>) -> Result<Bound, PipelineError> {
        let is_own = |own: &&Workload| own.axes == published.axes && own.types == published.types;
        let named = self.folder.spec.workloads.iter().find(is_own).cloned();
        let workload = named.unwrap_or_else(|| Workload {
            name: published.label.clone(),
            axes: published.axes.clone(),
            types: published.types.clone(),
            role: Role::Tune,
            tolerance: None,
            output_tolerances: BTreeMap::new(),
            scalars: BTreeMap::new(),
        });
        self.evaluator.bind(self.folder, &workload, self.setup)
    }

    /// The workloads to verify that share its artifact.
    fn siblings(&self, own: &Bound) -> Result<Vec<Bound>, PipelineError> {
        let mut siblings = Vec::new();
        for workload in &self.folder.spec.workloads {
            if workload.role == Role::Verify {
                let bound = self.evaluator.bind(self.folder, workload, self.setup)?;
                if bound.shares_artifact(own) {
                    siblings.push(bound);
                }
            }
        }
        Ok(siblings)
    }

    fn check(
        &self,
        published: &Published<'_>,
        own: &Bound,
        siblings: &[Bound],
    ) -> Result<PublishedCheck, PipelineError> {
        let mut workloads = Vec::new();
        let others = siblings.iter().filter(|other| other.name() != own.name());
        for bound in others.chain([own]) {
            if self.evaluator.legal(bound, &published.candidate).is_err() {
                continue;
            }
            let result = match self.evaluator.plan(bound, &published.candidate) {
                Ok(plan) => {
                    let depth = Depth::Full;
                    self.evaluator.run(bound, plan, published.artifact, depth)?.result
                }
                Err(rejection) => Err(rejection),
            };
            let (verification, rejection) = match result {
                Ok(summary) => (Some(summary), None),
                Err(rejection) => (None, Some(rejection)),
            };
            let workload = bound.name().to_owned();
            workloads.push(PublishedWorkload { workload, verification, rejection });
        }
        let passed = !workloads.is_empty() && workloads.iter().all(|own| own.rejection.is_none());
        Ok(PublishedCheck { entry: published.label.clone(), passed, workloads })
    }
}
