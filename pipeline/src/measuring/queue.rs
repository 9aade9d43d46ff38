//! Many candidates, one after another on each device, judged while the next one is timed.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;
use std::time::Instant;

use ridge_runtime::device::DeviceError;
use ridge_runtime::measure::{Attempt, Evaluation, TimingPlan};
use ridge_runtime::verify::judge::{Judgement, judge};
use ridge_runtime::verify::{Launch, VerifyError};
use ridge_spec::artifact::Artifact;
use ridge_spec::kernel::LaunchPlan;
use ridge_spec::outcome::Rejection;

use super::{Measured, OnDevice, Staging};
use crate::error::PipelineError;
use crate::evaluate::reference_failure;

/// Evaluations that wait for the judge: each holds a few images of a set of tensors.
const WAITING_MAX: usize = 2;

/// A candidate to be timed.
pub(crate) struct Job<T> {
    /// What goes with it through the queue.
    pub(crate) tag: T,
    pub(crate) artifact: Arc<Artifact>,
    pub(crate) plan: LaunchPlan,
}

/// What a device did with a candidate.
struct Attempted {
    device: usize,
    /// How often the device's stage had been restored when it began.
    generation: u64,
    plan: TimingPlan,
    attempt: Result<Attempt<Evaluation>, DeviceError>,
    measure_ns: u64,
}

impl Staging<'_> {
    /// Starts one thread a device and one that judges; they end when every sender of jobs is gone.
    /// `done` is called from the judge's thread, once for each job.
    pub(crate) fn start<'scope, T: Send + 'scope>(
        &'scope self,
        threads: &'scope Scope<'scope, '_>,
        done: &'scope (dyn Fn(T, Result<Measured, PipelineError>) + Sync),
    ) -> Sender<Job<T>> {
        let (sender, jobs) = channel::<Job<T>>();
        let (attempts, attempted) = sync_channel::<(Job<T>, Attempted)>(WAITING_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        for device in 0..self.stages.len() {
            let (jobs, attempts) = (Arc::clone(&jobs), attempts.clone());
            threads.spawn(move || self.serve(device, &jobs, &attempts));
        }
        threads.spawn(move || {
            for (job, attempted) in attempted {
                let measured = self.judged(&job, attempted);
                done(job.tag, measured);
            }
        });
        sender
    }

    fn serve<T>(
        &self,
        device: usize,
        jobs: &Mutex<Receiver<Job<T>>>,
        attempts: &SyncSender<(Job<T>, Attempted)>,
    ) {
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            let mut stage = self.stages[device].lock().unwrap_or_else(PoisonError::into_inner);
            let attempted = self.attempt(&mut stage, device, &job);
            drop(stage);
            if attempts.send((job, attempted)).is_err() {
                return;
            }
        }
    }

    fn attempt<T>(&self, stage: &mut OnDevice<'_>, device: usize, job: &Job<T>) -> Attempted {
        let plan = self.screening_plan();
        let launch = Launch::new(&job.artifact, &job.plan);
        let started = Instant::now();
        let _busy = self.busy.begin();
        let attempt = stage.stage.evaluate(&launch, &plan);
        let measure_ns = nanoseconds(started);
        Attempted { device, generation: stage.generation, plan, attempt, measure_ns }
    }

    /// Compares what a candidate left with what it should have left. One that seems wrong after
    /// another one was is tried again on fresh inputs: the other may have damaged those it had.
    fn judged<T>(&self, job: &Job<T>, attempted: Attempted) -> Result<Measured, PipelineError> {
        let device = attempted.device;
        let generation = attempted.generation;
        let measured = self.judge_once(attempted)?;
        if measured.result.is_ok() {
            return Ok(measured);
        }
        let mut stage = self.stages[device].lock().unwrap_or_else(PoisonError::into_inner);
        self.bench.devices[device].restore_stage();
        let is_stale = generation < stage.generation;
        stage.generation += 1;
        if !is_stale {
            return Ok(measured);
        }
        let again = self.attempt(&mut stage, device, job);
        let measured = self.judge_once(again)?;
        if measured.result.is_err() {
            self.bench.devices[device].restore_stage();
        }
        Ok(measured)
    }

    fn judge_once(&self, attempted: Attempted) -> Result<Measured, PipelineError> {
        let Attempted { device, plan, attempt, measure_ns, .. } = attempted;
        let started = Instant::now();
        let mut measured = self.unmeasured(device, "screen", &plan);
        measured.measure_ns = measure_ns;
        match attempt? {
            Err(rejection) => measured.result = Err(*rejection),
            Ok(evaluation) => {
                let refusal = self
                    .look(&evaluation, &mut measured)
                    .map_err(|error| reference_failure(self.bound.instance.workload(), &error))?;
                let Evaluation { first, again, later, timing, .. } = evaluation;
                for image in [Some(first), again].into_iter().flatten().chain(later) {
                    self.bench.devices[device].recycle(image);
                }
                measured.protocol = self.protocol("screen", &plan, Some(&timing));
                measured.result = match refusal {
                    Some(rejection) => Err(rejection),
                    None => self.plausible(timing),
                };
            }
        }
        measured.judge_ns = nanoseconds(started);
        if let Ok(timing) = &measured.result {
            self.note_best(timing.samples.median_ns());
        }
        Ok(measured)
    }

    /// Looks at every image of an evaluation; answers the first thing wrong.
    fn look(
        &self,
        evaluation: &Evaluation,
        measured: &mut Measured,
    ) -> Result<Option<Rejection>, VerifyError> {
        let first = &evaluation.first;
        let images =
            [Some((first, None)), evaluation.again.as_ref().map(|image| (image, Some(first)))];
        let later = evaluation.later.iter().map(|image| (image, None));
        for (image, previous) in images.into_iter().flatten().chain(later) {
            let case = self.case_of(image.set);
            let judgement = judge(self.references, case, &self.layout, image, previous)?;
            if let Some(rejection) = measured.take(judgement) {
                return Ok(Some(rejection));
            }
        }
        Ok(None)
    }
}

impl Measured {
    /// Adds what the judge said of one image; answers the rejection, if it is one.
    pub(super) fn take(&mut self, judgement: Judgement) -> Option<Rejection> {
        let worst = judgement.outputs.iter().map(|output| output.worst_ratio).fold(0.0, f64::max);
        self.worst_error = self.worst_error.max(worst);
        self.repeatable = judgement.repeatable.or(self.repeatable);
        judgement.rejection
    }
}

pub(super) fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
