//! Running a plan.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::NamedTensor;
use super::cast::round_to;
use super::evaluate::EvaluateError;
use super::function::{Binary, Unary, is_zero};
use super::graph::Op;
use super::plan::{Plan, Stage, Target};
use super::reduce::Partial;
use super::shapes::{AxisId, Shapes};
use super::walk::{View, copy, map1, map2, map3};
use crate::dtype::Dtype;

/// Start and length of the part of each axis that is computed.
type Window = Vec<(usize, usize)>;

/// An array over axes of the program, beginning at some position along each.
struct Array<'a> {
    data: Cow<'a, [f64]>,
    /// Axis, stride, and the position of the first element.
    axes: Vec<(AxisId, usize, usize)>,
}

/// The values of one evaluation.
pub(super) struct Executor<'a> {
    shapes: &'a Shapes<'a>,
    /// The part of every axis that is computed.
    whole: Window,
    /// Leaves and stored values, by node; during a stage also the body's box buffers.
    values: Vec<Option<Array<'a>>>,
    outputs: Vec<Array<'a>>,
    partial: Partial,
}

impl<'a> Executor<'a> {
    /// Takes the inputs and makes room for the outputs.
    pub(super) fn new(
        shapes: &'a Shapes<'a>,
        whole: Window,
        inputs: &'a BTreeMap<String, NamedTensor>,
    ) -> Result<Self, EvaluateError> {
        let mut values = Vec::with_capacity(shapes.nodes.len());
        for node in 0..shapes.nodes.len() {
            values.push(leaf(shapes, node, inputs)?);
        }
        let outputs = (shapes.program.outputs().iter())
            .map(|output| Array::zeros(&shapes.axes_of(&output.axes), &whole))
            .collect();
        let partial = Partial::new(super::Reduction::Max, 0);
        Ok(Self { shapes, whole, values, outputs, partial })
    }

    pub(super) fn run(&mut self, plan: &Plan) -> Result<(), EvaluateError> {
        plan.stages.iter().try_for_each(|stage| self.stage(stage))
    }

    pub(super) fn into_outputs(self) -> BTreeMap<String, NamedTensor> {
        let (shapes, whole) = (self.shapes, self.whole);
        let named = |(output, array): (&super::Output, Array<'_>)| {
            let ids = shapes.axes_of(&output.axes);
            let extents = ids.iter().map(|&axis| whole[axis].1);
            let axes = output.axes.iter().cloned().zip(extents).collect();
            (output.name.clone(), NamedTensor { axes, data: array.data.into_owned() })
        };
        shapes.program.outputs().iter().zip(self.outputs).map(named).collect()
    }

    fn stage(&mut self, stage: &Stage) -> Result<(), EvaluateError> {
        let shapes = self.shapes;
        let mut store = match stage.target {
            Target::Value(node) => Some(Array::zeros(&shapes.nodes[node].axes, &self.whole)),
            Target::Reduction(_) | Target::Outputs(_) => None,
        };
        let mut joined = match stage.target {
            Target::Reduction(node) => {
                let store = Array::zeros(&shapes.nodes[node].axes, &self.whole);
                let Op::Reduce { function, .. } = shapes.op(node) else { return Ok(()) };
                Some((Partial::new(*function, store.data.len()), store))
            }
            Target::Value(_) | Target::Outputs(_) => None,
        };
        let mut window = self.whole.clone();
        for &(axis, length) in &stage.split {
            window[axis].1 = length.min(self.whole[axis].1);
        }
        let mut more = true;
        while more {
            for &node in &stage.body {
                self.compute(node, &window)?;
            }
            match &stage.target {
                Target::Value(node) => {
                    if let Some(store) = &mut store {
                        self.store(*node, &window, store);
                    }
                }
                Target::Reduction(node) => {
                    if let Some((partial, store)) = &mut joined {
                        self.join(*node, &window, partial, store);
                    }
                }
                Target::Outputs(numbers) => {
                    let mut outputs = std::mem::take(&mut self.outputs);
                    for &number in numbers {
                        let node = shapes.program.outputs()[number].node.index();
                        self.store(node, &window, &mut outputs[number]);
                    }
                    self.outputs = outputs;
                }
            }
            more = self.advance(&stage.split, &mut window);
        }
        for &node in &stage.body {
            self.values[node] = None;
        }
        match stage.target {
            Target::Value(node) => self.values[node] = store,
            Target::Reduction(node) => {
                if let Some((partial, mut store)) = joined {
                    partial.finish(self.n_joined(node), store.data.to_mut());
                    self.values[node] = Some(store);
                }
            }
            Target::Outputs(_) => {}
        }
        Ok(())
    }

    /// Moves to the next box; false behind the last.
    fn advance(&self, split: &[(AxisId, usize)], window: &mut Window) -> bool {
        for &(axis, length) in split.iter().rev() {
            let (start, extent) = self.whole[axis];
            let next = window[axis].0 + window[axis].1;
            if next < start + extent {
                window[axis] = (next, length.min(start + extent - next));
                return true;
            }
            window[axis] = (start, length.min(extent));
        }
        false
    }

    /// Elements that a reduction joins into each result.
    fn n_joined(&self, node: usize) -> usize {
        let Op::Reduce { axes, .. } = self.shapes.op(node) else { return 1 };
        self.shapes.axes_of(axes).iter().map(|&axis| self.whole[axis].1).product()
    }

    /// A node's value over the axes `walk`, from the start of the window.
    fn view(&self, node: usize, walk: &[AxisId], window: &Window) -> View<'_> {
        let access = &self.shapes.nodes[node].access;
        let mut strides = vec![0; walk.len()];
        let Some(array) = &self.values[access.base] else {
            return View { data: &[], start: 0, strides };
        };
        let mut start = 0;
        for &(base_axis, stride, origin) in &array.axes {
            let found = access.coordinates.iter().find(|c| c.base_axis == base_axis);
            let Some(coordinate) = found else { continue };
            let along = coordinate.axis.map_or(0, |axis| window[axis].0);
            start += (along + coordinate.shift - origin) * stride;
            let place = walk.iter().position(|&axis| Some(axis) == coordinate.axis);
            if let Some(place) = place {
                strides[place] = stride;
            }
        }
        // An empty axis may begin behind the last element.
        View { data: &array.data, start: start.min(array.data.len()), strides }
    }

    fn store(&self, node: usize, window: &Window, store: &mut Array<'_>) {
        let walk: Vec<AxisId> = store.axes.iter().map(|&(axis, ..)| axis).collect();
        let lengths = lengths(&walk, window);
        let (start, strides) = store.place(&walk, window);
        copy(store.data.to_mut(), start, &strides, &lengths, &self.view(node, &walk, window));
    }

    fn join(&self, node: usize, window: &Window, partial: &mut Partial, store: &Array<'_>) {
        let operand = self.shapes.nodes[node].operands[0];
        let walk = &self.shapes.nodes[operand].axes;
        let (start, strides) = store.place(walk, window);
        let from = self.view(operand, walk, window);
        partial.join(start, &strides, &lengths(walk, window), &from);
    }

    /// Computes one node of the body for a box.
    fn compute(&mut self, node: usize, window: &Window) -> Result<(), EvaluateError> {
        let shapes = self.shapes;
        let shape = &shapes.nodes[node];
        let recycled = self.values[node].take().map(|array| array.data.into_owned());
        let mut out = Array::over(&shape.axes, window, recycled.unwrap_or_default());
        let data = out.data.to_mut();
        let lengths = lengths(&shape.axes, window);
        let operand = |place: usize| self.view(shape.operands[place], &shape.axes, window);
        match shapes.op(node) {
            Op::Unary(function) => unary(*function, data, &lengths, &operand(0)),
            Op::Binary(function) => binary(*function, data, &lengths, &operand(0), &operand(1)),
            Op::Where => {
                let [c, a, b] = [operand(0), operand(1), operand(2)];
                map3(data, &lengths, [&c, &a, &b], |c, a, b| if is_zero(c) { b } else { a });
            }
            Op::Cast(target) => {
                let dtype = shapes.program.bound_dtype(target, shapes.node(node))?;
                cast(dtype, data, &lengths, &operand(0));
            }
            Op::Reduce { function, .. } => {
                let mut partial = std::mem::replace(&mut self.partial, Partial::new(*function, 0));
                partial.reset(*function, data.len());
                self.join(node, window, &mut partial, &Array::over(&shape.axes, window, vec![]));
                partial.finish(self.n_joined(node), data);
                self.partial = partial;
            }
            Op::Take { axis } => self.take(node, axis, window, data)?,
            Op::Concat { axes, name } => self.concat(node, axes, name, window, &mut out),
            // Leaves are there from the start; subscripts and broadcasts are read through.
            Op::Input(_)
            | Op::Constant(_)
            | Op::Extent(_)
            | Op::Index(_)
            | Op::Slice { .. }
            | Op::Select { .. }
            | Op::Rename { .. }
            | Op::Broadcast { .. } => {}
        }
        self.values[node] = Some(out);
        Ok(())
    }

    fn take(
        &self,
        node: usize,
        axis: &str,
        window: &Window,
        out: &mut [f64],
    ) -> Result<(), EvaluateError> {
        let shapes = self.shapes;
        let shape = &shapes.nodes[node];
        let Some(axis_id) = shapes.axis(axis) else { return Ok(()) };
        // Along the taken axis the value is read from its first position on.
        let mut from_start = window.clone();
        from_start[axis_id] = self.whole[axis_id];
        let mut walk = shape.axes.clone();
        let batched = walk.iter().position(|&id| id == axis_id);
        walk.push(axis_id);
        let mut value = self.view(shape.operands[0], &walk[..], &from_start);
        let stride = walk
            .iter()
            .position(|&id| id == axis_id)
            .map_or(0, |place| std::mem::take(&mut value.strides[place]));
        debug_assert!(batched.is_none_or(|place| value.strides[place] == 0));
        value.strides.truncate(shape.axes.len());
        let index = self.view(shape.operands[1], &shape.axes, window);
        let extent = shapes.extent(axis_id);
        let mut wrong = None;
        let mut at = 0;
        let lengths = lengths(&shape.axes, window);
        super::walk::runs(
            &lengths,
            [value.start, index.start],
            [&value.strides, &index.strides],
            |[value_at, index_at], [value_step, index_step], n| {
                for i in 0..n {
                    let position = index.data[index_at + i * index_step];
                    match as_position(position, extent) {
                        Some(p) => {
                            out[at + i] = value.data[value_at + i * value_step + p * stride];
                        }
                        None => wrong = wrong.or(Some(position)),
                    }
                }
                at += n;
            },
        );
        let Some(position) = wrong else { return Ok(()) };
        let message = format!("the index {position} lies outside `{axis}` of extent {extent}");
        Err(EvaluateError::program("index-out-of-range", message, shapes.node(node)))
    }

    fn concat(
        &self,
        node: usize,
        axes: &[String],
        name: &str,
        window: &Window,
        out: &mut Array<'_>,
    ) {
        let shapes = self.shapes;
        let shape = &shapes.nodes[node];
        let Some(joined) = shapes.axis(name) else { return };
        let (from, behind) = (window[joined].0, window[joined].0 + window[joined].1);
        let mut first = 0;
        for (&operand, axis) in shape.operands.iter().zip(axes) {
            let Some(axis) = shapes.axis(axis) else { continue };
            let end = first + shapes.extent(axis);
            let (low, high) = (first.max(from), end.min(behind));
            if low < high {
                // The same box, with the operand's own axis in place of the joined one.
                let mut source = window.clone();
                source[axis] = (low - first, high - low);
                let walk: Vec<AxisId> =
                    (shape.axes.iter()).map(|&id| if id == joined { axis } else { id }).collect();
                let mut target = window.clone();
                target[joined] = (low, high - low);
                let (start, strides) = out.place(&shape.axes, &target);
                let view = self.view(operand, &walk, &source);
                let lengths = lengths(&walk, &source);
                copy(out.data.to_mut(), start, &strides, &lengths, &view);
            }
            first = end;
        }
    }
}

impl<'a> Array<'a> {
    /// A row-major array over the window; keeps the memory of `data`.
    fn over(axes: &[AxisId], window: &Window, mut data: Vec<f64>) -> Self {
        let mut stride = 1;
        let mut placed: Vec<(AxisId, usize, usize)> = Vec::with_capacity(axes.len());
        for &axis in axes.iter().rev() {
            let (start, length) = window[axis];
            placed.push((axis, stride, start));
            stride *= length;
        }
        placed.reverse();
        data.resize(stride, 0.0);
        Self { data: Cow::Owned(data), axes: placed }
    }

    fn zeros(axes: &[AxisId], window: &Window) -> Self {
        Self::over(axes, window, Vec::new())
    }

    /// Place of the window's first element, and the stride along each axis of `walk`.
    fn place(&self, walk: &[AxisId], window: &Window) -> (usize, Vec<usize>) {
        let start = self.axes.iter().map(|&(axis, stride, from)| (window[axis].0 - from) * stride);
        let start = start.sum();
        let stride_of = |&id: &AxisId| {
            self.axes.iter().find(|&&(axis, ..)| axis == id).map_or(0, |&(_, stride, _)| stride)
        };
        (start, walk.iter().map(stride_of).collect())
    }
}

/// The value of a node without operands.
fn leaf<'a>(
    shapes: &Shapes<'_>,
    node: usize,
    inputs: &'a BTreeMap<String, NamedTensor>,
) -> Result<Option<Array<'a>>, EvaluateError> {
    let axes = &shapes.nodes[node].axes;
    Ok(Some(match shapes.op(node) {
        Op::Constant(value) => Array { data: vec![*value].into(), axes: vec![] },
        Op::Extent(axis) => {
            let extent = shapes.axis(axis).map_or(0, |axis| shapes.extent(axis));
            Array { data: vec![extent as f64].into(), axes: vec![] }
        }
        Op::Index(_) => {
            let data: Vec<f64> = (0..shapes.extent(axes[0])).map(|i| i as f64).collect();
            Array { data: data.into(), axes: vec![(axes[0], 1, 0)] }
        }
        Op::Input(name) => {
            let missing = || EvaluateError::MissingInput { name: name.clone() };
            input(shapes, node, name, inputs.get(name).ok_or_else(missing)?)?
        }
        _ => return Ok(None),
    }))
}

fn input<'a>(
    shapes: &Shapes<'_>,
    node: usize,
    name: &str,
    tensor: &'a NamedTensor,
) -> Result<Array<'a>, EvaluateError> {
    let declared = &shapes.nodes[node].axes;
    let expected: Vec<(&String, usize)> = (shapes.node(node).axes.iter())
        .zip(declared.iter().map(|&axis| shapes.extent(axis)))
        .collect();
    let mut size = Some(1_usize);
    let mut axes: Vec<(AxisId, usize, usize)> = Vec::with_capacity(tensor.axes.len());
    for (axis, extent) in tensor.axes.iter().rev() {
        if let (Some(id), Some(stride)) = (shapes.axis(axis), size)
            && expected.contains(&(axis, *extent))
            && !axes.iter().any(|&(other, ..)| other == id)
        {
            axes.push((id, stride, 0));
        }
        size = size.and_then(|size| size.checked_mul(*extent));
    }
    if axes.len() != declared.len()
        || tensor.axes.len() != declared.len()
        || size != Some(tensor.data.len())
    {
        let list = |axes: &mut dyn Iterator<Item = (&String, usize)>| {
            let axes: Vec<String> = axes.map(|(axis, n)| format!("{axis}={n}")).collect();
            format!("[{}]", axes.join(", "))
        };
        let found = list(&mut tensor.axes.iter().map(|(axis, extent)| (axis, *extent)));
        let found = format!("{found} with {} elements", tensor.data.len());
        let expected = list(&mut expected.into_iter());
        return Err(EvaluateError::InputShape { name: name.to_owned(), expected, found });
    }
    axes.reverse();
    Ok(Array { data: Cow::Borrowed(&tensor.data), axes })
}

fn lengths(axes: &[AxisId], window: &Window) -> Vec<usize> {
    axes.iter().map(|&axis| window[axis].1).collect()
}

/// The position a value names, if it is a whole number inside the extent.
fn as_position(value: f64, extent: usize) -> Option<usize> {
    let inside = 0.0 <= value && value < extent as f64 && is_zero(value.fract());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range"
    )]
    inside.then_some(value as usize)
}

// One loop for each function, so that each is compiled with the function inside it.

fn unary(function: Unary, out: &mut [f64], lengths: &[usize], a: &View<'_>) {
    macro_rules! map {
        ($variant:expr) => {
            map1(out, lengths, a, |a| $variant.apply(a))
        };
    }
    match function {
        Unary::Neg => map!(Unary::Neg),
        Unary::Not => map!(Unary::Not),
        Unary::Abs => map!(Unary::Abs),
        Unary::Exp => map!(Unary::Exp),
        Unary::Log => map!(Unary::Log),
        Unary::Sqrt => map!(Unary::Sqrt),
        Unary::Rsqrt => map!(Unary::Rsqrt),
        Unary::Tanh => map!(Unary::Tanh),
        Unary::Sigmoid => map!(Unary::Sigmoid),
        Unary::Erf => map!(Unary::Erf),
        Unary::Erfc => map!(Unary::Erfc),
        Unary::Sin => map!(Unary::Sin),
        Unary::Cos => map!(Unary::Cos),
        Unary::Floor => map!(Unary::Floor),
        Unary::Ceil => map!(Unary::Ceil),
        Unary::Round => map!(Unary::Round),
    }
}

fn binary(function: Binary, out: &mut [f64], lengths: &[usize], a: &View<'_>, b: &View<'_>) {
    macro_rules! map {
        ($variant:expr) => {
            map2(out, lengths, a, b, |a, b| $variant.apply(a, b))
        };
    }
    match function {
        Binary::Add => map!(Binary::Add),
        Binary::Subtract => map!(Binary::Subtract),
        Binary::Multiply => map!(Binary::Multiply),
        Binary::Divide => map!(Binary::Divide),
        Binary::Min => map!(Binary::Min),
        Binary::Max => map!(Binary::Max),
        Binary::Pow => map!(Binary::Pow),
        Binary::Less => map!(Binary::Less),
        Binary::LessEqual => map!(Binary::LessEqual),
        Binary::Greater => map!(Binary::Greater),
        Binary::GreaterEqual => map!(Binary::GreaterEqual),
        Binary::Equal => map!(Binary::Equal),
        Binary::NotEqual => map!(Binary::NotEqual),
        Binary::And => map!(Binary::And),
        Binary::Or => map!(Binary::Or),
    }
}

fn cast(dtype: Dtype, out: &mut [f64], lengths: &[usize], a: &View<'_>) {
    map1(out, lengths, a, |a| round_to(dtype, a));
}
