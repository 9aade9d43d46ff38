//! Calls: what each function takes.

use std::ops::Range;

use petgraph::graph::NodeIndex;

use super::function::{Binary, CastTarget, Reduction, Unary};
use super::graph::{Op, ValueKind};
use super::lower::Lowering;
use super::syntax::{Argument, ExpressionKind, Word};

/// What a function name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callee {
    Unary(Unary),
    Pow,
    /// `min` and `max`: elementwise over their values, then over the axes named behind them.
    Extreme(Binary, Reduction),
    Reduce(Reduction),
    Where,
    Cast,
    Take,
    Concat,
    Index,
    Broadcast,
}

impl Callee {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "pow" => Self::Pow,
            "min" => Self::Extreme(Binary::Min, Reduction::Min),
            "max" => Self::Extreme(Binary::Max, Reduction::Max),
            "sum" => Self::Reduce(Reduction::Sum),
            "mean" => Self::Reduce(Reduction::Mean),
            "where" => Self::Where,
            "cast" => Self::Cast,
            "take" => Self::Take,
            "concat" => Self::Concat,
            "index" => Self::Index,
            "broadcast" => Self::Broadcast,
            _ => Self::Unary(Unary::parse(name)?),
        })
    }

    /// How it is called, for messages.
    const fn usage(self) -> &'static str {
        match self {
            Self::Unary(_) => "one value",
            Self::Pow => "two values: `pow(base, exponent)`",
            Self::Extreme(..) => "two or more values, or a value and one or more axes",
            Self::Reduce(_) => "a value and one or more axes",
            Self::Where => "three values: `where(condition, value, otherwise)`",
            Self::Cast => "a value and a dtype: `cast(x, f16)`",
            Self::Take => "a value, an index and an axis: `take(x, index, axis)`",
            Self::Concat => "values and an axis: `concat(a, b, axis as name)`",
            Self::Index => "one axis: `index(cols)`",
            Self::Broadcast => "a value and one or more axes: `broadcast(x, cols)`",
        }
    }
}

impl<'a> Lowering<'a> {
    pub(super) fn call(
        &mut self,
        callee: Callee,
        function: &Word,
        arguments: &'a [Argument],
        span: Range<usize>,
    ) -> Option<NodeIndex> {
        if callee != Callee::Concat
            && let Some(alias) = arguments.iter().find_map(|argument| argument.alias.as_ref())
        {
            let message = format!("`as` means nothing in `{}`", function.text);
            self.error("arguments", message, alias.span.clone());
            return None;
        }
        match (callee, arguments) {
            (Callee::Unary(unary), [operand]) => {
                let operand = self.value(operand.value)?;
                Some(self.unary(unary, operand, span))
            }
            (Callee::Pow, [base, exponent]) => {
                let (base, exponent) = (self.value(base.value), self.value(exponent.value));
                Some(self.binary(Binary::Pow, base?, exponent?, span))
            }
            (Callee::Where, [condition, value, otherwise]) => {
                let operands = [condition, value, otherwise].map(|a| self.value(a.value));
                let [condition, value, otherwise] = operands;
                let operands = [condition?, value?, otherwise?];
                let kind = self.graph[operands[1]].kind.max(self.graph[operands[2]].kind);
                let axes = self.merged_axes(&operands);
                Some(self.add(Op::Where, &operands, axes, kind, None, span))
            }
            (Callee::Cast, [value, target]) => self.cast(value, target, span),
            (Callee::Take, [value, index, axis]) => self.take(value, index, axis, span),
            (Callee::Index, [axis]) => {
                let axis = self.axis_argument(axis)?;
                let op = Op::Index(axis.text.clone());
                Some(self.add(op, &[], vec![axis.text], ValueKind::Integer, None, span))
            }
            (Callee::Extreme(binary, reduction), [_, _, ..]) => {
                self.extreme(binary, reduction, arguments, span)
            }
            (Callee::Reduce(reduction), [value, axes @ ..]) if !axes.is_empty() => {
                let operand = self.value(value.value);
                let axes: Option<Vec<Word>> = axes.iter().map(|a| self.axis_argument(a)).collect();
                self.reduce(reduction, operand?, &axes?, span)
            }
            (Callee::Broadcast, [value, axes @ ..]) if !axes.is_empty() => {
                self.broadcast(value, axes, span)
            }
            (Callee::Concat, [_, _, ..]) => self.concat(arguments, span),
            _ => {
                let n = arguments.len();
                let message = format!("`{}` takes {}, not {n}", function.text, callee.usage());
                self.error("arguments", message, span);
                None
            }
        }
    }

    fn cast(
        &mut self,
        value: &Argument,
        target: &Argument,
        span: Range<usize>,
    ) -> Option<NodeIndex> {
        let operand = self.value(value.value);
        let word = self.word_argument(target, "a dtype")?;
        let (target, kind) = self.cast_target(&word)?;
        let operand = operand?;
        let axes = self.graph[operand].axes.clone();
        let dtype = match target {
            CastTarget::Dtype(dtype) => Some(dtype),
            CastTarget::Variable(_) => None,
        };
        Some(self.add(Op::Cast(target), &[operand], axes, kind, dtype, span))
    }

    fn take(
        &mut self,
        value: &Argument,
        index: &Argument,
        axis: &Argument,
        span: Range<usize>,
    ) -> Option<NodeIndex> {
        let index_span = self.syntax.get(index.value).span.clone();
        let (value, index) = (self.value(value.value), self.value(index.value));
        let axis = self.axis_argument(axis)?;
        let (value, index) = (value?, index?);
        let place = self.axis_of(value, &axis)?;
        if self.graph[index].kind > ValueKind::Integer {
            let message = "the index of `take` is not an integer".to_owned();
            let hint = "index with an integer input, or `cast(…, i32)`".to_owned();
            self.error_with("integer-index", message, index_span, Some(hint));
            return None;
        }
        let mut axes = self.graph[value].axes.clone();
        axes.remove(place);
        let added: Vec<String> =
            self.graph[index].axes.iter().filter(|name| !axes.contains(name)).cloned().collect();
        axes.splice(place..place, added);
        let (kind, dtype) = (self.graph[value].kind, self.graph[value].dtype);
        let op = Op::Take { axis: axis.text };
        Some(self.add(op, &[value, index], axes, kind, dtype, span))
    }

    /// `max(a, b, rows, cols)`: the greatest of the values, then the greatest over the axes.
    fn extreme(
        &mut self,
        binary: Binary,
        reduction: Reduction,
        arguments: &[Argument],
        span: Range<usize>,
    ) -> Option<NodeIndex> {
        // The first argument is always a value: the extent, where it is an axis. Values are looked
        // at in order, because one may make the axis that is named behind it.
        let mut values: Vec<Option<NodeIndex>> = Vec::new();
        for argument in arguments {
            if !values.is_empty() && self.as_axis(argument.value).is_some() {
                break;
            }
            values.push(self.value(argument.value));
        }
        let axes = &arguments[values.len()..];
        let axes: Option<Vec<Word>> = axes.iter().map(|a| self.axis_argument(a)).collect();
        let values: Option<Vec<NodeIndex>> = values.into_iter().collect();
        let (values, axes) = (values?, axes?);
        let folded = values
            .into_iter()
            .reduce(|left, right| self.binary(binary, left, right, span.clone()))?;
        if axes.is_empty() { Some(folded) } else { self.reduce(reduction, folded, &axes, span) }
    }

    fn broadcast(
        &mut self,
        value: &Argument,
        axes: &[Argument],
        span: Range<usize>,
    ) -> Option<NodeIndex> {
        let operand = self.value(value.value);
        let words: Option<Vec<Word>> = axes.iter().map(|a| self.axis_argument(a)).collect();
        let (operand, words) = (operand?, words?);
        let mut axes = self.graph[operand].axes.clone();
        let mut added = Vec::new();
        for word in words {
            if !axes.contains(&word.text) {
                axes.push(word.text.clone());
                added.push(word.text);
            }
        }
        if added.is_empty() {
            return Some(operand);
        }
        let (kind, dtype) = (self.graph[operand].kind, self.graph[operand].dtype);
        Some(self.add(Op::Broadcast { axes: added }, &[operand], axes, kind, dtype, span))
    }

    /// `concat(a, b, axis as name)`, or an axis for each value: `concat(a, b, head, tail as name)`.
    fn concat(&mut self, arguments: &'a [Argument], span: Range<usize>) -> Option<NodeIndex> {
        let (last, front) = arguments.split_last()?;
        let Some(name) = &last.alias else {
            let message = "`concat` ends with an axis and a name for the joined one".to_owned();
            let hint = "write `concat(a, b, axis as name)`".to_owned();
            self.error_with("arguments", message, span, Some(hint));
            return None;
        };
        if let Some(alias) = front.iter().find_map(|argument| argument.alias.as_ref()) {
            let message = "`as` stands only behind the last axis of `concat`".to_owned();
            self.error("arguments", message, alias.span.clone());
            return None;
        }
        let n_axes = 1 + front.iter().rev().take_while(|a| self.is_no_value(a.value)).count();
        let (values, axes) = arguments.split_at(arguments.len() - n_axes);
        let values: Vec<Option<NodeIndex>> = values.iter().map(|a| self.value(a.value)).collect();
        let axes: Option<Vec<Word>> = axes.iter().map(|a| self.axis_argument(a)).collect();
        let values: Option<Vec<NodeIndex>> = values.into_iter().collect();
        let (values, mut axes) = (values?, axes?);
        if axes.len() == 1 {
            axes.resize(values.len().max(1), axes[0].clone());
        }
        if values.is_empty() || axes.len() != values.len() {
            let (n, m) = (values.len(), axes.len());
            let message = format!("`concat` of {n} values names {m} axes: one for all or one each");
            self.error("arguments", message, span);
            return None;
        }
        self.join(&values, &axes, name, span)
    }

    fn join(
        &mut self,
        values: &[NodeIndex],
        axes: &[Word],
        name: &Word,
        span: Range<usize>,
    ) -> Option<NodeIndex> {
        let mut joined: Vec<String> = Vec::new();
        let mut kind = ValueKind::Boolean;
        let mut dtype = self.graph[values[0]].dtype;
        for (i, (&value, axis)) in values.iter().zip(axes).enumerate() {
            let place = self.axis_of(value, axis)?;
            let node = &self.graph[value];
            kind = kind.max(node.kind);
            dtype = dtype.filter(|dtype| node.dtype == Some(*dtype));
            let mut others = node.axes.clone();
            others.remove(place);
            if i == 0 {
                joined.clone_from(&others);
                joined.insert(place, name.text.clone());
            }
            if others.contains(&name.text) {
                let message = format!("the value already has an axis `{}`", name.text);
                self.error("axis-exists", message, name.span.clone());
                return None;
            }
            for axis in others {
                if !joined.contains(&axis) {
                    joined.push(axis);
                }
            }
        }
        if let Some(axis) = axes.iter().find(|axis| joined.contains(&axis.text)) {
            let message =
                format!("the result of `concat` would still have the axis `{}`", axis.text);
            self.error("axis-exists", message, axis.span.clone());
            return None;
        }
        self.new_axis(name, &[])?;
        let axes = axes.iter().map(|axis| axis.text.clone()).collect();
        let op = Op::Concat { axes, name: name.text.clone() };
        Some(self.add(op, values, joined, kind, dtype, span))
    }

    /// The axis an argument names.
    fn axis_argument(&mut self, argument: &Argument) -> Option<Word> {
        if let Some(word) = self.as_axis(argument.value) {
            return Some(word);
        }
        let word = self.word_argument(argument, "an axis")?;
        let message = format!("`{}` is not an axis", word.text);
        let hint = self.axis_hint(&word.text);
        self.error_with("unknown-axis", message, word.span, hint);
        None
    }

    /// The name an argument consists of.
    fn word_argument(&mut self, argument: &Argument, what: &str) -> Option<Word> {
        let expression = self.syntax.get(argument.value);
        if let ExpressionKind::Name(text) = &expression.kind {
            return Some(Word { text: text.clone(), span: expression.span.clone() });
        }
        let span = expression.span.clone();
        self.error("arguments", format!("the name of {what} must stand here"), span);
        None
    }
}
