//! Inputs with the outputs they should give, made once and shared by all candidates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;
use ridge_spec::kernel::{Instance, KernelSpec};
use ridge_spec::outcome::{InputsUsed, ToleranceUsed};

use super::compare::{Expected, ExpectedValues};
use super::distribution::Distribution;
use super::inputs::generate;
use super::problem::{Problem, TensorShape};
use super::reference::{
    self, InputTensor, Reference, ReferenceError, ReferenceInputs, ReferenceOptions,
};
use crate::numeric::codec::decode_slice;

/// Evaluations nearby that tell how sensitive a reference is.
const N_NEARBY: u64 = 3;
/// How far nearby inputs are, relatively: four roundings of single precision.
const NEARBY: f64 = 1.0 / (1 << 22) as f64;
/// How much more than the largest difference seen nearby is nobody's fault.
const SLACK: f64 = 6.0;
/// Elements side by side that share what was seen.
const NEIGHBOURS: usize = 32;

/// Inputs and the outputs they should give.
#[derive(Debug)]
pub struct Case {
    /// How the inputs were made.
    pub inputs_used: InputsUsed,
    /// The inputs, in the problem's order.
    pub inputs: Vec<InputTensor>,
    /// The outputs, in the problem's order.
    pub expected: Vec<Expected>,
    /// The outputs with the slack that ill-conditioned inputs need, once somebody asked.
    tolerant: OnceLock<Result<Vec<Expected>, ReferenceError>>,
    ill_conditioned: bool,
}

impl Case {
    /// Bytes it keeps in memory.
    pub fn size_bytes(&self) -> u64 {
        let inputs: usize = self.inputs.iter().map(|input| input.bytes.len()).sum();
        let outputs: usize = self.expected.iter().map(|expected| expected.values.len() * 8).sum();
        (inputs + outputs) as u64
    }
}

/// The cases of one problem, shared by its candidates. Any number of threads may ask; each case is
/// made once.
pub struct ReferenceSet {
    problem: Problem,
    reference: Arc<dyn Reference>,
    memory_limit_bytes: u64,
    cases: Mutex<Cases>,
}

type Key = (Distribution, u64);
type Slot = Arc<OnceLock<Result<Arc<Case>, ReferenceError>>>;

#[derive(Default)]
struct Cases {
    slots: BTreeMap<Key, Slot>,
    /// Least recently used first.
    order: Vec<Key>,
}

impl ReferenceSet {
    /// The cases of a spec for one workload.
    ///
    /// # Errors
    /// When a golden file cannot be read.
    pub fn open(
        spec: &KernelSpec,
        instance: &Instance,
        options: &ReferenceOptions,
        memory_limit_bytes: u64,
    ) -> Result<Self, ReferenceError> {
        let reference = reference::open(spec, instance, options)?;
        Ok(Self::new(Problem::of(spec, instance), reference, memory_limit_bytes))
    }

    /// The cases of a problem. Beyond `memory_limit_bytes` those least recently used are dropped,
    /// and made again when asked for.
    pub fn new(problem: Problem, reference: Arc<dyn Reference>, memory_limit_bytes: u64) -> Self {
        Self { problem, reference, memory_limit_bytes, cases: Mutex::default() }
    }

    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The case of a distribution and a seed. A reference that brings its own inputs has only one.
    ///
    /// # Errors
    /// When inputs or expected outputs cannot be made; the same error each time.
    pub fn case(&self, distribution: Distribution, seed: u64) -> Result<Arc<Case>, ReferenceError> {
        let key = (distribution, seed);
        let slot = {
            let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
            cases.order.retain(|other| *other != key);
            cases.order.push(key);
            Arc::clone(cases.slots.entry(key).or_default())
        };
        let case =
            slot.get_or_init(|| apart(|| self.make(distribution, seed).map(Arc::new))).clone();
        self.forget_oldest(key);
        case
    }

    /// The expected outputs of a case with slack: what no kernel of single precision can be blamed
    /// for with these inputs. `None` where the case is well conditioned or the reference cannot be
    /// evaluated elsewhere.
    ///
    /// # Errors
    /// When the reference fails.
    pub fn tolerant<'a>(&self, case: &'a Case) -> Result<Option<&'a [Expected]>, ReferenceError> {
        if !case.ill_conditioned || !self.reference.is_function() {
            return Ok(None);
        }
        let tolerant = case.tolerant.get_or_init(|| apart(|| self.make_tolerant(case)));
        tolerant.as_deref().map(Some).map_err(Clone::clone)
    }

    fn forget_oldest(&self, newest: Key) {
        let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let sizes = cases.slots.values().filter_map(|slot| slot.get());
            let held: u64 = sizes.flatten().map(|case| case.size_bytes()).sum();
            let oldest = cases.order.first().copied().filter(|key| *key != newest);
            let Some(oldest) = oldest.filter(|_| held > self.memory_limit_bytes) else { return };
            cases.order.remove(0);
            cases.slots.remove(&oldest);
        }
    }

    /// Refuses what the machine has no memory for before any of it is used: a failed allocation in
    /// the middle would end the process.
    fn check_memory(&self) -> Result<(), ReferenceError> {
        let Problem { workload, inputs, outputs, .. } = &self.problem;
        // An element as it is, and its value once for an input, or for an output where it is
        // computed and where the parts are joined.
        let need = |tensors: &[TensorShape], values: u64| {
            tensors.iter().fold(0_u64, |sum, tensor| {
                let n = tensor.shape().iter().fold(1_u64, |n, &length| n.saturating_mul(length));
                let each = tensor.dtype.size_bytes() + 8 * values;
                sum.saturating_add(n.saturating_mul(each))
            })
        };
        let bytes = need(inputs, 1).saturating_add(need(outputs, 2));
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
        let given = Vec::<u8>::new().try_reserve_exact(wanted);
        given.map_err(|_| ReferenceError::TooLarge { workload: workload.clone(), bytes })
    }

    fn make(&self, distribution: Distribution, seed: u64) -> Result<Case, ReferenceError> {
        self.check_memory()?;
        let own = self.reference.own_inputs(&self.problem)?;
        let is_own = own.is_some();
        let own = own.unwrap_or_else(|| vec![None; self.problem.inputs.len()]);
        let tensors = self.problem.inputs.iter().zip(own);
        let inputs = tensors
            .map(|(tensor, own)| {
                if let Some(own) = own {
                    return Ok(own);
                }
                let bytes = generate(&tensor.as_input(&tensor.shape()), distribution, seed)?;
                Ok(InputTensor { name: tensor.name.clone(), dtype: tensor.dtype, bytes })
            })
            .collect::<Result<Vec<_>, ReferenceError>>()?;
        let values = self.reference.evaluate(&self.problem, &ReferenceInputs::of(&inputs))?;
        let name = if is_own { "golden" } else { distribution.name() };
        Ok(Case {
            inputs_used: InputsUsed { distribution: name.to_owned(), seed },
            inputs,
            expected: values.into_iter().map(|values| Expected { values, slack: None }).collect(),
            tolerant: OnceLock::new(),
            ill_conditioned: !is_own && distribution.is_ill_conditioned(),
        })
    }

    fn make_tolerant(&self, case: &Case) -> Result<Vec<Expected>, ReferenceError> {
        let mut expected = case.expected.clone();
        let mut slacks: Vec<Vec<f32>> =
            expected.iter().map(|expected| vec![0.0; expected.values.len()]).collect();
        for round in 0..N_NEARBY {
            let nearby: Vec<Option<Vec<f64>>> =
                case.inputs.iter().map(|input| nearby(input, round)).collect();
            let inputs = ReferenceInputs { tensors: &case.inputs, nearby: &nearby };
            let values = self.reference.evaluate(&self.problem, &inputs)?;
            for ((slack, moved), expected) in slacks.iter_mut().zip(&values).zip(&expected) {
                slack.par_iter_mut().enumerate().for_each(|(index, slack)| {
                    let difference = (moved.get(index) - expected.values.get(index)).abs();
                    // A NaN says nothing.
                    *slack = slack.max(difference as f32);
                });
            }
        }
        let outputs = &self.problem.outputs;
        for ((expected, mut slack), output) in expected.iter_mut().zip(slacks).zip(outputs) {
            if matches!(expected.values, ExpectedValues::Real(_)) {
                level(&mut slack, &expected.values, self.problem.tolerance_of(output));
                expected.slack = Some(Arc::new(slack));
            }
        }
        Ok(expected)
    }
}

/// Turns the largest differences seen nearby into slack. An element may have been lucky each time,
/// so neighbours share the largest of their differences, each measured in its own tolerance.
fn level(differences: &mut [f32], expected: &ExpectedValues, tolerance: ToleranceUsed) {
    let bound = |index: usize| {
        let relative = tolerance.relative * expected.get(index).abs();
        relative.max(tolerance.absolute).clamp(f64::from(f32::MIN_POSITIVE), f64::MAX)
    };
    differences.par_chunks_mut(NEIGHBOURS).enumerate().for_each(|(chunk, differences)| {
        let first = chunk * NEIGHBOURS;
        let ratios = differences.iter().zip(first..).map(|(d, index)| f64::from(*d) / bound(index));
        let most = ratios.fold(0.0, f64::max);
        for (difference, index) in differences.iter_mut().zip(first..) {
            *difference = (SLACK * most * bound(index)) as f32;
        }
    });
}

/// The values of a float tensor, each moved a little; `None` for other types.
fn nearby(input: &InputTensor, round: u64) -> Option<Vec<f64>> {
    if !input.dtype.is_float() {
        return None;
    }
    let mut values = decode_slice(input.dtype, &input.bytes);
    values.par_iter_mut().enumerate().for_each(|(index, value)| {
        // A multiplicative hash; its upper half is even enough to draw from.
        let hash = (index as u64 + (round << 40) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = (hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let part = f64::from((hash >> 32) as u32) / f64::from(u32::MAX) * 2.0 - 1.0;
        *value *= 1.0 + NEARBY * part;
    });
    Some(values)
}

/// Runs on threads of its own. A worker of the caller's pool that waits here must not begin another
/// of the pool's tasks meanwhile: that one might ask for the very case being made.
fn apart<T: Send>(make: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let run = || match rayon::ThreadPoolBuilder::new().build() {
            Ok(pool) => pool.install(make),
            Err(_) => make(),
        };
        match scope.spawn(run).join() {
            Ok(made) => made,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
