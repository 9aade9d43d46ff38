//! From a node of the graph to code that computes it at one place.

use std::collections::BTreeSet;

use cubecl_ir::{Comparison, ConstantValue, ElemType, IntKind, Variable};
use ridge_spec::expression::IntegerExpression;
use ridge_spec::math::{Binary, NodeIndex, Op, Unary, ValueKind};
use ridge_spec::outcome::Rejection;

use super::code::{COUNT, INTEGER, position};
use super::kernel::{Coordinate, Kernel, Key, Place, Scalar, Value};
use super::refused;

impl Kernel<'_> {
    /// The value of a node at a place, written where it is first needed.
    pub(super) fn value(&mut self, node: NodeIndex, place: &Place) -> Result<Value, Rejection> {
        let key = self.key(node, place);
        if let Some(known) = self.frames.iter().rev().find_map(|frame| frame.get(&key)) {
            return Ok(known.clone());
        }
        let value = self.compute(node, place)?;
        if let Some(frame) = self.frames.last_mut() {
            frame.insert(key, value.clone());
        }
        Ok(value)
    }

    fn compute(&mut self, node: NodeIndex, place: &Place) -> Result<Value, Rejection> {
        let operands = self.program.operands(node);
        let op = self.program.graph()[node].op.clone();
        match op {
            Op::Input(name) => match self.scalars.get(&name) {
                Some(&variable) => Ok(Value::One(Scalar::Emitted(variable))),
                None => self.load(&name, self.key(node, place), place),
            },
            Op::Constant(value) => Ok(Value::One(Scalar::Constant(value))),
            Op::Extent(axis) => self.extent(&axis),
            Op::Index(axis) => self.index(&axis, place),
            Op::Unary(function) => {
                let x = self.value(operands[0], place)?;
                let fast = self.is_fast(&x);
                Ok(self.map([x], |own, [x]| own.unary(function, x, fast)))
            }
            Op::Binary(function) => {
                let a = self.value(operands[0], place)?;
                let b = self.value(operands[1], place)?;
                Ok(self.pair(function, a, b))
            }
            Op::Where => {
                let [condition, then, or_else] =
                    [0, 1, 2].map(|at| self.value(operands[at], place));
                let operands = [condition?, then?, or_else?];
                Ok(self.map(operands, |own, [c, a, b]| own.choose(c, a, b)))
            }
            Op::Cast(target) => {
                let x = self.value(operands[0], place)?;
                let dtype = self.program.cast_dtype(&target);
                let dtype = dtype.ok_or_else(|| refused(&format!("`{target}` is not bound")))?;
                Ok(self.map([x], |own, [x]| own.rounded(x, dtype)))
            }
            Op::Reduce { .. } => self.reduction(node, place),
            Op::Broadcast { .. } => self.value(operands[0], place),
            Op::Take { .. } | Op::Slice { .. } | Op::Select { .. } | Op::Rename { .. } => {
                let place = self.operand_place(node, place)?;
                self.value(operands[0], &place)
            }
            Op::Concat { axes, name } => self.concat(node, &operands, &axes, &name, place),
        }
    }

    /// Where operand 0 of a node that only looks elsewhere is read.
    fn operand_place(&mut self, node: NodeIndex, place: &Place) -> Result<Place, Rejection> {
        let mut inner = place.clone();
        match self.program.graph()[node].op.clone() {
            Op::Slice { axis, start, name, .. } => {
                let start = self.bound(&start)?;
                let moved = self.moved(coordinate(place, &name)?, start);
                inner.remove(&name);
                inner.insert(axis, moved);
            }
            Op::Select { axis, position } => {
                let offset = self.bound(&position)?;
                let at = Coordinate::Affine { variable: None, offset, lanes: false, span: 1 };
                inner.insert(axis, at);
            }
            Op::Rename { axis, name } => {
                let at = coordinate(place, &name)?.clone();
                inner.remove(&name);
                inner.insert(axis, at);
            }
            Op::Take { axis } => {
                let index = self.program.operands(node)[1];
                let at = match self.value(index, place)? {
                    Value::One(Scalar::Constant(value)) => {
                        #[expect(clippy::cast_possible_truncation, reason = "a whole number")]
                        let offset = value as i64;
                        Coordinate::Affine { variable: None, offset, lanes: false, span: 1 }
                    }
                    Value::One(scalar @ Scalar::Emitted(_)) => {
                        let variable = self.index_position(scalar);
                        let span = u64::MAX;
                        let variable = Some(variable);
                        Coordinate::Affine { variable, offset: 0, lanes: false, span }
                    }
                    Value::Lanes(lanes) => Coordinate::Each(
                        lanes.into_iter().map(|lane| self.index_position(lane)).collect(),
                    ),
                };
                inner.insert(axis, at);
            }
            _ => {}
        }
        Ok(inner)
    }

    /// A coordinate further along its axis.
    fn moved(&mut self, coordinate: &Coordinate, by: i64) -> Coordinate {
        match coordinate.clone() {
            Coordinate::Affine { variable, offset, lanes, span } => {
                Coordinate::Affine { variable, offset: offset + by, lanes, span }
            }
            Coordinate::Each(lanes) => {
                Coordinate::Each(lanes.into_iter().map(|lane| self.plus(lane, by)).collect())
            }
        }
    }

    fn index_position(&mut self, scalar: Scalar) -> Variable {
        let whole = self.typed(scalar, INTEGER);
        let at = self.position_of(whole);
        // Keys tell places apart by a variable's number.
        if super::kernel::is_named(at) { at } else { self.code.copy(at) }
    }

    fn bound(&self, expression: &IntegerExpression) -> Result<i64, Rejection> {
        let value = self.extents.whole(expression)?;
        i64::try_from(value).map_err(|_| refused(&format!("`{expression}` is {value}")))
    }

    fn is_fast(&self, value: &Value) -> bool {
        self.schedule.is_approximate && matches!(value, Value::Lanes(_))
    }

    /// Applies a function lane by lane, or once where no operand has lanes.
    fn map<const N: usize>(
        &mut self,
        operands: [Value; N],
        mut function: impl FnMut(&mut Self, [Scalar; N]) -> Scalar,
    ) -> Value {
        if operands.iter().all(|operand| matches!(operand, Value::One(_))) {
            let scalars = std::array::from_fn(|at| operands[at].lane(0));
            return Value::One(function(self, scalars));
        }
        let lanes = 0..self.width;
        Value::Lanes(
            lanes
                .map(|lane| function(self, std::array::from_fn(|at| operands[at].lane(lane))))
                .collect(),
        )
    }

    fn pair(&mut self, function: Binary, a: Value, b: Value) -> Value {
        let fast = self.is_fast(&a) || self.is_fast(&b);
        if let (Binary::Divide, Value::Lanes(_), Value::One(divisor @ Scalar::Emitted(_)), true) =
            (function, &a, &b, fast)
        {
            // One exact reciprocal for the whole row.
            let one = Scalar::Constant(1.0);
            let reciprocal = Value::One(self.binary(Binary::Divide, one, *divisor, false));
            return self
                .map([a, reciprocal], |own, [a, b]| own.binary(Binary::Multiply, a, b, false));
        }
        self.map([a, b], |own, [a, b]| own.binary(function, a, b, fast))
    }

    fn extent(&mut self, axis: &str) -> Result<Value, Rejection> {
        if let Some(extent) = self.extents.find(axis) {
            #[expect(clippy::cast_precision_loss, reason = "the language counts in binary64")]
            return Ok(Value::One(Scalar::Constant(extent as f64)));
        }
        let variable = self.dynamic.get(axis).copied();
        let variable = variable.ok_or_else(|| refused(&format!("`{axis}` has no extent")))?;
        Ok(Value::One(Scalar::Emitted(variable)))
    }

    /// Positions along an axis, in 32 bits where they fit.
    fn index(&mut self, axis: &str, place: &Place) -> Result<Value, Rejection> {
        let ty = match self.extents.find(axis) {
            Some(extent) if i32::try_from(extent).is_ok() => ElemType::Int(IntKind::I32),
            _ => INTEGER,
        };
        match coordinate(place, axis)?.clone() {
            Coordinate::Affine { variable: None, offset, lanes: false, .. } => {
                #[expect(clippy::cast_precision_loss, reason = "the language counts in binary64")]
                let value = offset as f64;
                Ok(Value::One(Scalar::Constant(value)))
            }
            Coordinate::Affine { variable, offset, lanes, .. } => {
                let base = match variable {
                    Some(variable) => {
                        let own = self.code.cast(variable, ty);
                        let unit = if lanes { self.width as u64 } else { 1 };
                        self.scaled(own, unit)
                    }
                    None => Variable::constant(ConstantValue::Int(0), ty),
                };
                if !lanes {
                    return Ok(Value::One(Scalar::Emitted(self.plus(base, offset))));
                }
                let lanes = (0..self.width).map(|lane| {
                    let offset = offset + i64::try_from(lane).unwrap_or(0);
                    Scalar::Emitted(self.plus(base, offset))
                });
                Ok(Value::Lanes(lanes.collect()))
            }
            Coordinate::Each(lanes) => Ok(Value::Lanes(
                lanes.into_iter().map(|lane| Scalar::Emitted(self.code.cast(lane, ty))).collect(),
            )),
        }
    }

    /// A variable times a number.
    pub(super) fn scaled(&mut self, variable: Variable, factor: u64) -> Variable {
        if factor == 1 {
            return variable;
        }
        let factor = Variable::constant(ConstantValue::UInt(factor), variable.ty);
        self.code.binary(cubecl_ir::Arithmetic::Mul, variable, factor)
    }

    /// A variable plus a number.
    pub(super) fn plus(&mut self, variable: Variable, offset: i64) -> Variable {
        if offset == 0 {
            return variable;
        }
        let (function, offset): (fn(_) -> _, u64) = if offset < 0 {
            (cubecl_ir::Arithmetic::Sub, offset.unsigned_abs())
        } else {
            (cubecl_ir::Arithmetic::Add, offset.unsigned_abs())
        };
        let offset = Variable::constant(ConstantValue::UInt(offset), variable.ty);
        self.code.binary(function, variable, offset)
    }

    /// A reduction's value, made by an earlier sweep over this row.
    fn reduction(&mut self, node: NodeIndex, place: &Place) -> Result<Value, Rejection> {
        let axes = &self.program.graph()[node].axes;
        let here = axes.iter().all(|axis| place.get(axis) == self.row_place.get(axis));
        match self.reduced.get(&node) {
            Some(&variable) if here => Ok(Value::One(Scalar::Emitted(variable))),
            _ => {
                let op = &self.program.graph()[node].op;
                Err(refused(&format!("`{op}` is read for another row than the one it is made of")))
            }
        }
    }

    fn concat(
        &mut self,
        node: NodeIndex,
        operands: &[NodeIndex],
        axes: &[String],
        name: &str,
        place: &Place,
    ) -> Result<Value, Rejection> {
        let Coordinate::Affine { variable, offset, lanes, span } = coordinate(place, name)?.clone()
        else {
            return Err(refused("a concatenation is indexed element by element"));
        };
        let mut parts = Vec::new();
        let mut start = 0_i64;
        for (&operand, axis) in operands.iter().zip(axes) {
            let extent = i64::try_from(self.extents.get(axis)?).unwrap_or(i64::MAX);
            parts.push(Part { operand, axis: axis.clone(), start, end: start + extent });
            start += extent;
        }
        let last = offset.saturating_add(i64::try_from(span).unwrap_or(i64::MAX));
        let whole = parts.iter().find(|part| part.start <= offset && last <= part.end);
        if let Some(part) = whole {
            let at = Coordinate::Affine { variable, offset: offset - part.start, lanes, span };
            let (operand, axis) = (part.operand, part.axis.clone());
            let mut inner = place.clone();
            inner.remove(name);
            inner.insert(axis, at);
            return self.value(operand, &inner);
        }
        let Some(variable) = variable else {
            return Err(refused("a vector crosses a concatenation's seam"));
        };
        let ty = match self.program.graph()[node].kind {
            ValueKind::Real => self.real(),
            ValueKind::Integer => INTEGER,
            ValueKind::Boolean => ElemType::Bool,
        };
        let depth = self.code.depth();
        let n_lanes = if self.has_lanes(node, place) { self.width } else { 1 };
        let out: Vec<Variable> = (0..n_lanes).map(|_| self.code.mutable(depth, ty)).collect();
        let unit = if lanes { self.width as u64 } else { 1 };
        let scaled = self.scaled(variable, unit);
        let at = self.plus(scaled, offset);
        let seam = Seam { name, place, at, variable, offset, lanes, ty };
        self.n_branches += 1;
        let done = self.branches(&parts, &seam, &out);
        self.n_branches -= 1;
        done?;
        let mut scalars = out.into_iter().map(Scalar::Emitted);
        Ok(if n_lanes == 1 && self.width > 1 {
            Value::One(scalars.next().unwrap_or(Scalar::Constant(0.0)))
        } else {
            Value::Lanes(scalars.collect())
        })
    }

    /// The part at hand is chosen while the kernel runs.
    fn branches(
        &mut self,
        parts: &[Part],
        seam: &Seam<'_>,
        out: &[Variable],
    ) -> Result<(), Rejection> {
        let Some((part, others)) = parts.split_first() else { return Ok(()) };
        if others.is_empty() {
            return self.branch(part, seam, out);
        }
        let end = position(part.end.unsigned_abs());
        let condition = self.code.compare(Comparison::Lower, seam.at, end);
        self.open();
        self.branch(part, seam, out)?;
        self.pop_frame();
        self.code.open_else();
        self.push_frame();
        self.branches(others, seam, out)?;
        self.pop_frame();
        self.code.close_if_else(condition);
        Ok(())
    }

    fn branch(&mut self, part: &Part, seam: &Seam<'_>, out: &[Variable]) -> Result<(), Rejection> {
        let mut inner = seam.place.clone();
        inner.remove(seam.name);
        let at = Coordinate::Affine {
            variable: Some(seam.variable),
            offset: seam.offset - part.start,
            lanes: seam.lanes,
            span: (part.end - part.start).unsigned_abs(),
        };
        inner.insert(part.axis.clone(), at);
        let value = self.value(part.operand, &inner)?;
        for (lane, &out) in out.iter().enumerate() {
            let lane = self.typed(value.lane(lane), seam.ty);
            self.code.assign(out, lane);
        }
        Ok(())
    }

    /// Whether a node's value differs between lanes.
    fn has_lanes(&self, node: NodeIndex, place: &Place) -> bool {
        self.program.graph()[node].axes.iter().any(|axis| match place.get(axis) {
            Some(Coordinate::Affine { lanes, .. }) => *lanes,
            Some(Coordinate::Each(_)) => true,
            None => false,
        })
    }

    /// Loads what a node needs of tensors along the row, so that no load waits for a result.
    pub(super) fn preload(&mut self, node: NodeIndex, place: &Place) -> Result<(), Rejection> {
        self.preload_unseen(node, place, &mut BTreeSet::new())
    }

    /// As [`Self::preload`], but for what is in `seen`: a value used twice is followed once, or the
    /// work would double with every statement that uses the one before twice.
    fn preload_unseen(
        &mut self,
        node: NodeIndex,
        place: &Place,
        seen: &mut BTreeSet<Key>,
    ) -> Result<(), Rejection> {
        let key = self.key(node, place);
        if self.frames.iter().any(|frame| frame.contains_key(&key)) || !seen.insert(key) {
            return Ok(());
        }
        let operands = self.program.operands(node);
        match &self.program.graph()[node].op {
            Op::Input(name) => {
                let wanted = self.only.as_ref().is_none_or(|only| only.contains(name));
                if wanted && self.has_lanes(node, place) {
                    self.value(node, place)?;
                }
                Ok(())
            }
            Op::Slice { .. } | Op::Select { .. } | Op::Rename { .. } => {
                let place = self.operand_place(node, place)?;
                self.preload_unseen(operands[0], &place, seen)
            }
            // What is read depends on other values.
            Op::Take { .. } | Op::Concat { .. } | Op::Reduce { .. } => Ok(()),
            _ => operands
                .into_iter()
                .try_for_each(|operand| self.preload_unseen(operand, place, seen)),
        }
    }

    /// The least and greatest of a vector's lanes, or their sum, one after the other.
    pub(super) fn fold(
        &mut self,
        function: Binary,
        start: Variable,
        lanes: &[Variable],
    ) -> Variable {
        lanes.iter().fold(start, |left, &right| {
            let pair = (Scalar::Emitted(left), Scalar::Emitted(right));
            match self.binary(function, pair.0, pair.1, false) {
                Scalar::Emitted(variable) => variable,
                Scalar::Constant(_) => left,
            }
        })
    }

    /// `exp(x)` with the approximation that the schedule allows.
    pub(super) fn exponential(&mut self, x: Variable) -> Variable {
        let fast = self.schedule.is_approximate;
        match self.unary(Unary::Exp, Scalar::Emitted(x), fast) {
            Scalar::Emitted(variable) => variable,
            Scalar::Constant(_) => x,
        }
    }

    /// How many rows there are, in 32 bits.
    pub(super) fn row_count(&mut self) -> Result<Variable, Rejection> {
        let mut known = 1_u64;
        let mut dynamic = None;
        for axis in &self.fusion.rows {
            match (self.extents.find(axis), self.dynamic.get(axis).copied()) {
                (Some(extent), _) => known = known.saturating_mul(extent),
                (None, Some(variable)) => {
                    dynamic = Some(match dynamic {
                        None => variable,
                        Some(product) => {
                            self.code.binary(cubecl_ir::Arithmetic::Mul, product, variable)
                        }
                    });
                }
                (None, None) => return Err(refused(&format!("`{axis}` has no extent"))),
            }
        }
        Ok(match dynamic {
            None => Variable::constant(ConstantValue::UInt(known), COUNT),
            Some(dynamic) => self.scaled(dynamic, known),
        })
    }
}

/// One operand of a concatenation, from `start` to `end` along the joined axis.
struct Part {
    operand: NodeIndex,
    axis: String,
    start: i64,
    end: i64,
}

/// Where a concatenation is read.
struct Seam<'a> {
    name: &'a str,
    place: &'a Place,
    /// The first lane's position along the joined axis.
    at: Variable,
    variable: Variable,
    offset: i64,
    lanes: bool,
    ty: ElemType,
}

fn coordinate<'p>(place: &'p Place, axis: &str) -> Result<&'p Coordinate, Rejection> {
    place.get(axis).ok_or_else(|| refused(&format!("no place along `{axis}` is known here")))
}
