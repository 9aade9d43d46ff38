//! The last few candidates, timed alternately in a process that has run nothing before.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use ridge_runtime::measure::{Attempt, Contested};
use ridge_runtime::verify::Launch;
use ridge_runtime::verify::judge::judge;
use ridge_spec::artifact::Artifact;
use ridge_spec::kernel::LaunchPlan;
use ridge_spec::outcome::Samples;

use super::queue::nanoseconds;
use super::{Measured, Staging};
use crate::error::PipelineError;
use crate::evaluate::reference_failure;

/// Who takes part.
#[derive(Clone)]
pub(crate) struct Contender {
    pub(crate) artifact: Arc<Artifact>,
    pub(crate) plan: LaunchPlan,
}

/// What a contest gave.
pub(crate) struct Contest {
    /// In the order of the contenders.
    pub(crate) measured: Vec<Measured>,
    /// The first contender's samples as its own rival: its distance to itself is the noise.
    pub(crate) twin: Option<Samples>,
}

impl Staging<'_> {
    /// Times the contenders against each other, and the first one against itself.
    ///
    /// # Errors
    /// Where the device cannot answer.
    pub(crate) fn contest(&self, contenders: &[Contender]) -> Result<Contest, PipelineError> {
        let started = Instant::now();
        let plan = self.contest_plan();
        let mut launches: Vec<Launch<'_>> = contenders
            .iter()
            .map(|contender| Launch::new(&contender.artifact, &contender.plan))
            .collect();
        launches.extend(launches.first().copied());
        let mut stage = self.stages[0].lock().unwrap_or_else(PoisonError::into_inner);
        let attempts = {
            let _busy = self.busy.begin();
            stage.stage.contest(&launches, &plan)?
        };
        drop(stage);
        let share_ns = nanoseconds(started) / launches.len().max(1) as u64;
        let mut measured = attempts
            .into_iter()
            .map(|attempt| {
                let mut measured = self.unmeasured(0, "final", &plan);
                measured.measure_ns = share_ns;
                self.judge_contested(attempt, &mut measured)?;
                if let Ok(timing) = &measured.result {
                    measured.protocol = self.protocol("final", &plan, Some(timing));
                }
                Ok(measured)
            })
            .collect::<Result<Vec<_>, PipelineError>>()?;
        let twin = if measured.len() > contenders.len() { measured.pop() } else { None };
        let twin = twin.and_then(|twin| twin.result.ok()).map(|timing| timing.samples);
        Ok(Contest { measured, twin })
    }

    fn judge_contested(
        &self,
        attempt: Attempt<Contested>,
        measured: &mut Measured,
    ) -> Result<(), PipelineError> {
        let contested = match attempt {
            Ok(contested) => contested,
            Err(rejection) => {
                measured.result = Err(*rejection);
                return Ok(());
            }
        };
        let started = Instant::now();
        for image in &contested.later {
            let case = self.case_of(image.set);
            let judgement = judge(self.references, case, &self.layout, image, None)
                .map_err(|error| reference_failure(self.bound.instance.workload(), &error))?;
            if let Some(rejection) = measured.take(judgement) {
                measured.result = Err(rejection);
                return Ok(());
            }
        }
        for image in contested.later {
            self.bench.devices[0].recycle(image);
        }
        measured.judge_ns = nanoseconds(started);
        measured.result = self.plausible(contested.timing);
        Ok(())
    }
}
