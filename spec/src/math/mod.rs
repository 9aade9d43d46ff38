//! Tensor math over named axes: the reference that every candidate is checked against.
//!
//! # The language
//!
//! ```text
//! program    := (statement (newline | ";"))*          "#" starts a comment; brackets continue a line
//! statement  := name "=" expression                   every name once, before its use
//! expression := or
//! or         := and ("||" and)*
//! and        := comparison ("&&" comparison)*
//! comparison := sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum]          no chains
//! sum        := product (("+" | "-") product)*
//! product    := sign (("*" | "/") sign)*
//! sign       := ("-" | "!") sign | value ("[" item ("," item)* "]")*
//! value      := number | name | function "(" arguments ")" | "(" expression ")"
//! item       := axis ":" start ".." end "as" name     a part of an axis, under a new name
//!             | axis ":" position                     one position; the axis goes away
//!             | axis "as" name                        the same axis under a new name
//! ```
//!
//! `start`, `end` and `position` are [integer expressions](crate::expression) over axes.
//!
//! | function | value |
//! | --- | --- |
//! | `neg abs exp log sqrt rsqrt tanh sigmoid erf erfc sin cos floor ceil round` | of one value; `round` takes halves to even |
//! | `min(a, b, …)`, `max(a, b, …)`, `pow(a, b)` | of values, elementwise |
//! | `where(c, a, b)` | `a` where `c` is not 0, else `b`; the other one's NaN does not leak |
//! | `sum mean max min (x, axis, …)` | reductions; `max(a, b, axis)` is the elementwise one, reduced |
//! | `cast(x, bf16)`, `cast(x, T)` | rounded to the dtype's grid: see [`round_to`] |
//! | `take(x, index, axis)` | `x` at the positions along `axis` that `index` holds; axes that both have run together |
//! | `concat(a, b, axis as name)`, `concat(a, b, head, tail as name)` | one behind the other along an axis |
//! | `index(axis)` | 0, 1, 2, … along the axis |
//! | `broadcast(x, axis, …)` | repeated along axes it does not have |
//!
//! A plain name is, in this order, an assigned value, an input, the extent of an axis, or one of
//! `inf nan pi`. Values broadcast by axis *name*; there are no positions. An axis has one extent in
//! the whole program, whether it is declared or made by `as`.
//!
//! # What it means
//!
//! - Everything is binary64, whatever the inputs' dtypes; only `cast` rounds. Integers are exact
//!   up to 2^53. Outputs are not rounded to their dtype: comparing is the verifier's matter.
//! - `sum` and `mean` add in pairs and with compensation, so that the error does not grow with the
//!   count; `max` and `min`, elementwise or reducing, are NaN where an operand is, unlike CUDA's
//!   `fmaxf`. Comparisons are exact, and with NaN false except `!=`.
//! - `erf` and `erfc` are within one unit in the last place (the `libm` crate's port of FreeBSD's msun); the
//!   other functions are the standard library's. `sigmoid` does not overflow. `rsqrt(x)` is
//!   `1 / sqrt(x)`.
//! - Evaluation order is fixed for given extents, so results are bit for bit repeatable on one
//!   platform; another slab size may change the last bits of a sum.
//!
//! # Inside
//!
//! Text becomes tokens (`lexer`), a syntax tree in an arena (`parser`, `syntax`), then a graph
//! without repeated operations (`lower`, `call`, `subscript`, `graph`), which the interpreter (`plan`, `execute`),
//! the CubeCL front end and the flop count read.

mod call;
mod cast;
mod evaluate;
mod execute;
mod function;
mod graph;
mod lexer;
mod lower;
mod parser;
mod plan;
mod reduce;
mod shapes;
mod subscript;
mod syntax;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

pub use cast::round_to;
pub use evaluate::{EvaluateError, NamedTensor};
pub use function::{Binary, CastTarget, Reduction, Unary};
pub use graph::{Edge, MathGraph, Node, Op, ValueKind};
pub use petgraph::graph::NodeIndex;

use crate::diagnostic::Diagnostic;
use crate::dtype::Dtype;
use crate::expression::Origin;
use syntax::Syntax;

/// Longest program, bytes.
pub const TEXT_LIMIT: usize = 64 << 10;

/// Most operations of a program.
pub const NODES_MAX: usize = 4096;

/// What the spec declares around the math.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations {
    /// Every axis: dynamic, specialized and derived.
    pub axes: Vec<String>,
    /// Type variables with the dtypes each may be.
    pub types: BTreeMap<String, Vec<Dtype>>,
    /// The inputs, tensors and scalars.
    pub inputs: Vec<Declaration>,
    /// The outputs.
    pub outputs: Vec<Declaration>,
}

/// A declared input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Its name.
    pub name: String,
    /// Its axes, outermost first, each once; `None` for a scalar.
    pub axes: Option<Vec<String>>,
    /// The dtypes it may have: one, or those of its type variable.
    pub dtypes: Vec<Dtype>,
}

/// One output of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// The node that computes it; its axes may be in another order.
    pub node: NodeIndex,
    /// Its axes in the declared order.
    pub axes: Vec<String>,
}

/// An integer input whose values are positions along an axis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TakeBound {
    /// The input.
    pub input: String,
    /// The axis: every value must be at least 0 and below its extent.
    pub axis: String,
}

/// A parsed and checked program.
///
/// Two programs are equal when their canonical texts are: [`Program`] displays as that text.
#[derive(Clone, Debug)]
pub struct Program {
    syntax: Syntax,
    graph: MathGraph,
    outputs: Vec<Output>,
    types: BTreeMap<String, Dtype>,
}

impl Program {
    /// Parses a program and checks it against the spec's declarations.
    ///
    /// # Errors
    /// Every syntax error, or else every wrong name, axis, argument or output; each with its place
    /// and a code `math.*` (`expression.*` inside the bounds of a slice).
    pub fn parse(
        text: &str,
        origin: &Origin,
        declarations: &Declarations,
    ) -> Result<Self, Vec<Diagnostic>> {
        let syntax = parser::parse(text, origin)?;
        let (graph, outputs) = lower::lower(&syntax, origin, declarations)?;
        Ok(Self { syntax, graph, outputs, types: BTreeMap::new() })
    }

    /// The graph. Nodes that no output needs do not occur: unused names are refused.
    pub const fn graph(&self) -> &MathGraph {
        &self.graph
    }

    /// The outputs, in declared order.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The same program with type variables bound, for `cast(x, T)`.
    #[must_use]
    pub fn with_types(&self, types: &BTreeMap<String, Dtype>) -> Self {
        Self { types: types.clone(), ..self.clone() }
    }

    /// The dtype a cast rounds to; `None` for a type variable that is not bound.
    pub fn cast_dtype(&self, target: &CastTarget) -> Option<Dtype> {
        match target {
            CastTarget::Dtype(dtype) => Some(*dtype),
            CastTarget::Variable(name) => self.types.get(name).copied(),
        }
    }

    /// The operands of a node, in order.
    pub fn operands(&self, node: NodeIndex) -> Vec<NodeIndex> {
        use petgraph::visit::EdgeRef as _;
        let incoming = self.graph.edges_directed(node, petgraph::Direction::Incoming);
        let mut operands: Vec<_> =
            incoming.map(|edge| (edge.weight().operand, edge.source())).collect();
        operands.sort_unstable_by_key(|&(place, _)| place);
        operands.into_iter().map(|(_, operand)| operand).collect()
    }

    /// The inputs the math reads, sorted by name.
    pub fn inputs(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .graph
            .node_weights()
            .filter_map(|node| match &node.op {
                Op::Input(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        names
    }

    /// The inputs that index an axis as they are, or through subscripts, casts and broadcasts:
    /// what their values must stay below. Sorted. A computed index is not listed.
    pub fn take_bounds(&self) -> Vec<TakeBound> {
        let mut bounds = Vec::new();
        for node in self.graph.node_indices() {
            let Op::Take { axis } = &self.graph[node].op else { continue };
            let mut index = self.operands(node)[1];
            let input = loop {
                match &self.graph[index].op {
                    Op::Input(name) => break Some(name.clone()),
                    Op::Slice { .. }
                    | Op::Select { .. }
                    | Op::Rename { .. }
                    | Op::Broadcast { .. }
                    | Op::Cast(_) => index = self.operands(index)[0],
                    _ => break None,
                }
            };
            bounds.extend(input.map(|input| TakeBound { input, axis: axis.clone() }));
        }
        bounds.sort_unstable();
        bounds.dedup();
        bounds
    }
}

/// The canonical text: a statement a line, no comments, one way of spacing and bracketing.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.syntax.fmt(f)
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

/// A diagnostic of this language.
fn report(rule: &str, message: String, origin: &Origin, span: Range<usize>) -> Diagnostic {
    Diagnostic::new(&format!("math.{rule}"), message).at(origin.locate(span))
}
