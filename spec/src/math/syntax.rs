//! The syntax tree, in an arena, and its canonical text.
//!
//! Children lie before their parents, so passes over the tree are loops; the depth is limited on
//! building, so the printer may recurse.

use std::fmt::{self, Write as _};
use std::ops::Range;

use super::function::{Binary, Unary};
use crate::expression::IntegerExpression;

/// How deep an expression may nest.
pub(super) const DEPTH_MAX: u16 = 128;

/// An expression's place in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExpressionId(pub(super) usize);

/// A parsed program, before names are looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Syntax {
    pub(super) expressions: Vec<Expression>,
    pub(super) statements: Vec<Statement>,
}

/// `name = value`.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) name: Word,
    pub(super) value: ExpressionId,
}

/// A name and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) kind: ExpressionKind,
    pub(super) span: Range<usize>,
    pub(super) depth: u16,
}

#[derive(Clone, Debug)]
pub(super) enum ExpressionKind {
    Number(f64),
    Name(String),
    Unary { function: Unary, operand: ExpressionId },
    Binary { function: Binary, left: ExpressionId, right: ExpressionId },
    Call { function: Word, arguments: Vec<Argument> },
    Subscript { operand: ExpressionId, items: Vec<Item> },
}

/// An argument of a call; `alias` is the name after `as`.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) value: ExpressionId,
    pub(super) alias: Option<Word>,
}

/// One part of a subscript.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) axis: Word,
    pub(super) kind: ItemKind,
}

#[derive(Clone, Debug)]
pub(super) enum ItemKind {
    /// `[axis as name]`.
    Rename(Word),
    /// `[axis: at]`.
    At(IntegerExpression),
    /// `[axis: start .. end as name]`.
    Range { start: IntegerExpression, end: IntegerExpression, name: Word },
}

impl Syntax {
    pub(super) fn get(&self, id: ExpressionId) -> &Expression {
        &self.expressions[id.0]
    }

    /// Writes an expression; in parentheses where it binds looser than `precedence`.
    fn write(&self, out: &mut String, id: ExpressionId, precedence: u8) -> fmt::Result {
        match &self.get(id).kind {
            ExpressionKind::Number(value) => write!(out, "{value:?}"),
            ExpressionKind::Name(name) => out.write_str(name),
            ExpressionKind::Unary { function: function @ (Unary::Neg | Unary::Not), operand } => {
                let sign = if *function == Unary::Neg { "-" } else { "!" };
                // A subscript binds tighter than a sign.
                let brackets = precedence > 6;
                out.write_str(if brackets { "(" } else { "" })?;
                out.write_str(sign)?;
                self.write(out, *operand, 6)?;
                out.write_str(if brackets { ")" } else { "" })
            }
            ExpressionKind::Unary { function, operand } => {
                write!(out, "{}(", function.name())?;
                self.write(out, *operand, 0)?;
                out.write_str(")")
            }
            ExpressionKind::Binary { function, left, right } => {
                let own = function.precedence().unwrap_or(7);
                let brackets = precedence > own;
                out.write_str(if brackets { "(" } else { "" })?;
                // Comparisons do not chain, so their left side needs brackets too.
                self.write(out, *left, if own == 3 { 4 } else { own })?;
                write!(out, " {} ", function.name())?;
                self.write(out, *right, own + 1)?;
                out.write_str(if brackets { ")" } else { "" })
            }
            ExpressionKind::Call { function, arguments } => {
                write!(out, "{}(", function.text)?;
                for (i, argument) in arguments.iter().enumerate() {
                    out.write_str(if i > 0 { ", " } else { "" })?;
                    self.write(out, argument.value, 0)?;
                    if let Some(alias) = &argument.alias {
                        write!(out, " as {}", alias.text)?;
                    }
                }
                out.write_str(")")
            }
            ExpressionKind::Subscript { operand, items } => {
                self.write(out, *operand, 7)?;
                out.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    out.write_str(if i > 0 { ", " } else { "" })?;
                    write_item(out, item)?;
                }
                out.write_str("]")
            }
        }
    }
}

fn write_item(out: &mut String, item: &Item) -> fmt::Result {
    out.write_str(&item.axis.text)?;
    match &item.kind {
        ItemKind::Rename(name) => write!(out, " as {}", name.text),
        ItemKind::At(at) => write!(out, ": {}", one_line(at.text())),
        ItemKind::Range { start, end, name } => {
            let (start, end) = (one_line(start.text()), one_line(end.text()));
            write!(out, ": {start} .. {end} as {}", name.text)
        }
    }
}

/// The text with every run of white space as one space.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The canonical text: a statement a line, one space around operators, brackets only where needed.
impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for statement in &self.statements {
            let mut line = String::new();
            self.write(&mut line, statement.value, 0)?;
            writeln!(f, "{} = {line}", statement.name.text)?;
        }
        Ok(())
    }
}
