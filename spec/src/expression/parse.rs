//! Recursive descent over the grammar of the module's documentation.

use super::token::{Token, TokenKind, tokens};
use super::{Binary, IntegerExpression, Node, NodeKind, Origin, TEXT_LIMIT, Unary};
use crate::diagnostic::Diagnostic;
use crate::dtype::Dtype;
use crate::suggestion;

/// Deepest nesting of parentheses, calls and prefix operators: text from outside must not decide
/// how much stack is used.
const DEPTH_LIMIT: u32 = 64;

const FUNCTIONS: [&str; 6] = ["min", "max", "ceil_div", "align_up", "is_power_of_two", "sizeof"];

const COMPARISONS: [(&str, Binary); 6] = [
    ("<", Binary::Less),
    ("<=", Binary::LessEqual),
    ("==", Binary::Equal),
    ("!=", Binary::NotEqual),
    (">=", Binary::GreaterEqual),
    (">", Binary::Greater),
];

pub(super) fn parse(text: &str, origin: &Origin) -> Result<IntegerExpression, Diagnostic> {
    if text.len() > TEXT_LIMIT {
        return Err(Diagnostic::new(
            "expression.too-long",
            format!("the expression has {} bytes, and {TEXT_LIMIT} are allowed", text.len()),
        )
        .at(origin.locate(0..1)));
    }
    let tokens = tokens(text, origin)?;
    let mut parser =
        Parser { tokens, next: 0, depth: 0, origin, nodes: Vec::new(), variables: Vec::new() };
    if parser.peek() == &TokenKind::End {
        return Err(parser.error("the expression is empty"));
    }
    parser.alternatives()?;
    if parser.peek() != &TokenKind::End {
        return Err(parser.unexpected("an operator or the end"));
    }
    let Parser { nodes, variables, .. } = parser;
    Ok(IntegerExpression { text: text.to_owned(), origin: origin.clone(), nodes, variables })
}

struct Parser<'a> {
    tokens: Vec<Token>,
    next: usize,
    depth: u32,
    origin: &'a Origin,
    nodes: Vec<Node>,
    variables: Vec<String>,
}

type Parsed = Result<u32, Diagnostic>;

impl Parser<'_> {
    fn token(&self) -> &Token {
        // The last token is the end, and nothing advances past it.
        &self.tokens[self.next]
    }

    fn peek(&self) -> &TokenKind {
        &self.token().kind
    }

    fn advance(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Symbol(s) if *s == symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Diagnostic> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn error(&self, message: impl Into<String>) -> Diagnostic {
        let token = self.token();
        Diagnostic::new("expression.syntax", message).at(self.origin.locate(token.start..token.end))
    }

    fn unexpected(&self, expected: &str) -> Diagnostic {
        let found = match self.peek() {
            TokenKind::Integer(value) => format!("`{value}`"),
            TokenKind::Text(text) => format!("the text `{text}`"),
            TokenKind::Name(name) => format!("`{name}`"),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
            TokenKind::End => "the end".to_owned(),
        };
        let error = self.error(format!("expected {expected}, found {found}"));
        match self.peek() {
            TokenKind::Name(name) if name == "and" => error.hint("combine conditions with `&&`"),
            TokenKind::Name(name) if name == "or" => error.hint("combine conditions with `||`"),
            _ => error,
        }
    }

    fn push(&mut self, kind: NodeKind, span: (u32, u32)) -> u32 {
        self.nodes.push(Node { kind, span });
        offset(self.nodes.len() - 1)
    }

    fn binary(&mut self, operation: Binary, left: u32, right: u32) -> u32 {
        let span = (self.nodes[left as usize].span.0, self.nodes[right as usize].span.1);
        self.push(NodeKind::Binary(operation, left, right), span)
    }

    fn alternatives(&mut self) -> Parsed {
        let mut left = self.conjunction()?;
        while self.eat("||") {
            let right = self.conjunction()?;
            left = self.binary(Binary::Or, left, right);
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Parsed {
        let mut left = self.comparison()?;
        while self.eat("&&") {
            let right = self.comparison()?;
            left = self.binary(Binary::And, left, right);
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Parsed {
        let left = self.sum()?;
        let Some(operation) = self.comparison_operator() else { return Ok(left) };
        self.advance();
        let right = self.sum()?;
        if self.comparison_operator().is_some() {
            return Err(self
                .error("comparisons cannot be chained")
                .hint("write `a < b && b < c` for `a < b < c`"));
        }
        Ok(self.binary(operation, left, right))
    }

    fn comparison_operator(&self) -> Option<Binary> {
        let TokenKind::Symbol(symbol) = self.peek() else { return None };
        COMPARISONS.iter().find(|(spelling, _)| spelling == symbol).map(|&(_, operation)| operation)
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let operation = match self.peek() {
                TokenKind::Symbol("+") => Binary::Add,
                TokenKind::Symbol("-") => Binary::Subtract,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.product()?;
            left = self.binary(operation, left, right);
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let operation = match self.peek() {
                TokenKind::Symbol("*") => Binary::Multiply,
                TokenKind::Symbol("/") => Binary::Divide,
                TokenKind::Symbol("%") => Binary::Remainder,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.unary()?;
            left = self.binary(operation, left, right);
        }
    }

    fn unary(&mut self) -> Parsed {
        if self.depth == DEPTH_LIMIT {
            return Err(Diagnostic {
                code: "expression.too-deep".to_owned(),
                ..self.error(format!("the expression nests deeper than {DEPTH_LIMIT}"))
            });
        }
        self.depth += 1;
        let result = self.unary_inner();
        self.depth -= 1;
        result
    }

    fn unary_inner(&mut self) -> Parsed {
        let start = offset(self.token().start);
        let operation = match self.peek() {
            TokenKind::Symbol("-") => Unary::Negate,
            TokenKind::Symbol("!") => Unary::Not,
            _ => return self.primary(),
        };
        self.advance();
        // The magnitude of the smallest integer exists only behind its sign.
        if let (Unary::Negate, TokenKind::Integer(value)) = (operation, self.peek().clone()) {
            let end = offset(self.token().end);
            if let Some(value) = 0i64.checked_sub_unsigned(value) {
                self.advance();
                return Ok(self.push(NodeKind::Integer(value), (start, end)));
            }
        }
        let operand = self.unary()?;
        let end = self.nodes[operand as usize].span.1;
        Ok(self.push(NodeKind::Unary(operation, operand), (start, end)))
    }

    fn primary(&mut self) -> Parsed {
        let token = self.token().clone();
        let span = (offset(token.start), offset(token.end));
        match token.kind {
            TokenKind::Integer(value) => {
                let value = i64::try_from(value).map_err(|_| {
                    let error = self.error(format!("`{value}` does not fit in 64 bits"));
                    Diagnostic { code: "expression.overflow".to_owned(), ..error }
                })?;
                self.advance();
                Ok(self.push(NodeKind::Integer(value), span))
            }
            TokenKind::Text(text) => {
                self.advance();
                Ok(self.push(NodeKind::Text(text), span))
            }
            TokenKind::Symbol("(") => {
                self.advance();
                let inner = self.alternatives()?;
                let end = offset(self.token().end);
                self.expect(")")?;
                self.nodes[inner as usize].span = (span.0, end);
                Ok(inner)
            }
            TokenKind::Name(name) => {
                if matches!(self.tokens[self.next + 1].kind, TokenKind::Symbol("(")) {
                    return self.call(&name, span.0);
                }
                if let Some(value) = ["false", "true"].iter().position(|word| *word == name) {
                    self.advance();
                    return Ok(self.push(NodeKind::Integer(i64::from(value == 1)), span));
                }
                if FUNCTIONS.contains(&name.as_str()) {
                    return Err(self.error(format!("`{name}` is a function: it needs arguments")));
                }
                if name == "not" {
                    return Err(self.error("`not` is not an operator").hint("negate with `!`"));
                }
                self.advance();
                Ok(self.variable(name, span))
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    fn variable(&mut self, name: String, span: (u32, u32)) -> u32 {
        let index = self.variables.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.variables.push(name);
            self.variables.len() - 1
        });
        self.push(NodeKind::Variable(offset(index)), span)
    }

    fn call(&mut self, name: &str, start: u32) -> Parsed {
        if !FUNCTIONS.contains(&name) {
            let mut error = self.error(format!("there is no function `{name}`"));
            error.code = "expression.unknown-function".to_owned();
            error.hint = suggestion::hint(name, FUNCTIONS);
            return Err(error);
        }
        let at_name = self.next;
        self.advance();
        self.advance();
        if name == "sizeof" {
            return self.size_of(start);
        }
        let mut arguments = Vec::new();
        if !matches!(self.peek(), TokenKind::Symbol(")")) {
            arguments.push(self.alternatives()?);
            while self.eat(",") {
                arguments.push(self.alternatives()?);
            }
        }
        let end = offset(self.token().end);
        if !matches!(self.peek(), TokenKind::Symbol(")")) {
            return Err(self.unexpected("`,` or `)`"));
        }
        let (fits, wanted) = match name {
            "min" | "max" => (arguments.len() >= 2, "two or more arguments"),
            "is_power_of_two" => (arguments.len() == 1, "one argument"),
            _ => (arguments.len() == 2, "two arguments"),
        };
        if !fits {
            self.next = at_name;
            let mut error =
                self.error(format!("`{name}` takes {wanted}, and here it has {}", arguments.len()));
            error.code = "expression.argument-count".to_owned();
            return Err(error);
        }
        self.advance();
        let span = (start, end);
        if name == "is_power_of_two" {
            return Ok(self.push(NodeKind::Unary(Unary::IsPowerOfTwo, arguments[0]), span));
        }
        let operation = match name {
            "min" => Binary::Minimum,
            "max" => Binary::Maximum,
            "ceil_div" => Binary::CeilDiv,
            _ => Binary::AlignUp,
        };
        let mut left = arguments[0];
        for &right in &arguments[1..] {
            left = self.push(NodeKind::Binary(operation, left, right), span);
        }
        Ok(left)
    }

    /// After `sizeof(`: a dtype is a constant, any other name a type variable.
    fn size_of(&mut self, start: u32) -> Parsed {
        let TokenKind::Name(name) = self.peek().clone() else {
            return Err(self.unexpected("a type"));
        };
        self.advance();
        let end = offset(self.token().end);
        self.expect(")")?;
        match Dtype::parse(&name) {
            Some(dtype) => {
                let size = i64::try_from(dtype.size_bytes()).unwrap_or(i64::MAX);
                Ok(self.push(NodeKind::Integer(size), (start, end)))
            }
            None => Ok(self.variable(format!("sizeof({name})"), (start, end))),
        }
    }
}

/// Offsets and node counts are bounded by [`TEXT_LIMIT`].
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
