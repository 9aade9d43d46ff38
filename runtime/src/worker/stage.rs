//! A stage on a device in a worker process.

use std::time::Duration;

use ridge_spec::outcome::{Phase, Rejection};

use super::exchange::{Region, Regions};
use super::host::{Asked, Host, RequestLimit, Staged, launch_parts, no_exchange};
use super::isolated::IsolatedDevice;
use super::process::room;
use super::protocol::{AttemptParts, ImageParts, Message, Request};
use crate::device::DeviceError;
use crate::measure::{Attempt, Contested, Evaluation, Image, Layout, Stage, TimingPlan};
use crate::verify::Launch;

/// Images of an evaluation besides those after the timed runs.
const IMAGES_BEFORE: u64 = 2;

/// A workload's tensors, in the worker and, to restore them, here.
pub(super) struct IsolatedStage<'d> {
    device: &'d IsolatedDevice,
    staged: Staged,
    layout: Layout,
}

impl<'d> IsolatedStage<'d> {
    pub(super) fn new(device: &'d IsolatedDevice, staged: Staged, layout: Layout) -> Self {
        Self { device, staged, layout }
    }

    fn evaluate_on(
        &mut self,
        host: &mut Host,
        launch: &Launch<'_>,
        plan: &TimingPlan,
    ) -> Asked<Evaluation> {
        self.layout = host.hold(&self.staged)?;
        let n_images = IMAGES_BEFORE + u64::from(plan.images_after);
        let mut regions = Regions::default();
        let exchange = host.exchange()?;
        let launch = launch_parts(exchange, &mut regions, launch).map_err(no_exchange)?;
        let bytes = self.layout.set_bytes().saturating_mul(n_images);
        let images = room(exchange, &mut regions, bytes).map_err(no_exchange)?;
        let request = Request::Evaluate { launch, plan: sendable(plan), images };
        let limit = RequestLimit { candidate: Duration::from_nanos(plan.time_limit_ns), bytes };
        let reply = match host.ask(&request, regions, limit, Phase::Verify)? {
            Ok(reply) => reply,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let evaluated = match reply.message {
            Message::Evaluated { attempt: AttemptParts::Rejected { rejection }, .. } => {
                Ok(Err(checked(rejection)))
            }
            Message::Evaluated { attempt, busy_ns } => {
                let mut slots = self.slots(host, images);
                slots.evaluation(attempt, busy_ns, plan.images_after).map(Ok)
            }
            _ => Err("no evaluation".to_owned()),
        };
        match evaluated {
            Ok(Ok(evaluation)) => {
                host.settle(reply.usable);
                Ok(Ok(evaluation))
            }
            Ok(Err(rejection)) => {
                host.spoil_stage();
                host.settle(reply.usable);
                Ok(Err(rejection))
            }
            Err(what) => Ok(Err(host.nonsense(Phase::Measure, &what))),
        }
    }

    fn slots<'a>(&'a self, host: &'a Host, region: Region) -> Slots<'a> {
        Slots { device: self.device, layout: &self.layout, host, next: region.offset }
    }

    /// Times candidates in a new worker. The rejection is that of all of them: one of them took
    /// the worker down.
    fn contest_once(
        &mut self,
        host: &mut Host,
        launches: &[Launch<'_>],
        plan: &TimingPlan,
    ) -> Asked<Vec<Attempt<Contested>>> {
        host.discard_used();
        self.layout = host.hold(&self.staged)?;
        let n_candidates = launches.len() as u64;
        let mut regions = Regions::default();
        let exchange = host.exchange()?;
        let launches = launches.iter().map(|launch| launch_parts(exchange, &mut regions, launch));
        let launches = launches.collect::<Result<Vec<_>, _>>().map_err(no_exchange)?;
        let n_images = u64::from(plan.images_after).saturating_mul(n_candidates);
        let bytes = self.layout.set_bytes().saturating_mul(n_images);
        let images = room(exchange, &mut regions, bytes).map_err(no_exchange)?;
        let request = Request::Contest { launches, plan: sendable(plan), images };
        let candidate = Duration::from_nanos(plan.time_limit_ns.saturating_mul(n_candidates));
        let limit = RequestLimit { candidate, bytes };
        let reply = match host.ask(&request, regions, limit, Phase::Measure)? {
            Ok(reply) => reply,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let contested = match reply.message {
            Message::Contested { attempts } if attempts.len() as u64 == n_candidates => {
                let mut slots = self.slots(host, images);
                let attempts = attempts.into_iter();
                attempts
                    .map(|attempt| slots.contested(attempt, plan.images_after))
                    .collect::<Result<Vec<_>, String>>()
            }
            _ => Err("no contest".to_owned()),
        };
        match contested {
            Ok(attempts) => {
                if attempts.iter().any(Result::is_err) {
                    host.spoil_stage();
                }
                host.settle(reply.usable);
                Ok(Ok(attempts))
            }
            Err(what) => Ok(Err(host.nonsense(Phase::Measure, &what))),
        }
    }

    /// Finds out who took the worker down, each alone, and lets the others go on together.
    fn contest_on(
        &mut self,
        host: &mut Host,
        launches: &[Launch<'_>],
        plan: &TimingPlan,
    ) -> Result<Vec<Attempt<Contested>>, DeviceError> {
        let together = match self.contest_once(host, launches, plan)? {
            Ok(attempts) => return Ok(attempts),
            Err(rejection) => rejection,
        };
        if launches.len() < 2 {
            return Ok(launches.iter().map(|_| Err(together.clone())).collect());
        }
        let mut attempts = Vec::with_capacity(launches.len());
        for launch in launches {
            let alone = self.contest_once(host, std::slice::from_ref(launch), plan)?;
            attempts.push(alone.and_then(|mut one| one.pop().unwrap_or(Err(together.clone()))));
        }
        let survivors: Vec<usize> =
            (0..launches.len()).filter(|&at| attempts[at].is_ok()).collect();
        if survivors.len() < 2 {
            return Ok(attempts);
        }
        let again: Vec<Launch<'_>> = survivors.iter().map(|&at| launches[at]).collect();
        match self.contest_once(host, &again, plan)? {
            Ok(found) => {
                for (at, attempt) in survivors.into_iter().zip(found) {
                    attempts[at] = attempt;
                }
            }
            Err(rejection) => {
                for at in survivors {
                    attempts[at] = Err(rejection.clone());
                }
            }
        }
        Ok(attempts)
    }
}

impl Stage for IsolatedStage<'_> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn evaluate(
        &mut self,
        launch: &Launch<'_>,
        plan: &TimingPlan,
    ) -> Result<Attempt<Evaluation>, DeviceError> {
        let device = self.device;
        let mut host = device.lock();
        let result = self.evaluate_on(&mut host, launch, plan);
        device.note(&host, result)
    }

    fn contest(
        &mut self,
        launches: &[Launch<'_>],
        plan: &TimingPlan,
    ) -> Result<Vec<Attempt<Contested>>, DeviceError> {
        if launches.is_empty() {
            return Ok(Vec::new());
        }
        let device = self.device;
        let mut host = device.lock();
        let result = self.contest_on(&mut host, launches, plan);
        device.note(&host, result)
    }
}

/// A plan that JSON can carry: it has no infinities.
fn sendable(plan: &TimingPlan) -> TimingPlan {
    let error = plan.relative_error;
    TimingPlan { relative_error: if error.is_finite() { error } else { f64::MAX }, ..*plan }
}

/// A rejection whose finding is of another kind cannot be recorded.
fn checked(rejection: Box<Rejection>) -> Box<Rejection> {
    if rejection.is_consistent() {
        return rejection;
    }
    let message = format!("the worker answered nonsense: {}", rejection.summary());
    Box::new(Rejection::Crash { phase: Phase::Measure, message, finding: None })
}

/// Reads images from where the worker was told to put them, one after another.
struct Slots<'a> {
    device: &'a IsolatedDevice,
    layout: &'a Layout,
    host: &'a Host,
    next: u64,
}

impl Slots<'_> {
    fn image(&mut self, parts: ImageParts) -> Result<Image, String> {
        if parts.set >= self.layout.n_sets() {
            return Err(format!("an image of set {} of {}", parts.set, self.layout.n_sets()));
        }
        let set_bytes = self.layout.set_bytes();
        let length = usize::try_from(set_bytes).map_err(|error| error.to_string())?;
        let mut bytes = self.device.image_buffer(length);
        let exchange = self.host.exchange().map_err(|error| error.to_string())?;
        exchange.read(self.next, &mut bytes).map_err(|error| error.to_string())?;
        self.next += set_bytes;
        Ok(Image { set: parts.set, poison_seed: parts.poison_seed, bytes })
    }

    fn later(&mut self, parts: &[ImageParts], n_max: u32) -> Result<Vec<Image>, String> {
        if parts.len() as u64 > u64::from(n_max) {
            return Err(format!("{} images instead of {n_max}", parts.len()));
        }
        parts.iter().map(|parts| self.image(*parts)).collect()
    }

    fn evaluation(
        &mut self,
        attempt: AttemptParts,
        busy_ns: u64,
        images_after: u32,
    ) -> Result<Evaluation, String> {
        let AttemptParts::Timed { timing, first: Some(first), again, later } = attempt else {
            return Err("an evaluation without an image".to_owned());
        };
        let first = self.image(first)?;
        let again = again.map(|again| self.image(again)).transpose()?;
        let later = self.later(&later, images_after)?;
        Ok(Evaluation { first, again, later, timing: *timing, busy_ns })
    }

    fn contested(
        &mut self,
        attempt: AttemptParts,
        images_after: u32,
    ) -> Result<Attempt<Contested>, String> {
        match attempt {
            AttemptParts::Rejected { rejection } => Ok(Err(checked(rejection))),
            AttemptParts::Timed { timing, first: None, again: None, later } => {
                let later = self.later(&later, images_after)?;
                Ok(Ok(Contested { timing: *timing, later }))
            }
            AttemptParts::Timed { .. } => Err("an image of no run".to_owned()),
        }
    }
}
