//! Constant expressions: PTX ISA, "Constant Expressions".
//!
//! Integers are 64-bit and wrap; the operators are C's without assignment. Comparison and right
//! shift are signed, as for `.s64`.

use super::super::error::{PtxError, PtxErrorCode};
use super::super::instruction::Immediate;
use super::super::lexer::Token;
use super::Parser;

/// Deepest nesting of parentheses and unary signs.
const DEPTH_MAX: u32 = 64;

/// Binary operators by their marks (the second 0 for a single one), loosest first.
const OPERATORS: &[(u8, u8, u8)] = &[
    (b'|', b'|', 1),
    (b'&', b'&', 2),
    (b'|', 0, 3),
    (b'^', 0, 4),
    (b'&', 0, 5),
    (b'=', b'=', 6),
    (b'!', b'=', 6),
    (b'<', b'=', 7),
    (b'>', b'=', 7),
    (b'<', b'<', 8),
    (b'>', b'>', 8),
    (b'<', 0, 7),
    (b'>', 0, 7),
    (b'+', 0, 9),
    (b'-', 0, 9),
    (b'*', 0, 10),
    (b'/', 0, 10),
    (b'%', 0, 10),
];

/// Binding strength of a term of a sum: `+` and `-` do not belong to it.
pub(super) const PRODUCT: u8 = 10;

impl<'a> Parser<'a> {
    /// A constant: an integer expression, or a floating literal with an optional sign.
    pub(super) fn constant(&mut self) -> Result<Immediate, PtxError> {
        let negative = self.is(b'-') && self.lexer.peek_after_blanks().is_ascii_digit();
        if negative {
            self.advance()?;
        }
        match self.token {
            Token::Single(bits) => {
                self.advance()?;
                Ok(Immediate::F32(if negative { bits ^ 0x8000_0000 } else { bits }))
            }
            Token::Double(bits) => {
                self.advance()?;
                Ok(Immediate::F64(if negative { bits ^ (1 << 63) } else { bits }))
            }
            _ if negative => {
                let first = self.unary(0)?.wrapping_neg();
                Ok(Immediate::Integer(self.binary(first, 0, 0)?))
            }
            _ => Ok(Immediate::Integer(self.integer_expression(0)?)),
        }
    }

    /// An integer expression of operators at least as tight as `strength`.
    pub(super) fn integer_expression(&mut self, strength: u8) -> Result<i64, PtxError> {
        self.expression(strength, 0)
    }

    fn expression(&mut self, strength: u8, depth: u32) -> Result<i64, PtxError> {
        let first = self.unary(depth)?;
        let value = self.binary(first, strength, depth)?;
        if strength == 0 && self.take(b'?')? {
            let depth = self.deeper(depth)?;
            let yes = self.expression(0, depth)?;
            self.expect(b':')?;
            let no = self.expression(0, depth)?;
            return Ok(if value == 0 { no } else { yes });
        }
        Ok(value)
    }

    fn binary(&mut self, first: i64, strength: u8, depth: u32) -> Result<i64, PtxError> {
        let mut value = first;
        while let Some((one, two, tightness)) = self.operator() {
            if tightness < strength {
                break;
            }
            let depth = self.deeper(depth)?;
            self.advance()?;
            if two != 0 {
                self.advance()?;
            }
            let right = self.expression(tightness + 1, depth)?;
            value = self.apply(one, two, value, right)?;
        }
        Ok(value)
    }

    fn operator(&self) -> Option<(u8, u8, u8)> {
        let Token::Mark(mark) = self.token else { return None };
        let next = self.lexer.peek(0);
        OPERATORS.iter().copied().find(|(one, two, _)| *one == mark && (*two == 0 || *two == next))
    }

    fn apply(&self, one: u8, two: u8, left: i64, right: i64) -> Result<i64, PtxError> {
        let shift = u32::try_from(right).ok().filter(|shift| *shift < 64);
        Ok(match (one, two) {
            (b'|', b'|') => i64::from(left != 0 || right != 0),
            (b'&', b'&') => i64::from(left != 0 && right != 0),
            (b'|', _) => left | right,
            (b'^', _) => left ^ right,
            (b'&', _) => left & right,
            (b'=', _) => i64::from(left == right),
            (b'!', _) => i64::from(left != right),
            (b'<', b'=') => i64::from(left <= right),
            (b'>', b'=') => i64::from(left >= right),
            (b'<', b'<') => shift.map_or(0, |shift| left << shift),
            (b'>', b'>') => left >> shift.unwrap_or(63),
            (b'<', _) => i64::from(left < right),
            (b'>', _) => i64::from(left > right),
            (b'+', _) => left.wrapping_add(right),
            (b'-', _) => left.wrapping_sub(right),
            (b'*', _) => left.wrapping_mul(right),
            (b'/' | b'%', _) if right == 0 => {
                return Err(
                    self.error(PtxErrorCode::Range, "division by zero in a constant expression")
                );
            }
            (b'/', _) => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        })
    }

    fn unary(&mut self, depth: u32) -> Result<i64, PtxError> {
        let depth = self.deeper(depth)?;
        match self.token {
            Token::Mark(b'-') => {
                self.advance()?;
                Ok(self.unary(depth)?.wrapping_neg())
            }
            Token::Mark(b'+') => {
                self.advance()?;
                self.unary(depth)
            }
            Token::Mark(b'~') => {
                self.advance()?;
                Ok(!self.unary(depth)?)
            }
            Token::Mark(b'!') => {
                self.advance()?;
                Ok(i64::from(self.unary(depth)? == 0))
            }
            Token::Mark(b'(') => {
                self.advance()?;
                if let Token::Directive("s64" | "u64") = self.token {
                    self.advance()?;
                    self.expect(b')')?;
                    return self.unary(depth);
                }
                let value = self.expression(0, depth)?;
                self.expect(b')')?;
                Ok(value)
            }
            Token::Integer(value) => {
                self.advance()?;
                Ok(value.cast_signed())
            }
            Token::Word("WARP_SZ") => {
                self.advance()?;
                Ok(32)
            }
            _ => Err(self.expected("a constant")),
        }
    }

    fn deeper(&self, depth: u32) -> Result<u32, PtxError> {
        if depth < DEPTH_MAX {
            Ok(depth + 1)
        } else {
            Err(self.error(PtxErrorCode::Limit, "the constant expression is nested too deeply"))
        }
    }
}
