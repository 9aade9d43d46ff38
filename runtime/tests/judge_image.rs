//! What the judge says of images of memory with planted damage.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on fails; its tensors are small"
)]

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use ridge_runtime::measure::layout::RED_ZONE_BYTES;
use ridge_runtime::measure::{Image, Layout, TensorLayout, poison};
use ridge_runtime::numeric::{decode_slice, encode_slice};
use ridge_runtime::verify::reference::{Reference, ReferenceError, ReferenceInputs};
use ridge_runtime::verify::{
    Case, Distribution, ExpectedValues, Judgement, Problem, ReferenceSet, TensorShape, VerifyError,
    judge,
};
use ridge_spec::dtype::Dtype;
use ridge_spec::outcome::{AxisLength, Rejection, ToleranceUsed};

const ROWS: u64 = 7;
const COLS: u64 = 33;

/// `y = x`, `n = m + 1` and, in 16 bits, `h = 2 x`.
struct Sums;

impl Reference for Sums {
    fn evaluate(
        &self,
        _: &Problem,
        inputs: &ReferenceInputs<'_>,
    ) -> Result<Vec<ExpectedValues>, ReferenceError> {
        let (x, m) = (inputs.values(0), inputs.values(1));
        let real = |scale: f64| {
            ExpectedValues::Real(Arc::new(x.iter().map(|value| value * scale).collect()))
        };
        let integers = m.iter().map(|value| *value as i64 + 1).collect();
        Ok(vec![real(1.0), ExpectedValues::Integer(Arc::new(integers)), real(2.0)])
    }

    fn is_function(&self) -> bool {
        true
    }
}

struct World {
    references: ReferenceSet,
    case: Arc<Case>,
    layout: Layout,
    /// An honest image.
    image: Image,
}

fn shape(name: &str, dtype: Dtype) -> TensorShape {
    let axis = |name: &str, length| AxisLength { name: name.to_owned(), length };
    let bounds = (!dtype.is_float()).then_some(-100..100);
    let axes = vec![axis("rows", ROWS), axis("cols", COLS)];
    TensorShape { name: name.to_owned(), dtype, axes, bounds, constant: false, tolerance: None }
}

fn world(distribution: Distribution, tolerance: f64) -> World {
    let tolerance = ToleranceUsed { absolute: tolerance, relative: tolerance, matched_ratio: 1.0 };
    let problem = Problem {
        workload: "small".to_owned(),
        axes: Vec::new(),
        inputs: vec![shape("x", Dtype::F32), shape("m", Dtype::I32)],
        scalars: Vec::new(),
        outputs: vec![shape("y", Dtype::F32), shape("n", Dtype::I32), shape("h", Dtype::Bf16)],
        tolerance,
    };
    let tensor = |shape: &TensorShape, is_output| TensorLayout {
        name: shape.name.clone(),
        dtype: shape.dtype,
        size_bytes: ROWS * COLS * shape.dtype.size_bytes(),
        is_output,
    };
    let inputs = problem.inputs.iter().map(|shape| tensor(shape, false));
    let outputs = problem.outputs.iter().map(|shape| tensor(shape, true));
    let layout = Layout::new(inputs.chain(outputs).collect(), 10_000);
    let references = ReferenceSet::new(problem, Arc::new(Sums), u64::MAX);
    let case = references.case(distribution, 3).unwrap();
    let image = honest(&references, &case, &layout);
    World { references, case, layout, image }
}

fn honest(references: &ReferenceSet, case: &Case, layout: &Layout) -> Image {
    let mut bytes = vec![0; layout.set_bytes() as usize];
    let set = 1;
    poison::fill(&mut bytes, 77, layout.set_bytes());
    for input in &case.inputs {
        bytes[place(layout, &input.name)].copy_from_slice(&input.bytes);
    }
    for (output, expected) in references.problem().outputs.iter().zip(&case.expected) {
        let values: Vec<f64> =
            (0..expected.values.len()).map(|at| expected.values.get(at)).collect();
        bytes[place(layout, &output.name)].copy_from_slice(&encode_slice(output.dtype, &values));
    }
    Image { set, poison_seed: 77, bytes }
}

fn place(layout: &Layout, name: &str) -> Range<usize> {
    let (offset, tensor) = layout.find(name).unwrap();
    offset as usize..(offset + tensor.size_bytes) as usize
}

static WORLD: LazyLock<World> = LazyLock::new(|| world(Distribution::Normal, 1e-2));

fn run(world: &World, spoil: impl FnOnce(&Layout, &mut [u8])) -> Judgement {
    let mut image = world.image.clone();
    spoil(&world.layout, &mut image.bytes);
    let previous = Some(&world.image);
    judge(&world.references, &world.case, &world.layout, &image, previous).unwrap()
}

/// What is said of an image after `spoil`.
#[track_caller]
fn check(code: &str, message: &str, spoil: impl FnOnce(&Layout, &mut [u8])) -> Rejection {
    let rejection = run(&WORLD, spoil).rejection.unwrap();
    assert_eq!(rejection.code(), code, "{}", rejection.summary());
    assert!(rejection.summary().contains(message), "{}", rejection.summary());
    assert!(rejection.is_consistent());
    rejection
}

#[track_caller]
fn check_place(rejection: &Rejection, buffer: &str, offset: i64) {
    let finding = rejection.finding().unwrap();
    assert_eq!((finding.buffer.as_deref(), finding.offset_bytes), (Some(buffer), Some(offset)));
}

#[test]
fn an_honest_image_passes() {
    let judgement = run(&WORLD, |_, _| {});
    assert_eq!(judgement.rejection, None);
    assert_eq!(judgement.repeatable, Some(true));
    let names: Vec<&str> = judgement.outputs.iter().map(|one| one.output.as_str()).collect();
    assert_eq!(names, ["y", "n", "h"]);
    assert!(judgement.outputs.iter().all(|one| one.n_compared == ROWS * COLS));
    assert!(judgement.outputs.iter().all(|one| one.worst_ratio < 1.0));
}

#[test]
fn other_bits_within_tolerance_pass_and_are_not_repeatable() {
    let judgement = run(&WORLD, |layout, bytes| bytes[place(layout, "y").start] ^= 1);
    assert_eq!(judgement.rejection, None);
    assert_eq!(judgement.repeatable, Some(false));
    assert!(judgement.outputs[0].worst.is_some());
}

#[test]
fn images_of_other_sets_say_nothing_of_repeatability() {
    let World { references, case, layout, image } = &*WORLD;
    let other = Image { set: 0, ..image.clone() };
    for previous in [None, Some(&other)] {
        let judgement = judge(references, case, layout, image, previous).unwrap();
        assert_eq!((judgement.repeatable, judgement.rejection), (None, None));
    }
}

#[test]
fn a_write_past_an_end_names_the_buffer_and_the_place() {
    let size = (ROWS * COLS * 4) as i64;
    let found = check("out_of_bounds", "behind `y`, which has 924 bytes", |layout, bytes| {
        let end = place(layout, "y").end;
        bytes[end + 4..end + 12].fill(0);
    });
    check_place(&found, "y", size + 4);
    let last = check("out_of_bounds", "1 bytes behind `h`", |layout, bytes| {
        let end = place(layout, "h").end;
        bytes[end] ^= 0x10;
    });
    check_place(&last, "h", size / 2);
    let before = check("out_of_bounds", "in front of `x`", |layout, bytes| {
        let start = place(layout, "x").start;
        bytes[start - 2] ^= 1;
    });
    check_place(&before, "x", -2);
    check("out_of_bounds", "4 bytes before `m`", |layout, bytes| {
        let start = place(layout, "m").start;
        bytes[start - 4] ^= 1;
    });
}

#[test]
fn a_write_to_an_input_names_the_element() {
    let found =
        check("modified_input", "2 of the 231 elements of the input `m`", |layout, bytes| {
            let start = place(layout, "m").start;
            for element in [35, 100] {
                bytes[start + element * 4 + 1] ^= 0x40;
            }
        });
    check_place(&found, "m", 35 * 4 + 1);
    assert!(found.summary().contains("first at [1, 2]"), "{}", found.summary());
}

#[test]
fn elements_that_hold_their_poison_were_not_written() {
    for (name, size, element) in [("y", 4, 230), ("n", 4, 0), ("h", 2, 67)] {
        let found = check("unwritten_output", name, |layout, bytes| {
            let start = place(layout, name).start + element * size;
            poison::fill(&mut bytes[start..start + size], 77, layout.set_bytes() + start as u64);
        });
        check_place(&found, name, (element * size) as i64);
        assert!(found.summary().contains("1 of the 231 elements"), "{}", found.summary());
    }
    let all = check("unwritten_output", "elements of `h`", |layout, bytes| {
        let range = place(layout, "h");
        let start = range.start as u64;
        poison::fill(&mut bytes[range], 77, layout.set_bytes() + start);
    });
    check_place(&all, "h", 0);
}

#[test]
fn wrong_elements_are_incorrect() {
    let found = check("incorrect", "`h`", |layout, bytes| bytes[place(layout, "h")].fill(0));
    assert!(found.finding().is_none());
    let Rejection::Incorrect(mismatch) = found else { unreachable!() };
    assert!(mismatch.inputs.is_some());
    check("incorrect", "`n`", |layout, bytes| bytes[place(layout, "n").start] ^= 1);
    let judgement = run(&WORLD, |layout, bytes| bytes[place(layout, "n").start] ^= 1);
    assert_eq!(judgement.outputs.len(), 3);
    assert_eq!(judgement.repeatable, Some(false));
}

#[test]
fn faults_come_before_what_they_explain() {
    check("out_of_bounds", "`n`", |layout, bytes| {
        let (n, x) = (place(layout, "n"), place(layout, "x"));
        bytes[n.start] ^= 1;
        bytes[x.start] ^= 1;
        bytes[n.end] ^= 1;
    });
}

#[test]
fn ill_conditioned_inputs_get_their_slack() {
    // The reference moves by about 2^-22 of a value with its inputs; so may a kernel.
    let tight = world(Distribution::Cancellation, 1e-7);
    let nudge = |layout: &Layout, bytes: &mut [u8], by: f64| {
        let range = place(layout, "y");
        let mut values = decode_slice(Dtype::F32, &bytes[range.clone()]);
        let largest = values.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
        *largest *= 1.0 + by;
        bytes[range].copy_from_slice(&encode_slice(Dtype::F32, &values));
    };
    // What 16 bits round away is no more than a part in 2^9 of `h`.
    let coarse = |judgement: Judgement| match judgement.rejection {
        Some(Rejection::Incorrect(mismatch)) => mismatch.output,
        other => unreachable!("{other:?}"),
    };
    assert_eq!(coarse(run(&tight, |layout, bytes| nudge(layout, bytes, 3e-7))), "h");
    assert_eq!(coarse(run(&tight, |layout, bytes| nudge(layout, bytes, 1e-3))), "y");
}

#[test]
fn an_image_of_something_else_is_an_error() {
    let World { references, case, layout, image } = &*WORLD;
    let short = Image { bytes: image.bytes[1..].to_vec(), ..image.clone() };
    let mut tensors = layout.tensors().to_vec();
    tensors.swap(2, 3);
    tensors[2].size_bytes += 4;
    let other = Layout::new(tensors, 10_000);
    for (layout, image) in [(layout, &short), (&other, image)] {
        let error = judge(references, case, layout, image, None).unwrap_err();
        assert!(matches!(error, VerifyError::Image { .. }), "{error}");
        assert_eq!(error.code(), "verify.outputs-disagree");
    }
}

/// A place in a set, near the borders of tensors more often than anywhere.
fn places() -> impl Strategy<Value = usize> {
    let layout = &WORLD.layout;
    let borders: Vec<usize> = layout
        .tensors()
        .iter()
        .flat_map(|tensor| {
            let range = place(layout, &tensor.name);
            [range.start, range.end]
        })
        .chain([0, layout.set_bytes() as usize])
        .collect();
    let set_bytes = layout.set_bytes() as usize;
    let near = (prop::sample::select(borders), 0..64_usize)
        .prop_map(move |(border, by)| (border + by).saturating_sub(32).min(set_bytes - 1));
    prop_oneof![near, 0..set_bytes]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever byte is changed, and however: it is refused, or it is a value within tolerance
    /// that repeatability shows.
    #[test]
    fn no_damaged_byte_goes_unnoticed(at in places(), by in 1..=255_u8) {
        let layout = &WORLD.layout;
        let judgement = run(&WORLD, |_, bytes| bytes[at] ^= by);
        let of = |tensor: &&TensorLayout| place(layout, &tensor.name).contains(&at);
        match (layout.tensors().iter().find(of), judgement.rejection) {
            (None, Some(Rejection::OutOfBounds(finding))) => {
                let buffer = place(layout, finding.buffer.as_deref().unwrap());
                prop_assert_eq!(finding.offset_bytes, Some(at as i64 - buffer.start as i64));
                prop_assert!(finding.offset_bytes.unwrap().unsigned_abs() <= 2 * RED_ZONE_BYTES);
            }
            (Some(tensor), Some(Rejection::ModifiedInput(finding))) => {
                prop_assert!(!tensor.is_output);
                prop_assert_eq!(finding.buffer.as_deref(), Some(tensor.name.as_str()));
            }
            (Some(tensor), rejection) => {
                prop_assert!(tensor.is_output);
                prop_assert_eq!(judgement.repeatable, Some(false));
                let is_wrong = matches!(
                    rejection,
                    None | Some(Rejection::Incorrect(_) | Rejection::UnwrittenOutput(_))
                );
                prop_assert!(is_wrong);
                prop_assert!(rejection.is_some() || tensor.dtype.is_float());
            }
            (None, other) => prop_assert!(false, "{:?}", other),
        }
    }
}
