//! A second interpreter of tensor math, one element at a time: slow, and too simple to be wrong in
//! the way the real one could be. And short ways to declare and fill tensors.

pub(crate) mod programs;

use std::collections::BTreeMap;

use ridge_spec::dtype::Dtype;
use ridge_spec::expression::{Origin, Scope};
use ridge_spec::math::{
    Declaration, Declarations, NamedTensor, NodeIndex, Op, Program, Reduction, round_to,
};

/// `name: axis axis` or `name: scalar`, with an optional `= dtype`; one a line.
pub(crate) fn declare(axes: &str, inputs: &str, outputs: &str) -> Declarations {
    let tensor = |line: &str| {
        let (name, shape) = line.split_once(':').unwrap();
        let (shape, dtype) = shape.split_once('=').unwrap_or((shape, "f32"));
        let axes = shape.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        Declaration {
            name: name.trim().to_owned(),
            axes: (axes != ["scalar"]).then_some(axes),
            dtypes: vec![Dtype::parse(dtype.trim()).unwrap()],
        }
    };
    let tensors = |text: &str| {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(tensor).collect()
    };
    Declarations {
        axes: axes.split_whitespace().map(str::to_owned).collect(),
        types: BTreeMap::from([("T".to_owned(), vec![Dtype::F16, Dtype::Bf16])]),
        inputs: tensors(inputs),
        outputs: tensors(outputs),
    }
}

pub(crate) fn parse(text: &str, declarations: &Declarations) -> Program {
    match Program::parse(text, &Origin::standalone("math", text), declarations) {
        Ok(program) => program,
        Err(errors) => panic!("{text}: {errors:?}"),
    }
}

/// `rows=4 cols=8` as axis values.
pub(crate) fn extents(text: &str) -> BTreeMap<String, i64> {
    text.split_whitespace()
        .map(|part| part.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

/// Inputs with values from -2 to 2 of a fixed sequence; integers from 0 to `below`.
pub(crate) fn fill(
    declarations: &Declarations,
    axes: &BTreeMap<String, i64>,
    below: i64,
) -> BTreeMap<String, NamedTensor> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut tensor = |input: &Declaration| {
        let axes: Vec<(String, usize)> = (input.axes.iter().flatten())
            .map(|axis| {
                (axis.clone(), usize::try_from(axes.get(axis).copied().unwrap_or(1)).unwrap())
            })
            .collect();
        let size: usize = axes.iter().map(|(_, extent)| extent).product();
        let value = |unit: f64| match input.dtypes[0].is_float() {
            true => unit * 4.0 - 2.0,
            false => (unit * below as f64).floor(),
        };
        NamedTensor { axes, data: (0..size).map(|_| value(next())).collect() }
    };
    declarations.inputs.iter().map(|input| (input.name.clone(), tensor(input))).collect()
}

/// The outputs, computed one element at a time.
pub(crate) fn naive(
    program: &Program,
    axes: &BTreeMap<String, i64>,
    inputs: &BTreeMap<String, NamedTensor>,
) -> BTreeMap<String, NamedTensor> {
    let mut scope = Scope::new();
    let mut extents: BTreeMap<String, usize> = BTreeMap::new();
    for (name, &extent) in axes {
        scope.set(name, extent);
        extents.insert(name.clone(), usize::try_from(extent).unwrap());
    }
    let mut values: Vec<NamedTensor> = Vec::new();
    for node in program.graph().node_indices() {
        let operands: Vec<&NamedTensor> =
            program.operands(node).into_iter().map(|o| &values[o.index()]).collect();
        match &program.graph()[node].op {
            Op::Slice { start, end, name, .. } => {
                let length = end.integer(&scope).unwrap() - start.integer(&scope).unwrap();
                scope.set(name, length);
                extents.insert(name.clone(), usize::try_from(length).unwrap());
            }
            Op::Rename { axis, name } => {
                extents.insert(name.clone(), extents[axis]);
            }
            Op::Concat { axes, name } => {
                extents.insert(name.clone(), axes.iter().map(|axis| extents[axis]).sum());
            }
            _ => {}
        }
        let shape: Vec<(String, usize)> =
            (program.graph()[node].axes.iter()).map(|axis| (axis.clone(), extents[axis])).collect();
        let size: usize = shape.iter().map(|(_, extent)| extent).product();
        let data = (0..size)
            .map(|i| {
                let at = coordinates(&shape, i);
                element(program, node, &at, &operands, &scope, &extents, inputs)
            })
            .collect();
        values.push(NamedTensor { axes: shape, data });
    }
    let output = |output: &ridge_spec::math::Output| {
        let shape: Vec<(String, usize)> =
            output.axes.iter().map(|axis| (axis.clone(), extents[axis])).collect();
        let size: usize = shape.iter().map(|(_, extent)| extent).product();
        let value = &values[output.node.index()];
        let data = (0..size).map(|i| read(value, &coordinates(&shape, i))).collect();
        (output.name.clone(), NamedTensor { axes: shape, data })
    };
    program.outputs().iter().map(output).collect()
}

type Coordinates = BTreeMap<String, usize>;

fn coordinates(shape: &[(String, usize)], mut index: usize) -> Coordinates {
    let mut at = Coordinates::new();
    for (axis, extent) in shape.iter().rev() {
        at.insert(axis.clone(), index % extent);
        index /= extent;
    }
    at
}

fn read(tensor: &NamedTensor, at: &Coordinates) -> f64 {
    let index = tensor.axes.iter().fold(0, |index, (axis, extent)| index * extent + at[axis]);
    tensor.data[index]
}

fn element(
    program: &Program,
    node: NodeIndex,
    at: &Coordinates,
    operands: &[&NamedTensor],
    scope: &Scope,
    extents: &BTreeMap<String, usize>,
    inputs: &BTreeMap<String, NamedTensor>,
) -> f64 {
    let moved = |axis: &String, to: usize| {
        let mut at = at.clone();
        at.insert(axis.clone(), to);
        at
    };
    let whole = |e: &ridge_spec::expression::IntegerExpression| {
        usize::try_from(e.integer(scope).unwrap()).unwrap()
    };
    match &program.graph()[node].op {
        Op::Input(name) => read(&inputs[name], at),
        Op::Constant(value) => *value,
        Op::Extent(axis) => extents[axis] as f64,
        Op::Index(axis) => at[axis] as f64,
        Op::Unary(function) => function.apply(read(operands[0], at)),
        Op::Binary(function) => function.apply(read(operands[0], at), read(operands[1], at)),
        Op::Where => {
            let chosen = if read(operands[0], at) != 0.0 { 1 } else { 2 };
            read(operands[chosen], at)
        }
        Op::Cast(target) => round_to(program.cast_dtype(target).unwrap(), read(operands[0], at)),
        Op::Reduce { function, axes } => {
            let shape: Vec<(String, usize)> =
                axes.iter().map(|axis| (axis.clone(), extents[axis])).collect();
            let size: usize = shape.iter().map(|(_, extent)| extent).product();
            let values = (0..size).map(|i| {
                let mut at = at.clone();
                at.extend(coordinates(&shape, i));
                read(operands[0], &at)
            });
            match function {
                Reduction::Sum => values.sum(),
                Reduction::Mean => values.sum::<f64>() / size as f64,
                Reduction::Max => values.fold(f64::NEG_INFINITY, f64::max),
                Reduction::Min => values.fold(f64::INFINITY, f64::min),
            }
        }
        Op::Take { axis } => {
            let index = read(operands[1], at);
            assert!(index >= 0.0 && index.fract() == 0.0, "{index}");
            read(operands[0], &moved(axis, index as usize))
        }
        Op::Slice { axis, start, name, .. } => {
            read(operands[0], &moved(axis, at[name] + whole(start)))
        }
        Op::Select { axis, position } => read(operands[0], &moved(axis, whole(position))),
        Op::Rename { axis, name } => read(operands[0], &moved(axis, at[name])),
        Op::Concat { axes, name } => {
            let mut position = at[name];
            for (operand, axis) in operands.iter().zip(axes) {
                if position < extents[axis] {
                    return read(operand, &moved(axis, position));
                }
                position -= extents[axis];
            }
            f64::NAN
        }
        Op::Broadcast { .. } => read(operands[0], at),
    }
}
