//! Syntax tree to graph: names, axes, arguments and kinds are checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use petgraph::graph::NodeIndex;

use super::call::Callee;
use super::function::{Binary, CastTarget, Reduction, Unary};
use super::graph::{Edge, MathGraph, Node, Op, ValueKind};
use super::syntax::{ExpressionId, ExpressionKind, Statement, Syntax, Word};
use super::{Declaration, Declarations, Output, report};
use crate::diagnostic::Diagnostic;
use crate::dtype::Dtype;
use crate::expression::Origin;
use crate::suggestion;

/// Names that stand for a number.
pub(super) const CONSTANTS: [(&str, f64); 3] =
    [("inf", f64::INFINITY), ("nan", f64::NAN), ("pi", std::f64::consts::PI)];

/// Builds the graph.
pub(super) fn lower(
    syntax: &Syntax,
    origin: &Origin,
    declarations: &Declarations,
) -> Result<(MathGraph, Vec<Output>), Vec<Diagnostic>> {
    let mut lowering = Lowering {
        syntax,
        origin,
        declarations,
        graph: MathGraph::new(),
        known: BTreeMap::new(),
        names: BTreeMap::new(),
        axes: declarations.axes.iter().cloned().collect(),
        read: BTreeSet::new(),
        errors: Vec::new(),
    };
    for statement in &syntax.statements {
        lowering.statement(statement);
    }
    let outputs = lowering.outputs();
    lowering.refuse_unused();
    if lowering.errors.is_empty() { Ok((lowering.graph, outputs)) } else { Err(lowering.errors) }
}

pub(super) struct Lowering<'a> {
    pub(super) syntax: &'a Syntax,
    origin: &'a Origin,
    declarations: &'a Declarations,
    pub(super) graph: MathGraph,
    /// Operation and operands to the node that computes them.
    known: BTreeMap<String, NodeIndex>,
    /// Assigned names; `None` where the value had an error, so that its users report no more.
    names: BTreeMap<String, Option<NodeIndex>>,
    /// Axes that exist so far: declared, or made by `as`.
    pub(super) axes: BTreeSet<String>,
    /// Assigned names that were used.
    read: BTreeSet<String>,
    pub(super) errors: Vec<Diagnostic>,
}

impl<'a> Lowering<'a> {
    fn statement(&mut self, statement: &'a Statement) {
        let value = self.value(statement.value);
        let name = &statement.name;
        if let Some(why) = self.refuses_name(&name.text) {
            self.error(why.0, why.1, name.span.clone());
            return;
        }
        if let Some(node) = value.and_then(|node| self.graph.node_weight_mut(node)) {
            node.name.get_or_insert_with(|| name.text.clone());
        }
        self.names.insert(name.text.clone(), value);
    }

    /// Why a name cannot be assigned to.
    fn refuses_name(&self, name: &str) -> Option<(&'static str, String)> {
        if self.names.contains_key(name) {
            return Some(("assigned-twice", format!("`{name}` is assigned a second time")));
        }
        if self.declarations.inputs.iter().any(|input| input.name == name) {
            return Some((
                "assigned-input",
                format!("`{name}` is an input and cannot be assigned"),
            ));
        }
        let reserved = CONSTANTS.iter().any(|(constant, _)| *constant == name);
        if reserved || self.axes.contains(name) {
            let what = if reserved { "a constant" } else { "an axis" };
            return Some(("name-clash", format!("`{name}` is {what} and cannot be assigned")));
        }
        None
    }

    /// The node of an expression; `None` after an error, which is then reported.
    pub(super) fn value(&mut self, id: ExpressionId) -> Option<NodeIndex> {
        let syntax = self.syntax;
        let expression = syntax.get(id);
        let span = expression.span.clone();
        match &expression.kind {
            ExpressionKind::Number(value) => Some(self.constant(*value, span)),
            ExpressionKind::Name(name) => self.name(name, span),
            ExpressionKind::Unary { function, operand } => {
                if let (Unary::Neg, ExpressionKind::Number(value)) =
                    (function, &syntax.get(*operand).kind)
                {
                    return Some(self.constant(-value, span));
                }
                let operand = self.value(*operand)?;
                Some(self.unary(*function, operand, span))
            }
            ExpressionKind::Binary { function, left, right } => {
                let (left, right) = (self.value(*left), self.value(*right));
                Some(self.binary(*function, left?, right?, span))
            }
            ExpressionKind::Call { function, arguments } => {
                let Some(callee) = Callee::parse(&function.text) else {
                    let message = format!("`{}` is not a function", function.text);
                    let hint = suggestion::hint(&function.text, super::function::names());
                    self.error_with("unknown-function", message, function.span.clone(), hint);
                    return None;
                };
                self.call(callee, function, arguments, span)
            }
            ExpressionKind::Subscript { operand, items } => {
                let mut value = self.value(*operand)?;
                for item in items {
                    value = self.subscript(value, item, span.clone())?;
                }
                Some(value)
            }
        }
    }

    fn name(&mut self, name: &str, span: Range<usize>) -> Option<NodeIndex> {
        if let Some(&value) = self.names.get(name) {
            self.read.insert(name.to_owned());
            return value;
        }
        let declarations = self.declarations;
        if let Some(input) = declarations.inputs.iter().find(|input| input.name == name) {
            return Some(self.input(input, span));
        }
        if self.axes.contains(name) {
            let op = Op::Extent(name.to_owned());
            return Some(self.add(op, &[], vec![], ValueKind::Integer, None, span));
        }
        if let Some((_, value)) = CONSTANTS.iter().find(|(constant, _)| *constant == name) {
            return Some(self.constant(*value, span));
        }
        let known: Vec<&str> = (self.names.keys())
            .chain(declarations.inputs.iter().map(|input| &input.name))
            .chain(&self.axes)
            .map(String::as_str)
            .collect();
        let hint = match declarations.outputs.iter().any(|output| output.name == name) {
            true => Some("an output can be read only after it is assigned".to_owned()),
            false => suggestion::hint(name, known),
        };
        let message = format!("`{name}` is no input, axis or earlier name");
        self.error_with("unknown-name", message, span, hint);
        None
    }

    fn input(&mut self, input: &Declaration, span: Range<usize>) -> NodeIndex {
        let kind = kind_of(&input.dtypes);
        let dtype = match input.dtypes.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        let axes = input.axes.clone().unwrap_or_default();
        self.add(Op::Input(input.name.clone()), &[], axes, kind, dtype, span)
    }

    fn constant(&mut self, value: f64, span: Range<usize>) -> NodeIndex {
        let whole = super::function::is_zero(value.fract());
        let kind = if whole { ValueKind::Integer } else { ValueKind::Real };
        self.add(Op::Constant(value), &[], vec![], kind, None, span)
    }

    pub(super) fn unary(
        &mut self,
        function: Unary,
        operand: NodeIndex,
        span: Range<usize>,
    ) -> NodeIndex {
        let kind = match function {
            Unary::Not => ValueKind::Boolean,
            Unary::Floor | Unary::Ceil | Unary::Round => ValueKind::Integer,
            Unary::Neg | Unary::Abs => self.graph[operand].kind.max(ValueKind::Integer),
            _ => ValueKind::Real,
        };
        let axes = self.graph[operand].axes.clone();
        self.add(Op::Unary(function), &[operand], axes, kind, None, span)
    }

    pub(super) fn binary(
        &mut self,
        function: Binary,
        left: NodeIndex,
        right: NodeIndex,
        span: Range<usize>,
    ) -> NodeIndex {
        let both = self.graph[left].kind.max(self.graph[right].kind);
        let kind = match function {
            _ if function.is_truth() => ValueKind::Boolean,
            Binary::Min | Binary::Max | Binary::Multiply => both,
            Binary::Add | Binary::Subtract => both.max(ValueKind::Integer),
            _ => ValueKind::Real,
        };
        let axes = self.merged_axes(&[left, right]);
        self.add(Op::Binary(function), &[left, right], axes, kind, None, span)
    }

    /// The axes of an elementwise result: those of the operand with the most (the first of equals);
    /// what the others add stands before the axis that it stands before there, so that `[m, k]` and
    /// `[n, k]` make `[m, n, k]`.
    pub(super) fn merged_axes(&self, operands: &[NodeIndex]) -> Vec<String> {
        let mut merged: &[String] = &[];
        for &operand in operands {
            let axes = &self.graph[operand].axes;
            if axes.len() > merged.len() {
                merged = axes;
            }
        }
        let mut merged = merged.to_vec();
        for &operand in operands {
            let axes = &self.graph[operand].axes;
            for (i, axis) in axes.iter().enumerate() {
                if !merged.contains(axis) {
                    let follower = axes[i..]
                        .iter()
                        .find_map(|next| merged.iter().position(|there| there == next));
                    merged.insert(follower.unwrap_or(merged.len()), axis.clone());
                }
            }
        }
        merged
    }

    /// The place of an axis in a node's value.
    pub(super) fn axis_of(&mut self, node: NodeIndex, axis: &Word) -> Option<usize> {
        let axes = &self.graph[node].axes;
        let found = axes.iter().position(|name| *name == axis.text);
        if found.is_none() {
            let has = if axes.is_empty() {
                "it is a scalar".to_owned()
            } else {
                format!("it has `{}`", axes.join("`, `"))
            };
            let (code, message) = if self.axes.contains(&axis.text) {
                ("axis-missing", format!("the value has no axis `{}`: {has}", axis.text))
            } else {
                ("unknown-axis", format!("`{}` is not an axis of the value: {has}", axis.text))
            };
            let hint = suggestion::closest(&axis.text, axes.iter().map(String::as_str))
                .map(|name| format!("did you mean `{name}`?"));
            self.error_with(code, message, axis.span.clone(), hint);
        }
        found
    }

    /// Makes the axis after `as` known; it must not be one of `axes`.
    pub(super) fn new_axis(&mut self, name: &Word, axes: &[String]) -> Option<()> {
        let text = &name.text;
        let taken = self.names.contains_key(text)
            || CONSTANTS.iter().any(|(constant, _)| constant == text)
            || self.declarations.inputs.iter().any(|input| input.name == *text);
        if taken {
            let message = format!("`{text}` is a value and cannot name an axis");
            self.error("name-clash", message, name.span.clone());
            return None;
        }
        if axes.contains(text) {
            let message = format!("the value already has an axis `{text}`");
            self.error("axis-exists", message, name.span.clone());
            return None;
        }
        self.axes.insert(text.clone());
        Some(())
    }

    /// The word, where the expression is a plain name of an axis and of no value.
    pub(super) fn as_axis(&self, id: ExpressionId) -> Option<Word> {
        let expression = self.syntax.get(id);
        let ExpressionKind::Name(name) = &expression.kind else { return None };
        let is_axis = self.axes.contains(name) && !self.names.contains_key(name);
        is_axis.then(|| Word { text: name.clone(), span: expression.span.clone() })
    }

    /// Whether the expression is a plain name that stands for no value so far.
    pub(super) fn is_no_value(&self, id: ExpressionId) -> bool {
        let ExpressionKind::Name(name) = &self.syntax.get(id).kind else { return false };
        !self.names.contains_key(name)
            && !self.declarations.inputs.iter().any(|input| input.name == *name)
            && !CONSTANTS.iter().any(|(constant, _)| constant == name)
    }

    /// What a cast's second argument names.
    pub(super) fn cast_target(&mut self, word: &Word) -> Option<(CastTarget, ValueKind)> {
        if let Some(dtype) = Dtype::parse(&word.text) {
            return Some((CastTarget::Dtype(dtype), kind_of(&[dtype])));
        }
        let declarations = self.declarations;
        if let Some(dtypes) = declarations.types.get(&word.text) {
            return Some((CastTarget::Variable(word.text.clone()), kind_of(dtypes)));
        }
        let message = format!("`{}` is no dtype and no type variable", word.text);
        let known: Vec<&str> = (declarations.types.keys().map(String::as_str))
            .chain(Dtype::ALL.iter().map(|dtype| dtype.name()))
            .collect();
        let hint = suggestion::hint(&word.text, known);
        self.error_with("unknown-dtype", message, word.span.clone(), hint);
        None
    }

    /// Adds a node, or finds the one that computes the same.
    pub(super) fn add(
        &mut self,
        op: Op,
        operands: &[NodeIndex],
        axes: Vec<String>,
        kind: ValueKind,
        dtype: Option<Dtype>,
        span: Range<usize>,
    ) -> NodeIndex {
        let key = format!("{op} of {operands:?}");
        if let Some(&node) = self.known.get(&key) {
            return node;
        }
        let location = self.origin.locate(span);
        let node = self.graph.add_node(Node { op, axes, dtype, kind, location, name: None });
        for (place, &operand) in operands.iter().enumerate() {
            self.graph.add_edge(operand, node, Edge { operand: place });
        }
        self.known.insert(key, node);
        node
    }

    pub(super) fn reduce(
        &mut self,
        function: Reduction,
        operand: NodeIndex,
        over: &[Word],
        span: Range<usize>,
    ) -> Option<NodeIndex> {
        let mut kept = self.graph[operand].axes.clone();
        for (i, axis) in over.iter().enumerate() {
            if over[..i].iter().any(|earlier| earlier.text == axis.text) {
                let message = format!("the axis `{}` is named twice", axis.text);
                self.error("axis-repeated", message, axis.span.clone());
                return None;
            }
            self.axis_of(operand, axis)?;
            kept.retain(|name| *name != axis.text);
        }
        // The order in which axes are named means nothing: one order, one node.
        let mut axes: Vec<String> = over.iter().map(|axis| axis.text.clone()).collect();
        axes.sort();
        let kind = match function {
            Reduction::Mean => ValueKind::Real,
            Reduction::Sum => self.graph[operand].kind.max(ValueKind::Integer),
            Reduction::Max | Reduction::Min => self.graph[operand].kind,
        };
        let dtype = match function {
            Reduction::Max | Reduction::Min => self.graph[operand].dtype,
            Reduction::Sum | Reduction::Mean => None,
        };
        Some(self.add(Op::Reduce { function, axes }, &[operand], kept, kind, dtype, span))
    }

    fn outputs(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        let declarations = self.declarations;
        for declared in &declarations.outputs {
            let Some(&value) = self.names.get(&declared.name) else {
                let message = format!("the output `{}` is never assigned", declared.name);
                self.error("undefined-output", message, 0..0);
                continue;
            };
            let Some(node) = value else { continue };
            let axes = declared.axes.clone().unwrap_or_default();
            self.check_output(&declared.name, node, &axes);
            outputs.push(Output { name: declared.name.clone(), node, axes });
        }
        outputs
    }

    fn check_output(&mut self, name: &str, node: NodeIndex, declared: &[String]) {
        let axes = &self.graph[node].axes;
        let list = |axes: &[&String]| {
            axes.iter().map(|axis| format!("`{axis}`")).collect::<Vec<_>>().join(", ")
        };
        let extra: Vec<_> = axes.iter().filter(|axis| !declared.contains(axis)).collect();
        let missing: Vec<_> = declared.iter().filter(|axis| !axes.contains(axis)).collect();
        let (message, hint) = if !extra.is_empty() {
            let extra = list(&extra);
            (
                format!("`{name}` has the axis {extra}, which its declared shape has not"),
                format!("reduce over {extra}, or add it to the output's shape"),
            )
        } else if !missing.is_empty() {
            let names = missing.iter().map(|axis| axis.as_str()).collect::<Vec<_>>().join(", ");
            (
                format!("`{name}` lacks the axis {} of its declared shape", list(&missing)),
                format!("to repeat the value along it, write `broadcast(…, {names})`"),
            )
        } else {
            return;
        };
        let assigned = self.syntax.statements.iter().find(|s| s.name.text == name);
        let span = assigned.map_or(0..0, |s| self.syntax.get(s.value).span.clone());
        self.error_with("output-axes", message, span, Some(hint));
    }

    fn refuse_unused(&mut self) {
        for statement in &self.syntax.statements {
            let name = &statement.name.text;
            let is_output = self.declarations.outputs.iter().any(|output| output.name == *name);
            let assigned = self.names.contains_key(name);
            if assigned && !is_output && !self.read.contains(name) {
                let outputs: Vec<&str> =
                    self.declarations.outputs.iter().map(|output| output.name.as_str()).collect();
                let hint = suggestion::closest(name, outputs)
                    .map(|output| format!("did you mean the output `{output}`?"));
                let message = format!("`{name}` is assigned and never used");
                let span = statement.name.span.clone();
                self.error_with("unused-name", message, span, hint);
            }
        }
    }

    /// The closest axis to a misspelt one, or all of them.
    pub(super) fn axis_hint(&self, word: &str) -> Option<String> {
        suggestion::hint(word, self.axes.iter().map(String::as_str))
    }

    pub(super) fn error(&mut self, code: &str, message: String, span: Range<usize>) {
        self.error_with(code, message, span, None);
    }

    pub(super) fn error_with(
        &mut self,
        code: &str,
        message: String,
        span: Range<usize>,
        hint: Option<String>,
    ) {
        let mut diagnostic = report(code, message, self.origin, span);
        diagnostic.hint = hint;
        self.errors.push(diagnostic);
    }
}

/// The narrowest kind that holds every value of every one of these types.
fn kind_of(dtypes: &[Dtype]) -> ValueKind {
    let kind = |dtype: &Dtype| match dtype {
        Dtype::Bool => ValueKind::Boolean,
        dtype if dtype.is_float() => ValueKind::Real,
        _ => ValueKind::Integer,
    };
    dtypes.iter().map(kind).max().unwrap_or(ValueKind::Real)
}
