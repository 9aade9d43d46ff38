//! Integer expressions: derived axes, constraints and launch rules.
//!
//! ```text
//! expression := or
//! or         := and ("||" and)*
//! and        := comparison ("&&" comparison)*
//! comparison := sum [("<" | "<=" | "==" | "!=" | ">=" | ">") sum]      no chains: a < b < c is refused
//! sum        := product (("+" | "-") product)*
//! product    := unary (("*" | "/" | "%") unary)*
//! unary      := ("-" | "!") unary | primary
//! primary    := integer | text | "true" | "false" | name | "device." name
//!             | "sizeof" "(" type ")" | function "(" expression ("," expression)* ")"
//!             | "(" expression ")"
//! function   := "min" | "max" (two or more) | "ceil_div" | "align_up" (two) | "is_power_of_two" (one)
//! ```
//!
//! Values are exact 64-bit integers; a condition is 1 or 0 and anything but 0 holds. `/` and `%`
//! truncate towards zero as in C, so an expression means what the same text means in the kernel.
//! `ceil_div(a, b)` and `align_up(a, b)` need a positive `b`. Overflow and division by zero are
//! errors, except where `&&` or `||` has already decided: `x != 0 && 64 % x == 0` is safe. Texts,
//! in single or double quotes, compare with `==` and `!=` and do nothing else; a type variable is
//! the text of its dtype.

mod evaluate;
mod interval;
mod origin;
mod parse;
mod residual;
mod scope;
mod token;
mod value;

use std::fmt;

pub(crate) use evaluate::{Fault, Operand, run, step};
pub(crate) use interval::{Interval, bound};
pub use origin::Origin;
pub use residual::Residual;
pub use scope::{DEVICE_NAMES, Scope};
pub use value::Value;

use crate::diagnostic::Diagnostic;
use crate::suggestion;

/// Longest expression, bytes.
pub const TEXT_LIMIT: usize = 4096;

/// Words with a meaning of their own, which no axis, parameter, type or tensor may bear.
pub const RESERVED_WORDS: [&str; 9] =
    ["true", "false", "min", "max", "ceil_div", "align_up", "is_power_of_two", "sizeof", "device"];

/// A parsed integer expression, with its text and where it stands.
///
/// Two expressions are equal when their texts are.
#[derive(Clone)]
pub struct IntegerExpression {
    text: String,
    origin: Origin,
    /// In evaluation order: operands before operators; the last is the result.
    nodes: Vec<Node>,
    /// Distinct names in order of first use; [`NodeKind::Variable`] indexes them.
    variables: Vec<String>,
}

/// One step of an expression.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// Bytes of the text that this node covers, operands included.
    pub(crate) span: (u32, u32),
}

/// What a step does; operands are indices of earlier nodes.
#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    Integer(i64),
    Text(String),
    Variable(u32),
    Unary(Unary, u32),
    Binary(Binary, u32, u32),
}

/// Operations on one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `-a`.
    Negate,
    /// `!a`: 1 where `a` is 0, else 0.
    Not,
    /// `is_power_of_two(a)`.
    IsPowerOfTwo,
}

/// Operations on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// `a / b`, towards zero.
    Divide,
    /// `a % b`, with the sign of `a`.
    Remainder,
    /// `a < b`.
    Less,
    /// `a <= b`.
    LessEqual,
    /// `a == b`, of texts too.
    Equal,
    /// `a != b`, of texts too.
    NotEqual,
    /// `a >= b`.
    GreaterEqual,
    /// `a > b`.
    Greater,
    /// `a && b`: 1 where neither is 0.
    And,
    /// `a || b`: 1 where one is not 0.
    Or,
    /// `min(a, b)`.
    Minimum,
    /// `max(a, b)`.
    Maximum,
    /// `ceil_div(a, b)`.
    CeilDiv,
    /// `align_up(a, b)`.
    AlignUp,
}

impl IntegerExpression {
    /// Parses an expression.
    ///
    /// # Errors
    /// The first thing wrong with the text, located through `origin`. Names are not checked here:
    /// see [`Self::unknown_names`].
    pub fn parse(text: &str, origin: &Origin) -> Result<Self, Diagnostic> {
        parse::parse(text, origin)
    }

    /// Its text, as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it stands.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The distinct names it uses, in order of first use; `sizeof(T)` and `device.x` count as names.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// Its value.
    ///
    /// # Errors
    /// A name the scope lacks, overflow, division by zero, or a text where an integer must be;
    /// located at the operation, with the values of the names involved.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, Diagnostic> {
        let load = |variable: usize| match scope.get(&self.variables[variable]) {
            Some(value) => Operand::from(value),
            None => Operand::Fault(Fault::UnknownName, u32::MAX),
        };
        match run(&self.nodes, load, &mut Vec::new()) {
            Operand::Integer(value) => Ok(Value::Integer(value)),
            Operand::Text(text) => Ok(Value::Text(text.to_owned())),
            Operand::Fault(fault, node) => Err(self.fault(fault, node, scope)),
        }
    }

    /// Its value, which must be an integer.
    ///
    /// # Errors
    /// As [`Self::evaluate`], and `expression.type` for a text.
    pub fn integer(&self, scope: &Scope) -> Result<i64, Diagnostic> {
        match self.evaluate(scope)? {
            Value::Integer(value) => Ok(value),
            Value::Text(text) => Err(Diagnostic::new(
                "expression.type",
                format!("`{}` is the text `{text}`, where an integer is needed", self.text),
            )
            .at(self.origin.locate(0..self.text.len()))),
        }
    }

    /// One diagnostic for each name for which `is_known` is false, at its first use; `known` feeds
    /// the "did you mean".
    pub fn unknown_names<'a>(
        &self,
        is_known: impl Fn(&str) -> bool,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (index, name) in self.variables.iter().enumerate() {
            if is_known(name) {
                continue;
            }
            let uses =
                |node: &&Node| matches!(node.kind, NodeKind::Variable(v) if v as usize == index);
            let span = self.nodes.iter().find(uses).map_or((0, 0), |node| node.span);
            let span = self.unwrapped(span);
            let mut diagnostic = Diagnostic::new(
                "expression.unknown-name",
                format!("`{name}` is not a name this expression can use"),
            )
            .at(self.origin.locate(span));
            // The device's names are many, and asked for by their prefix only.
            let is_device = |known: &&str| known.starts_with("device.");
            let shown = known.clone().into_iter();
            let shown = shown.filter(|known| is_device(known) == is_device(&name.as_str()));
            diagnostic.hint = suggestion::hint(name, shown.collect::<Vec<_>>());
            diagnostics.push(diagnostic);
        }
        diagnostics
    }

    /// Each comparison of a name with a text by `==` or `!=`: the name, the text and its bytes.
    pub(crate) fn text_comparisons(&self) -> Vec<(&str, &str, std::ops::Range<usize>)> {
        let mut comparisons = Vec::new();
        for node in &self.nodes {
            let NodeKind::Binary(Binary::Equal | Binary::NotEqual, left, right) = node.kind else {
                continue;
            };
            for (name, text) in [(left, right), (right, left)] {
                let (name, text) = (&self.nodes[name as usize], &self.nodes[text as usize]);
                if let (NodeKind::Variable(v), NodeKind::Text(value)) = (&name.kind, &text.kind) {
                    let span = text.span.0 as usize..text.span.1 as usize;
                    comparisons.push((self.variables[*v as usize].as_str(), value.as_str(), span));
                }
            }
        }
        comparisons
    }

    /// The bytes of a span without the parentheses around it.
    fn unwrapped(&self, span: (u32, u32)) -> std::ops::Range<usize> {
        let range = span.0 as usize..span.1 as usize;
        let mut text = self.text.get(range.clone()).unwrap_or_default();
        let mut start = range.start;
        while let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            text = inner.trim();
            start += 1 + inner.len() - inner.trim_start().len();
        }
        start..start + text.len()
    }

    /// The steps, operands first.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The diagnostic for a fault that [`run`] found at a node.
    pub(crate) fn fault(&self, fault: Fault, node: u32, scope: &Scope) -> Diagnostic {
        evaluate::diagnose(self, fault, node, scope)
    }
}

impl PartialEq for IntegerExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for IntegerExpression {}

impl fmt::Debug for IntegerExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IntegerExpression({:?})", self.text)
    }
}

impl fmt::Display for IntegerExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
