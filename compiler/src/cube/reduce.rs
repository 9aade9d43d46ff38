//! Reductions: what each thread adds up, and how threads join their parts.

use cubecl_ir::{Arithmetic, Builtin, Comparison, ElemType, Variable};
use ridge_spec::math::{Binary, NodeIndex, Op, Reduction, ValueKind};
use ridge_spec::outcome::Rejection;

use super::code::{INTEGER, builtin, count};
use super::fusion::Sweep;
use super::kernel::{Kernel, Place, Scalar};
use super::operators::constant;
use super::refused;

/// Parts that one thread keeps apart, so that the additions of a vector do not wait for each other.
const PARTS: usize = 4;

/// Threads of a warp.
const WARP: u64 = 32;

/// What a sweep reduces so far.
#[derive(Default)]
pub(super) struct Totals {
    reductions: Vec<Total>,
    online: Vec<Online>,
}

/// One reduction.
struct Total {
    node: NodeIndex,
    function: Reduction,
    operand: NodeIndex,
    parts: Vec<Variable>,
    /// Elements added so far, to take the parts in turn.
    n_added: usize,
}

/// A maximum together with the sum of exponentials of what lies below it.
struct Online {
    maximum: NodeIndex,
    sum: NodeIndex,
    operand: NodeIndex,
    greatest: Variable,
    total: Variable,
}

impl Kernel<'_> {
    /// Variables for a sweep's reductions, with what they are of nothing.
    pub(super) fn totals(&mut self, sweep: &Sweep) -> Result<Totals, Rejection> {
        let mut totals = Totals::default();
        let depth = self.code.depth();
        for &node in &sweep.reductions {
            let Op::Reduce { function, .. } = self.program.graph()[node].op else { continue };
            let operand = self.program.operands(node)[0];
            if self.schedule.is_online {
                if let Some(&maximum) = self.fusion.online.get(&node) {
                    let real = self.real();
                    let greatest = self.code.mutable(depth, real);
                    let lowest = self.special(f64::NEG_INFINITY, real);
                    self.code.assign(greatest, lowest);
                    let total = self.code.mutable(depth, real);
                    self.code.assign(total, constant(0.0, real));
                    let operand = self.program.operands(maximum)[0];
                    totals.online.push(Online { maximum, sum: node, operand, greatest, total });
                    continue;
                }
                if self.fusion.online.values().any(|maximum| *maximum == node) {
                    continue;
                }
            }
            let ty = self.total_type(node, operand);
            let start = match function {
                Reduction::Sum | Reduction::Mean => constant(0.0, ty),
                Reduction::Max => self.lowest(ty),
                Reduction::Min => self.highest(ty),
            };
            let n_parts = match function {
                Reduction::Sum | Reduction::Mean => PARTS,
                Reduction::Max | Reduction::Min => PARTS / 2,
            };
            let parts = (0..n_parts).map(|_| {
                let part = self.code.mutable(depth, ty);
                self.code.assign(part, start);
                part
            });
            let parts = parts.collect();
            totals.reductions.push(Total { node, function, operand, parts, n_added: 0 });
        }
        Ok(totals)
    }

    fn total_type(&self, node: NodeIndex, operand: NodeIndex) -> ElemType {
        let kinds = [node, operand].map(|node| self.program.graph()[node].kind);
        if kinds.contains(&ValueKind::Real) { self.real() } else { INTEGER }
    }

    fn lowest(&mut self, ty: ElemType) -> Variable {
        match ty {
            ElemType::Float(_) => self.special(f64::NEG_INFINITY, ty),
            _ => ty.min_variable(),
        }
    }

    fn highest(&mut self, ty: ElemType) -> Variable {
        match ty {
            ElemType::Float(_) => self.special(f64::INFINITY, ty),
            _ => ty.max_variable(),
        }
    }

    /// Takes one vector into every reduction.
    pub(super) fn accumulate(
        &mut self,
        place: &Place,
        totals: &mut Totals,
    ) -> Result<(), Rejection> {
        for total in &mut totals.reductions {
            let value = self.value(total.operand, place)?;
            let ty = total.parts[0].elem_type();
            for lane in 0..self.width {
                let element = self.typed(value.lane(lane), ty);
                let part = total.parts[total.n_added % total.parts.len()];
                total.n_added += 1;
                let joined = self.join_two(total.function, part, element);
                self.code.assign(part, joined);
            }
        }
        for online in &totals.online {
            let value = self.value(online.operand, place)?;
            let lanes: Vec<Scalar> = (0..self.width).map(|lane| value.lane(lane)).collect();
            self.accumulate_online(online, &lanes);
        }
        Ok(())
    }

    /// Rescales the sum to the new maximum, and adds the vector's exponentials.
    fn accumulate_online(&mut self, online: &Online, lanes: &[Scalar]) {
        let lanes: Vec<Variable> = lanes.iter().map(|&lane| self.real_of(lane)).collect();
        let before = self.code.copy(online.greatest);
        let greatest = self.fold(Binary::Max, before, &lanes);
        let shift = self.finite(greatest);
        let gap = self.code.binary(Arithmetic::Sub, before, shift);
        let scale = self.exponential(gap);
        let mut exponentials = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let below = self.code.binary(Arithmetic::Sub, lane, shift);
            exponentials.push(self.exponential(below));
        }
        let sum = self.join_all(Reduction::Sum, &exponentials);
        let rescaled = self.code.binary(Arithmetic::Mul, online.total, scale);
        let total = self.code.binary(Arithmetic::Add, rescaled, sum);
        self.code.assign(online.total, total);
        self.code.assign(online.greatest, greatest);
    }

    /// What to subtract before exponentials: 0 for a maximum of nothing but minus infinities, whose
    /// differences would be no numbers.
    fn finite(&mut self, greatest: Variable) -> Variable {
        let ty = greatest.elem_type();
        let lowest = self.special(f64::NEG_INFINITY, ty);
        let is_lowest = self.code.compare(Comparison::Equal, greatest, lowest);
        self.code.select(is_lowest, constant(0.0, ty), greatest)
    }

    fn join_two(&mut self, function: Reduction, a: Variable, b: Variable) -> Variable {
        let function = match function {
            Reduction::Sum | Reduction::Mean => Arithmetic::Add,
            Reduction::Max => Arithmetic::Max,
            Reduction::Min => Arithmetic::Min,
        };
        self.code.binary(function, a, b)
    }

    /// Joins the threads of a row; every one of them gets every result.
    pub(super) fn join(&mut self, totals: Totals) -> Result<(), Rejection> {
        let mut shared = Vec::new();
        let mut results: Vec<(Reduction, Variable)> = Vec::new();
        for total in &totals.reductions {
            let own = self.join_all(total.function, &total.parts);
            let whole = self.join_warp(total.function, own);
            results.push((total.function, whole));
        }
        let mut pairs = Vec::new();
        for online in &totals.online {
            let greatest = self.join_warp(Reduction::Max, online.greatest);
            let rescaled = self.rescaled(online.greatest, online.total, greatest);
            let total = self.join_warp(Reduction::Sum, rescaled);
            pairs.push((greatest, total));
        }
        if self.schedule.threads_per_row > WARP && !(results.is_empty() && pairs.is_empty()) {
            let values = results.iter().map(|&(_, value)| value);
            let values: Vec<Variable> =
                values.chain(pairs.iter().flat_map(|&(a, b)| [a, b])).collect();
            shared = self.publish(&values)?;
        }
        for (at, total) in totals.reductions.iter().enumerate() {
            let (function, own) = results[at];
            let whole = match shared.get(at) {
                Some(parts) => self.join_all(function, parts),
                None => own,
            };
            let whole = self.finished(total, whole)?;
            self.reduced.insert(total.node, whole);
        }
        for (at, online) in totals.online.iter().enumerate() {
            let place = totals.reductions.len() + 2 * at;
            let (mut greatest, mut total) = pairs[at];
            if let (Some(maxima), Some(sums)) = (shared.get(place), shared.get(place + 1)) {
                greatest = self.join_all(Reduction::Max, maxima);
                let parts = maxima.clone().into_iter().zip(sums.clone());
                let parts: Vec<Variable> =
                    parts.map(|(own, sum)| self.rescaled(own, sum, greatest)).collect();
                total = self.join_all(Reduction::Sum, &parts);
            }
            // A maximum that is not finite leaves no number, as subtracting it would.
            let nothing = self.code.binary(Arithmetic::Sub, greatest, greatest);
            let total = self.code.binary(Arithmetic::Add, total, nothing);
            self.reduced.insert(online.maximum, greatest);
            self.reduced.insert(online.sum, total);
        }
        Ok(())
    }

    /// A sum of exponentials below one maximum, as one below a greater.
    fn rescaled(&mut self, own: Variable, total: Variable, greatest: Variable) -> Variable {
        let shift = self.finite(greatest);
        let gap = self.code.binary(Arithmetic::Sub, own, shift);
        let scale = self.exponential(gap);
        self.code.binary(Arithmetic::Mul, total, scale)
    }

    /// Joins values in pairs, at least one.
    fn join_all(&mut self, function: Reduction, parts: &[Variable]) -> Variable {
        if let [only] = parts {
            return *only;
        }
        let (left, right) = parts.split_at(parts.len() / 2);
        let (left, right) = (self.join_all(function, left), self.join_all(function, right));
        self.join_two(function, left, right)
    }

    /// Joins the threads of a row within their warp.
    fn join_warp(&mut self, function: Reduction, value: Variable) -> Variable {
        let mut distance = self.schedule.threads_per_row.min(WARP) / 2;
        let mut value = value;
        while distance > 0 {
            let other = self.code.exchange(value, usize::try_from(distance).unwrap_or(1));
            value = self.join_two(function, value, other);
            distance /= 2;
        }
        value
    }

    /// Shows each warp's values to all warps of the row: for each value, those of every warp.
    fn publish(&mut self, values: &[Variable]) -> Result<Vec<Vec<Variable>>, Rejection> {
        let warps = usize::try_from(self.schedule.threads_per_row / WARP).unwrap_or(1);
        let rows = usize::try_from(self.schedule.rows_per_block).unwrap_or(1);
        let x = builtin(Builtin::UnitPosX);
        let lane = count(32);
        let in_warp = self.code.binary(Arithmetic::Modulo, x, lane);
        let warp = self.code.binary(Arithmetic::Div, x, lane);
        let y = builtin(Builtin::UnitPosY);
        let first = self.scaled(y, warps as u64);
        let own = self.code.binary(Arithmetic::Add, first, warp);
        let speaks = self.code.compare(Comparison::Equal, in_warp, count(0));
        let arrays: Vec<Variable> =
            values.iter().map(|value| self.code.shared(value.ty, rows * warps)).collect();
        self.open();
        for (&array, &value) in arrays.iter().zip(values) {
            self.code.store(array, own, value);
        }
        self.close_if(speaks);
        self.code.barrier();
        let mut parts = Vec::with_capacity(arrays.len());
        for array in arrays {
            let mut row = Vec::with_capacity(warps);
            for warp in 0..warps {
                let index = self.plus(first, i64::try_from(warp).unwrap_or(0));
                row.push(self.code.element(array, index, array.ty));
            }
            parts.push(row);
        }
        Ok(parts)
    }

    /// A joined reduction as the language means it.
    fn finished(&mut self, total: &Total, whole: Variable) -> Result<Variable, Rejection> {
        if total.function != Reduction::Mean {
            return Ok(whole);
        }
        let Op::Reduce { axes, .. } = &self.program.graph()[total.node].op else {
            return Err(refused("a mean is no reduction"));
        };
        let n = self.extents.product(axes)?;
        let real = self.real();
        let whole = self.code.cast(whole, real);
        #[expect(clippy::cast_precision_loss, reason = "a mean is over far fewer than 2^53")]
        let factor = constant(1.0 / n as f64, real);
        Ok(self.code.binary(Arithmetic::Mul, whole, factor))
    }
}
