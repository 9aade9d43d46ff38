//! What is known while one kernel is written.

use std::collections::{BTreeMap, BTreeSet};

use cubecl_ir::{ElemType, FloatKind, Type, Variable, VariableKind};
use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{Instance, KernelSpec};
use ridge_spec::math::{NodeIndex, Program};
use ridge_spec::outcome::Rejection;

use super::code::{COUNT, Code, POSITION, SINGLE};
use super::declared;
use super::fusion::Fusion;
use super::refused;
use super::schedule::{Extents, Schedule};

/// Where along an axis an element is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Coordinate {
    /// At `variable` (times the vector's width where lanes differ) plus `offset`, and plus the lane
    /// where `lanes`.
    Affine {
        variable: Option<Variable>,
        offset: i64,
        lanes: bool,
        /// Positions are at least `offset` and below `offset + span`.
        span: u64,
    },
    /// Elsewhere for each lane.
    Each(Vec<Variable>),
}

/// The coordinate along every axis.
pub(super) type Place = BTreeMap<String, Coordinate>;

/// What tells two values of one node apart.
pub(super) type Key = (usize, Vec<(String, Option<u32>, i64, Vec<u32>)>);

/// A number: known, or in a variable.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar {
    Constant(f64),
    Emitted(Variable),
}

/// A node's value for one vector.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// The same in every lane.
    One(Scalar),
    /// One for each lane.
    Lanes(Vec<Scalar>),
}

impl Value {
    pub(super) fn lane(&self, lane: usize) -> Scalar {
        match self {
            Self::One(scalar) => *scalar,
            Self::Lanes(lanes) => lanes[lane],
        }
    }
}

/// A tensor as an array of vectors: one name in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) tensor: String,
    pub(super) width: usize,
    pub(super) is_output: bool,
    pub(super) elem: ElemType,
}

/// A value given to the body by the text before it.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) variable: Variable,
    /// What it is, in C++.
    pub(super) text: String,
}

/// Axes that follow each other in memory, all at their plain places: one number says where.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub(super) axes: Vec<String>,
    pub(super) coordinates: Vec<Coordinate>,
    pub(super) variable: Variable,
}

/// One kernel while it is written.
pub(super) struct Kernel<'a> {
    pub(super) fusion: &'a Fusion,
    pub(super) instance: &'a Instance,
    pub(super) schedule: &'a Schedule,
    pub(super) extents: &'a Extents,
    /// The graph with type variables bound.
    pub(super) program: Program,
    pub(super) code: Code,
    /// Values already there, by scope.
    pub(super) frames: Vec<BTreeMap<Key, Value>>,
    /// Vectors already loaded, by scope.
    pub(super) loads: Vec<BTreeMap<(String, Key), Vec<Variable>>>,
    /// Lanes of a vector.
    pub(super) width: usize,
    pub(super) views: Vec<View>,
    pub(super) given: Vec<Given>,
    pub(super) dynamic: BTreeMap<String, Variable>,
    pub(super) scalars: BTreeMap<String, Variable>,
    pub(super) reduced: BTreeMap<NodeIndex, Variable>,
    /// Inputs that wait between sweeps.
    pub(super) held: BTreeSet<String>,
    /// Inputs that only the last sweep reads and rows share.
    pub(super) late: BTreeSet<String>,
    /// Where only some inputs are to be loaded ahead: which.
    pub(super) only: Option<BTreeSet<String>>,
    /// The plain coordinates of the row's axes.
    pub(super) row_place: Place,
    pub(super) plain_rows: Option<Plain>,
    pub(super) plain_inner: Option<Plain>,
    /// How deep the scope is in which a row is handled.
    pub(super) row_depth: usize,
    /// Branches open whose condition depends on the element.
    pub(super) n_branches: usize,
    /// Behind a guard: the scope and frame outside, where what is loaded stays.
    pub(super) guard: Option<(usize, usize)>,
    /// Rows in shared memory, by what was loaded.
    pub(super) shared_rows: BTreeMap<(String, Key), Variable>,
    /// Those of them that earlier sweeps have written.
    pub(super) shared_ready: BTreeSet<(String, Key)>,
    /// Those that this sweep writes.
    pub(super) shared_new: BTreeSet<(String, Key)>,
}

impl<'a> Kernel<'a> {
    pub(super) fn new(
        spec: &'a KernelSpec,
        fusion: &'a Fusion,
        instance: &'a Instance,
        schedule: &'a Schedule,
        extents: &'a Extents,
    ) -> Self {
        let held = Fusion::held(schedule.sweeps(fusion)).into_iter().collect();
        let mut kernel = Self {
            fusion,
            instance,
            schedule,
            extents,
            program: fusion.program().with_types(instance.types()),
            code: Code::new(),
            frames: vec![BTreeMap::new()],
            loads: vec![BTreeMap::new()],
            width: usize::try_from(schedule.width).unwrap_or(1),
            views: Vec::new(),
            given: Vec::new(),
            dynamic: BTreeMap::new(),
            scalars: BTreeMap::new(),
            reduced: BTreeMap::new(),
            held,
            late: fusion.late_inputs(spec).into_iter().collect(),
            only: None,
            row_place: Place::new(),
            plain_rows: None,
            plain_inner: None,
            row_depth: 1,
            n_branches: 0,
            guard: None,
            shared_rows: BTreeMap::new(),
            shared_ready: BTreeSet::new(),
            shared_new: BTreeSet::new(),
        };
        for axis in declared::dynamic_axes(spec) {
            let variable = kernel.give(COUNT, axis_name(axis));
            kernel.dynamic.insert(axis.to_owned(), variable);
        }
        for scalar in instance.scalars() {
            let variable = kernel.give(elem(scalar.dtype), scalar_name(&scalar.name));
            kernel.scalars.insert(scalar.name.clone(), variable);
        }
        kernel
    }

    /// A variable that the text before the body declares.
    pub(super) fn give(&mut self, ty: ElemType, text: String) -> Variable {
        let variable = self.code.local(ty);
        self.given.push(Given { variable, text });
        variable
    }

    /// What real numbers are computed in.
    pub(super) fn real(&self) -> ElemType {
        if self.schedule.is_double { ElemType::Float(FloatKind::F64) } else { SINGLE }
    }

    /// The name in the body of a tensor seen as vectors of `width` elements.
    pub(super) fn view(
        &mut self,
        tensor: &str,
        width: usize,
        is_output: bool,
    ) -> Result<Variable, Rejection> {
        let known = self.instance.tensor(tensor);
        let known = known.ok_or_else(|| refused(&format!("there is no tensor `{tensor}`")))?;
        let view = View { tensor: tensor.to_owned(), width, is_output, elem: elem(known.dtype) };
        let ty = super::code::vector_type(view.elem, width);
        let place = self.views.iter().position(|own| *own == view);
        let at = place.unwrap_or_else(|| {
            self.views.push(view);
            self.views.len() - 1
        });
        let id = u32::try_from(at).unwrap_or(u32::MAX);
        let kind = if is_output {
            VariableKind::GlobalOutputArray(id)
        } else {
            VariableKind::GlobalInputArray(id)
        };
        Ok(Variable::new(kind, ty))
    }

    /// What tells this node's value at a place from its other values.
    pub(super) fn key(&self, node: NodeIndex, place: &Place) -> Key {
        let axes = &self.program.graph()[node].axes;
        (node.index(), axes.iter().filter_map(|axis| key_part(axis, place)).collect())
    }

    /// Begins a scope whose values are not seen outside.
    pub(super) fn open(&mut self) {
        self.code.open();
        self.push_frame();
    }

    pub(super) fn push_frame(&mut self) {
        self.frames.push(BTreeMap::new());
        self.loads.push(BTreeMap::new());
    }

    pub(super) fn pop_frame(&mut self) {
        self.frames.pop();
        self.loads.pop();
    }

    /// Ends a scope that runs where `condition` holds.
    pub(super) fn close_if(&mut self, condition: Variable) {
        self.pop_frame();
        self.code.close_if(condition);
    }

    /// A 64-bit position.
    pub(super) fn position_of(&mut self, value: Variable) -> Variable {
        self.code.cast(value, POSITION)
    }
}

fn key_part(axis: &str, place: &Place) -> Option<(String, Option<u32>, i64, Vec<u32>)> {
    let id = |variable: &Variable| variable.index().unwrap_or(u32::MAX);
    Some(match place.get(axis)? {
        Coordinate::Affine { variable, offset, lanes, .. } => {
            let lanes = if *lanes { vec![u32::MAX] } else { Vec::new() };
            (axis.to_owned(), variable.as_ref().map(id), *offset, lanes)
        }
        Coordinate::Each(lanes) => (axis.to_owned(), None, 0, lanes.iter().map(id).collect()),
    })
}

/// The type of a tensor's elements in CubeCL.
pub(super) fn elem(dtype: Dtype) -> ElemType {
    use cubecl_ir::{IntKind, UIntKind};
    match dtype {
        Dtype::F64 => ElemType::Float(FloatKind::F64),
        Dtype::F32 => SINGLE,
        Dtype::F16 => ElemType::Float(FloatKind::F16),
        Dtype::Bf16 => ElemType::Float(FloatKind::BF16),
        Dtype::F8e4m3 => ElemType::Float(FloatKind::E4M3),
        Dtype::F8e5m2 => ElemType::Float(FloatKind::E5M2),
        Dtype::I64 => ElemType::Int(IntKind::I64),
        Dtype::I32 => ElemType::Int(IntKind::I32),
        Dtype::I16 => ElemType::Int(IntKind::I16),
        Dtype::I8 => ElemType::Int(IntKind::I8),
        Dtype::U32 => COUNT,
        Dtype::U8 => ElemType::UInt(UIntKind::U8),
        Dtype::Bool => ElemType::Bool,
    }
}

/// The kernel's parameter for a tensor.
pub(super) fn tensor_name(name: &str, is_output: bool) -> String {
    format!("{}_{name}", if is_output { "output" } else { "input" })
}

/// The kernel's parameter for a dynamic axis.
pub(super) fn axis_name(name: &str) -> String {
    format!("axis_{name}")
}

/// The kernel's parameter for a scalar.
pub(super) fn scalar_name(name: &str) -> String {
    format!("scalar_{name}")
}

/// The type of a vector's element.
pub(super) fn element_type(vector: Variable) -> Type {
    Type::from(vector.elem_type())
}

/// Whether a variable has a number of its own.
pub(super) fn is_named(variable: Variable) -> bool {
    matches!(variable.kind, VariableKind::LocalConst { .. } | VariableKind::LocalMut { .. })
}
