//! The graph that a program becomes.

use std::fmt;

use petgraph::graph::DiGraph;

use super::function::{Binary, CastTarget, Reduction, Unary};
use super::syntax::one_line;
use crate::diagnostic::SourceLocation;
use crate::dtype::Dtype;
use crate::expression::IntegerExpression;

/// The dataflow graph: an edge from each operand to the node that uses it.
///
/// Node indices are in evaluation order: an operand's is smaller than its user's. Equal operations
/// on equal operands are one node.
pub type MathGraph = DiGraph<Node, Edge>;

/// One operation with what is known of its value.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes from its operands.
    pub op: Op,
    /// The axes of its value, outermost first, each once.
    pub axes: Vec<String>,
    /// The dtype whose grid its values lie on, where one is certain: a declared input's, a cast's.
    pub dtype: Option<Dtype>,
    /// What kind of number its values are.
    pub kind: ValueKind,
    /// Where in the spec it was first written.
    pub location: SourceLocation,
    /// The name it was first assigned to, if it was.
    pub name: Option<String>,
}

/// Which operand of its user a node is, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The place among the operands.
    pub operand: usize,
}

/// Kinds of numbers. All are held in binary64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKind {
    /// 0 or 1.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Any number.
    Real,
}

/// An operation.
#[derive(Clone, Debug)]
pub enum Op {
    /// A declared input, tensor or scalar.
    Input(String),
    /// A number.
    Constant(f64),
    /// The extent of an axis, as a number.
    Extent(String),
    /// The positions along an axis: 0, 1, 2, …
    Index(String),
    /// A function of one value, elementwise.
    Unary(Unary),
    /// A function of two values, elementwise, broadcast by axis name.
    Binary(Binary),
    /// Operand 1 where operand 0 is not 0, else operand 2; elementwise.
    Where,
    /// Rounding to the grid of a type.
    Cast(CastTarget),
    /// A reduction over axes, at least one.
    Reduce {
        /// How.
        function: Reduction,
        /// The axes that go away.
        axes: Vec<String>,
    },
    /// Operand 0 at the positions along `axis` that operand 1 holds.
    Take {
        /// The axis that is indexed.
        axis: String,
    },
    /// A range of an axis, under a new name.
    Slice {
        /// The axis that is cut.
        axis: String,
        /// First position.
        start: IntegerExpression,
        /// Behind the last position.
        end: IntegerExpression,
        /// Name of the part's axis.
        name: String,
    },
    /// One position of an axis; the axis goes away.
    Select {
        /// The axis.
        axis: String,
        /// The position.
        position: IntegerExpression,
    },
    /// The same values with an axis under a new name.
    Rename {
        /// The axis.
        axis: String,
        /// Its new name.
        name: String,
    },
    /// The operands one behind the other along an axis.
    Concat {
        /// The axis of each operand.
        axes: Vec<String>,
        /// The axis of the result.
        name: String,
    },
    /// The same values repeated along axes it does not have.
    Broadcast {
        /// The axes added.
        axes: Vec<String>,
    },
}

impl Op {
    /// Whether each value depends only on the operands' values at the same place.
    pub const fn is_elementwise(&self) -> bool {
        matches!(self, Self::Unary(_) | Self::Binary(_) | Self::Where | Self::Cast(_))
    }
}

/// One line that tells two operations apart: the function and what it holds beside its operands.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(name) => write!(f, "input {name}"),
            Self::Constant(value) => write!(f, "constant {value:?}"),
            Self::Extent(axis) => write!(f, "extent {axis}"),
            Self::Index(axis) => write!(f, "index {axis}"),
            Self::Unary(function) => f.write_str(function.name()),
            Self::Binary(function) => f.write_str(function.name()),
            Self::Where => f.write_str("where"),
            Self::Cast(target) => write!(f, "cast {target}"),
            Self::Reduce { function, axes } => {
                write!(f, "reduce {} over {}", function.name(), axes.join(", "))
            }
            Self::Take { axis } => write!(f, "take along {axis}"),
            Self::Slice { axis, start, end, name } => {
                let (start, end) = (one_line(start.text()), one_line(end.text()));
                write!(f, "slice {axis}: {start} .. {end} as {name}")
            }
            Self::Select { axis, position } => {
                write!(f, "select {axis}: {}", one_line(position.text()))
            }
            Self::Rename { axis, name } => write!(f, "rename {axis} as {name}"),
            Self::Concat { axes, name } => write!(f, "concat {} as {name}", axes.join(", ")),
            Self::Broadcast { axes } => write!(f, "broadcast over {}", axes.join(", ")),
        }
    }
}
