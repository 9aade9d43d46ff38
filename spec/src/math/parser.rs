//! Text to syntax tree.

use std::ops::Range;

use super::function::{Binary, Unary};
use super::lexer::{LexError, Token, TokenKind, tokens};
use super::syntax::{
    Argument, DEPTH_MAX, Expression, ExpressionId, ExpressionKind, Item, ItemKind, Statement,
    Syntax, Word,
};
use super::{NODES_MAX, TEXT_LIMIT, report};
use crate::diagnostic::Diagnostic;
use crate::expression::{IntegerExpression, Origin};

/// Parses a program; after an error in a statement it goes on with the next.
pub(super) fn parse(text: &str, origin: &Origin) -> Result<Syntax, Vec<Diagnostic>> {
    if text.len() > TEXT_LIMIT {
        let message = format!("the math has {} bytes, of at most {TEXT_LIMIT}", text.len());
        return Err(vec![report("too-long", message, origin, 0..1)]);
    }
    let (tokens, lexical) = tokens(text);
    // What is no token leaves a hole, so what follows it would be reported as wrong too.
    if !lexical.is_empty() {
        let report = |error: LexError| report("syntax", error.message, origin, error.span);
        return Err(lexical.into_iter().map(report).collect());
    }
    let mut errors: Vec<Diagnostic> = Vec::new();
    let mut parser = Parser { text, origin, tokens, at: 0, nesting: 0, syntax: Syntax::default() };
    while parser.at < parser.tokens.len() {
        if parser.tokens[parser.at].kind == TokenKind::End {
            parser.at += 1;
            continue;
        }
        match parser.statement() {
            Ok(statement) => parser.syntax.statements.push(statement),
            Err(error) => {
                errors.push(*error);
                parser.skip_statement();
            }
        }
    }
    if parser.syntax.expressions.len() > NODES_MAX {
        let message = format!("the math has more than {NODES_MAX} operations");
        errors.push(report("too-long", message, origin, 0..1));
    }
    if errors.is_empty() { Ok(parser.syntax) } else { Err(errors) }
}

/// Boxed: the error is larger than every success.
type Parsed<T> = Result<T, Box<Diagnostic>>;

struct Parser<'a> {
    text: &'a str,
    origin: &'a Origin,
    tokens: Vec<Token>,
    at: usize,
    /// Open calls of [`Parser::expression`] and of signs: what recursion there is.
    nesting: u16,
    syntax: Syntax,
}

impl Parser<'_> {
    fn statement(&mut self) -> Parsed<Statement> {
        let name = self.word("a name to assign to")?;
        self.expect("=")?;
        self.nesting = 0;
        let value = self.expression(1)?;
        match self.tokens.get(self.at) {
            None => {}
            Some(Token { kind: TokenKind::End, .. }) => self.at += 1,
            Some(_) => return Err(self.unexpected("an operator or the end of the line")),
        }
        Ok(Statement { name, value })
    }

    /// Skips to behind the end of the statement.
    fn skip_statement(&mut self) {
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            if token.kind == TokenKind::End {
                break;
            }
        }
    }

    /// An expression of operators that bind at least as tightly as `precedence`.
    fn expression(&mut self, precedence: u8) -> Parsed<ExpressionId> {
        self.enter()?;
        let mut left = self.sign()?;
        while let Some(function) = self.operator() {
            let Some(own) = function.precedence().filter(|&own| own >= precedence) else { break };
            self.at += 1;
            let right = self.expression(own + 1)?;
            let span = self.span(left).start..self.span(right).end;
            left = self.push(ExpressionKind::Binary { function, left, right }, span)?;
            if own == 3 && self.operator().and_then(Binary::precedence) == Some(3) {
                let message = "comparisons do not chain".to_owned();
                let error = report("syntax", message, self.origin, self.here());
                return Err(Box::new(error.hint("write `a < b && b < c`")));
            }
        }
        self.nesting -= 1;
        Ok(left)
    }

    /// The binary operator that comes next, if one does.
    fn operator(&self) -> Option<Binary> {
        let Some(TokenKind::Symbol(symbol)) = self.tokens.get(self.at).map(|token| &token.kind)
        else {
            return None;
        };
        Some(match *symbol {
            "+" => Binary::Add,
            "-" => Binary::Subtract,
            "*" => Binary::Multiply,
            "/" => Binary::Divide,
            "<" => Binary::Less,
            "<=" => Binary::LessEqual,
            ">" => Binary::Greater,
            ">=" => Binary::GreaterEqual,
            "==" => Binary::Equal,
            "!=" => Binary::NotEqual,
            "&&" => Binary::And,
            "||" => Binary::Or,
            _ => return None,
        })
    }

    fn sign(&mut self) -> Parsed<ExpressionId> {
        let start = self.here().start;
        let function = if self.eat("-") {
            Unary::Neg
        } else if self.eat("!") {
            Unary::Not
        } else {
            return self.subscripted();
        };
        self.enter()?;
        let operand = self.sign()?;
        self.nesting -= 1;
        let span = start..self.span(operand).end;
        self.push(ExpressionKind::Unary { function, operand }, span)
    }

    fn subscripted(&mut self) -> Parsed<ExpressionId> {
        let mut operand = self.primary()?;
        while self.eat("[") {
            let mut items = vec![self.item()?];
            while self.eat(",") {
                items.push(self.item()?);
            }
            self.expect("]")?;
            let span = self.span(operand).start..self.behind();
            operand = self.push(ExpressionKind::Subscript { operand, items }, span)?;
        }
        Ok(operand)
    }

    fn primary(&mut self) -> Parsed<ExpressionId> {
        let Some(token) = self.tokens.get(self.at).cloned() else {
            return Err(self.unexpected("a value"));
        };
        match token.kind {
            TokenKind::Number(value) => {
                self.at += 1;
                self.push(ExpressionKind::Number(value), token.span)
            }
            TokenKind::Name(text) if text != "as" => {
                self.at += 1;
                let name = Word { text, span: token.span.clone() };
                if self.eat("(") {
                    self.call(name)
                } else {
                    self.push(ExpressionKind::Name(name.text), token.span)
                }
            }
            TokenKind::Symbol("(") => {
                self.at += 1;
                let inner = self.expression(1)?;
                self.expect(")")?;
                Ok(inner)
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    /// A call, from behind its opening parenthesis.
    fn call(&mut self, function: Word) -> Parsed<ExpressionId> {
        let mut arguments = Vec::new();
        if !self.eat(")") {
            loop {
                let value = self.expression(1)?;
                let alias = if self.eat_as() { Some(self.word("a new axis name")?) } else { None };
                arguments.push(Argument { value, alias });
                if !self.eat(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        let span = function.span.start..self.behind();
        // Signs have one spelling in the tree, so that the printer can choose the shorter one.
        if let ("neg" | "not", [Argument { value, alias: None }]) =
            (function.text.as_str(), arguments.as_slice())
        {
            let operand = *value;
            let function = if function.text == "neg" { Unary::Neg } else { Unary::Not };
            return self.push(ExpressionKind::Unary { function, operand }, span);
        }
        self.push(ExpressionKind::Call { function, arguments }, span)
    }

    /// One part of a subscript: `axis as name`, `axis: at`, `axis: start .. end as name`.
    fn item(&mut self) -> Parsed<Item> {
        let axis = self.word("the name of an axis")?;
        if self.eat_as() {
            let name = self.word("a new axis name")?;
            return Ok(Item { axis, kind: ItemKind::Rename(name) });
        }
        self.expect(":")?;
        let start = self.bound()?;
        if !self.eat("..") {
            return Ok(Item { axis, kind: ItemKind::At(start) });
        }
        let end = self.bound()?;
        if !self.eat_as() {
            let mut error = self.unexpected("`as` and a name for the part of the axis");
            error.hint = Some(format!("write `{}: … .. … as name`", axis.text));
            return Err(error);
        }
        let name = self.word("a new axis name")?;
        Ok(Item { axis, kind: ItemKind::Range { start, end, name } })
    }

    /// An integer expression: everything up to `..`, `as`, `,` or `]` outside brackets.
    fn bound(&mut self) -> Parsed<IntegerExpression> {
        let first = self.at;
        let mut depth = 0_u32;
        while let Some(token) = self.tokens.get(self.at) {
            match &token.kind {
                TokenKind::Symbol("(") => depth += 1,
                TokenKind::Symbol(")") if depth > 0 => depth -= 1,
                TokenKind::Symbol(".." | "," | "]" | ")") if depth == 0 => break,
                TokenKind::Name(word) if word == "as" => break,
                TokenKind::End => break,
                TokenKind::Symbol(_) | TokenKind::Name(_) | TokenKind::Number(_) => {}
            }
            self.at += 1;
        }
        if self.at == first {
            return Err(self.unexpected("an integer expression over axes"));
        }
        let span = self.tokens[first].span.start..self.tokens[self.at - 1].span.end;
        let origin = self.origin.advanced(span.start);
        IntegerExpression::parse(&self.text[span], &origin).map_err(Box::new)
    }

    fn push(&mut self, kind: ExpressionKind, span: Range<usize>) -> Parsed<ExpressionId> {
        let depth_of = |id: &ExpressionId| self.syntax.get(*id).depth;
        let below = match &kind {
            ExpressionKind::Number(_) | ExpressionKind::Name(_) => 0,
            ExpressionKind::Unary { operand, .. } | ExpressionKind::Subscript { operand, .. } => {
                depth_of(operand)
            }
            ExpressionKind::Binary { left, right, .. } => depth_of(left).max(depth_of(right)),
            ExpressionKind::Call { arguments, .. } => {
                arguments.iter().map(|argument| depth_of(&argument.value)).max().unwrap_or(0)
            }
        };
        if below >= DEPTH_MAX {
            return Err(self.too_deep(span));
        }
        self.syntax.expressions.push(Expression { kind, span, depth: below + 1 });
        Ok(ExpressionId(self.syntax.expressions.len() - 1))
    }

    fn enter(&mut self) -> Parsed<()> {
        self.nesting += 1;
        // Every bracket of a nested expression costs two levels at most: its own and a sign's.
        if self.nesting > 2 * DEPTH_MAX { Err(self.too_deep(self.here())) } else { Ok(()) }
    }

    fn too_deep(&self, span: Range<usize>) -> Box<Diagnostic> {
        let message = format!("the expression nests deeper than {DEPTH_MAX} levels");
        let hint = "give a part of it a name in a statement of its own";
        Box::new(report("too-deep", message, self.origin, span).hint(hint))
    }

    fn word(&mut self, what: &str) -> Parsed<Word> {
        match self.tokens.get(self.at) {
            Some(Token { kind: TokenKind::Name(text), span }) if text != "as" => {
                let word = Word { text: text.clone(), span: span.clone() };
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    fn eat(&mut self, symbol: &'static str) -> bool {
        let found =
            self.tokens.get(self.at).is_some_and(|token| token.kind == TokenKind::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    fn eat_as(&mut self) -> bool {
        let is_as = |token: &Token| matches!(&token.kind, TokenKind::Name(word) if word == "as");
        let found = self.tokens.get(self.at).is_some_and(is_as);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Parsed<()> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> Box<Diagnostic> {
        let span = self.here();
        let found = match self.tokens.get(self.at).map(|token| &token.kind) {
            None | Some(TokenKind::End) => "the end of the line".to_owned(),
            Some(_) => format!("`{}`", &self.text[span.clone()]),
        };
        let before = self.text[..span.start].trim_end();
        let hint = match &self.text[span.clone()] {
            "*" if before.ends_with('*') => Some("a power is written `pow(x, 2)`"),
            "." => Some("functions are called, as in `mean(x, cols)`"),
            _ => None,
        };
        let mut diagnostic =
            report("syntax", format!("{found} where {wanted} must be"), self.origin, span);
        diagnostic.hint = hint.map(str::to_owned);
        Box::new(diagnostic)
    }

    /// The bytes of the next token; the end of the text behind the last.
    fn here(&self) -> Range<usize> {
        let end = self.text.len();
        self.tokens.get(self.at).map_or(end..end, |token| token.span.clone())
    }

    /// The end of the token before the next one.
    fn behind(&self) -> usize {
        self.tokens.get(self.at.wrapping_sub(1)).map_or(0, |token| token.span.end)
    }

    fn span(&self, id: ExpressionId) -> Range<usize> {
        self.syntax.get(id).span.clone()
    }
}
