//! The body of a kernel: rows, sweeps and slots.

use cubecl_ir::{Arithmetic, Builtin, Comparison, Variable};
use ridge_spec::math::NodeIndex;
use ridge_spec::outcome::Rejection;

use super::code::{COUNT, builtin, count, position};
use super::fusion::Sweep;
use super::kernel::{Coordinate, Kernel, Place, Plain};
use super::reduce::Totals;
use super::refused;
use super::schedule::{Hold, STRAIGHT_ELEMENTS_MAX};

/// Where a thread works at one time.
pub(super) struct Slot {
    /// Which vector of the row, or of each of its pieces.
    variable: Variable,
    /// Where the vector may lie behind the row's end: whether it does not.
    exists: Option<Variable>,
}

impl Kernel<'_> {
    /// Writes the whole body.
    pub(super) fn body(&mut self) -> Result<(), Rejection> {
        if self.fusion.flat {
            return self.flat();
        }
        let rows = self.row_count()?;
        let per_block = self.schedule.rows_per_block;
        let row_blocks = self.ceil_div(rows, per_block);
        if !self.schedule.is_persistent {
            let block = builtin(Builtin::CubePosX);
            return self.block(block, rows);
        }
        let block = self.code.counter();
        self.open();
        self.block(block, rows)?;
        if self.needs_barrier() {
            // The next row's partial results go where this one's are still read.
            self.code.barrier();
        }
        self.pop_frame();
        let (start, step) = (builtin(Builtin::CubePosX), builtin(Builtin::CubeCountX));
        self.code.close_loop(block, start, row_blocks, step);
        Ok(())
    }

    fn needs_barrier(&self) -> bool {
        self.schedule.threads_per_row > 32 && self.fusion.has_reductions()
    }

    fn ceil_div(&mut self, value: Variable, divisor: u64) -> Variable {
        if divisor == 1 {
            return value;
        }
        let more = self.plus(value, i64::try_from(divisor - 1).unwrap_or(0));
        let divisor = count(usize::try_from(divisor).unwrap_or(1));
        self.code.binary(Arithmetic::Div, more, divisor)
    }

    /// The rows of one block, or a part of them.
    fn block(&mut self, block: Variable, rows: Variable) -> Result<(), Rejection> {
        let vectors = self.vectors()?;
        let per_tile = self.schedule.threads_per_row * self.schedule.unroll;
        let tiles = if self.fusion.has_reductions() { 1 } else { vectors.div_ceil(per_tile) };
        let divisor = count(usize::try_from(tiles).unwrap_or(1));
        let (row_block, tile) = if tiles == 1 {
            (block, None)
        } else {
            let row_block = self.code.binary(Arithmetic::Div, block, divisor);
            (row_block, Some(self.code.binary(Arithmetic::Modulo, block, divisor)))
        };
        let per_block = self.schedule.rows_per_block;
        let mut row = row_block;
        let mut exists = None;
        if per_block > 1 {
            let first = self.scaled(row_block, per_block);
            row = self.code.binary(Arithmetic::Add, first, builtin(Builtin::UnitPosY));
            let here = self.code.compare(Comparison::Lower, row, rows);
            // A group without a row reads the last one, so that its threads take part in
            // everything, and writes nothing.
            let last = self.plus(rows, -1);
            row = self.code.select(here, row, last);
            exists = Some(here);
        }
        self.row_depth = self.code.depth();
        self.place_rows(row);
        let lane = self.position_of(builtin(Builtin::UnitPosX));
        let lane = self.code.copy(lane);
        let first = match tile {
            None => lane,
            Some(tile) => {
                let tile = self.position_of(tile);
                let before = self.scaled(tile, per_tile);
                self.code.binary(Arithmetic::Add, before, lane)
            }
        };
        self.row(first, exists)
    }

    /// Vectors of one piece of the row.
    fn vectors(&self) -> Result<u64, Rejection> {
        self.schedule.vectors().ok_or_else(|| refused("the row's length is not known"))
    }

    /// The coordinates of a row along the axes that number rows.
    fn place_rows(&mut self, row: Variable) {
        let axes = self.fusion.rows.clone();
        let mut rest = row;
        let mut place = Place::new();
        for (at, axis) in axes.iter().enumerate().rev() {
            let extent = match (self.extents.find(axis), self.dynamic.get(axis).copied()) {
                (Some(extent), _) => count(usize::try_from(extent).unwrap_or(usize::MAX)),
                (None, Some(variable)) => variable,
                (None, None) => count(1),
            };
            let own = if at == 0 {
                rest
            } else {
                let own = self.code.binary(Arithmetic::Modulo, rest, extent);
                rest = self.code.binary(Arithmetic::Div, rest, extent);
                own
            };
            let own = self.position_of(own);
            let span = self.extents.find(axis).unwrap_or(u64::MAX);
            let variable = Some(own);
            let at = Coordinate::Affine { variable, offset: 0, lanes: false, span };
            place.insert(axis.clone(), at);
        }
        if axes.len() > 1 {
            let coordinates = axes.iter().filter_map(|axis| place.get(axis).cloned()).collect();
            let variable = self.position_of(row);
            self.plain_rows = Some(Plain { axes, coordinates, variable });
        }
        self.row_place = place;
    }

    /// All sweeps over one row.
    fn row(&mut self, first: Variable, exists: Option<Variable>) -> Result<(), Rejection> {
        let fusion = self.fusion;
        let sweeps = self.schedule.sweeps(fusion);
        let straight = self.schedule.hold == Hold::Registers;
        let slots = if straight { self.slots(first)? } else { Vec::new() };
        if let (true, Some(last)) = (self.schedule.is_prefetching, sweeps.last()) {
            self.only = Some(self.late.clone());
            for slot in &slots {
                self.guarded(slot.exists, |own| own.preload_slot(last, slot.variable))?;
            }
            self.only = None;
        }
        for sweep in sweeps {
            let mut totals = self.totals(sweep)?;
            self.hoist(sweep)?;
            if straight {
                self.slots_in_turn(sweep, &slots, &mut totals, exists)?;
            } else {
                self.looped(sweep, first, &mut totals, exists)?;
            }
            let new = std::mem::take(&mut self.shared_new);
            self.shared_ready.extend(new);
            self.join(totals)?;
        }
        self.row_outputs(first, exists)
    }

    /// The slots of a row in straight-line code.
    fn slots(&mut self, first: Variable) -> Result<Vec<Slot>, Rejection> {
        let vectors = self.vectors()?;
        let threads = self.schedule.threads_per_row;
        let (n_slots, end) = if self.fusion.has_reductions() {
            (vectors.div_ceil(threads), threads)
        } else {
            let tile = threads * self.schedule.unroll;
            // The last block of a row may reach over its end with every slot.
            let whole = vectors.is_multiple_of(tile);
            let n_slots = self.schedule.unroll.min(vectors.div_ceil(threads));
            (n_slots, if whole { threads } else { u64::MAX })
        };
        let elements = n_slots * self.schedule.width * self.fusion.pieces;
        if elements > STRAIGHT_ELEMENTS_MAX {
            return Err(refused(&format!(
                "{elements} elements a thread are more than {STRAIGHT_ELEMENTS_MAX}"
            )));
        }
        (0..n_slots)
            .map(|slot| {
                let variable = self.plus(first, i64::try_from(slot * threads).unwrap_or(0));
                let is_full = end == threads
                    && (!self.fusion.has_reductions() || (slot + 1) * threads <= vectors);
                let exists = if is_full {
                    None
                } else {
                    let end = position(vectors);
                    Some(self.code.compare(Comparison::Lower, variable, end))
                };
                Ok(Slot { variable, exists })
            })
            .collect()
    }

    /// Handles every slot: first what is read for all of them, then what is made of it.
    fn slots_in_turn(
        &mut self,
        sweep: &Sweep,
        slots: &[Slot],
        totals: &mut Totals,
        row_exists: Option<Variable>,
    ) -> Result<(), Rejection> {
        for slot in slots {
            self.guarded(slot.exists, |own| own.preload_slot(sweep, slot.variable))?;
        }
        for slot in slots {
            self.guarded(slot.exists, |own| own.handle(sweep, slot.variable, totals, row_exists))?;
        }
        Ok(())
    }

    /// The same in a loop over the row.
    fn looped(
        &mut self,
        sweep: &Sweep,
        first: Variable,
        totals: &mut Totals,
        row_exists: Option<Variable>,
    ) -> Result<(), Rejection> {
        let vectors = self.vectors()?;
        let threads = self.schedule.threads_per_row;
        let unroll = self.schedule.unroll.min(vectors.div_ceil(threads));
        let step = threads * unroll;
        let start = self.code.cast(first, COUNT);
        let counter = self.code.counter();
        self.open();
        let base = self.position_of(counter);
        let slots: Vec<Slot> = (0..unroll)
            .map(|slot| {
                let variable = self.plus(base, i64::try_from(slot * threads).unwrap_or(0));
                let exists = (slot > 0 && !vectors.is_multiple_of(step))
                    .then(|| self.code.compare(Comparison::Lower, variable, position(vectors)));
                Slot { variable, exists }
            })
            .collect();
        self.slots_in_turn(sweep, &slots, totals, row_exists)?;
        self.pop_frame();
        let end = count(usize::try_from(vectors).unwrap_or(usize::MAX));
        let step = count(usize::try_from(step).unwrap_or(usize::MAX));
        self.code.close_loop(counter, start, end, step);
        Ok(())
    }

    /// Writes code behind a condition, where there is one.
    fn guarded(
        &mut self,
        condition: Option<Variable>,
        write: impl FnOnce(&mut Self) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        let Some(condition) = condition else { return write(self) };
        let outside = (self.code.depth(), self.loads.len() - 1);
        let before = self.guard.replace(outside);
        self.open();
        write(self)?;
        self.close_if(condition);
        self.guard = before;
        Ok(())
    }

    /// Makes what a sweep needs once a row.
    fn hoist(&mut self, sweep: &Sweep) -> Result<(), Rejection> {
        let mut open = self.roots(sweep);
        let mut seen = std::collections::BTreeSet::new();
        while let Some(node) = open.pop() {
            if !seen.insert(node) {
                continue;
            }
            let weight = &self.program.graph()[node];
            let per_row = weight.axes.iter().all(|axis| self.fusion.rows.contains(axis));
            if per_row {
                let place = self.row_place.clone();
                self.value(node, &place)?;
            } else if weight.op.is_elementwise() {
                open.extend(self.program.operands(node));
            }
        }
        Ok(())
    }

    /// The nodes that a sweep is made for.
    fn roots(&self, sweep: &Sweep) -> Vec<NodeIndex> {
        let online = |node: &NodeIndex| {
            self.schedule.is_online.then(|| self.fusion.online.get(node)).flatten().copied()
        };
        // A sum that is made with its maximum needs what the maximum is made of.
        let reduced = sweep.reductions.iter().map(|node| online(node).unwrap_or(*node));
        let reduced = reduced.map(|node| self.program.operands(node)[0]);
        let written = sweep.outputs.iter().map(|&number| self.program.outputs()[number].node);
        reduced.chain(written).collect()
    }

    /// The places of a vector of the row: one for each piece.
    fn places(&mut self, sweep: &Sweep, variable: Variable) -> Result<Vec<Place>, Rejection> {
        let mut place = self.row_place.clone();
        let inner = match &sweep.inner[..] {
            [inner] if !self.fusion.flat => inner,
            _ => {
                self.place_inner(sweep, variable, &mut place)?;
                return Ok(vec![place]);
            }
        };
        self.plain_inner = None;
        let whole = self.extents.get(inner)?;
        let span = self.schedule.span.unwrap_or(whole).max(1);
        let places = (0..whole / span).map(|piece| {
            let offset = i64::try_from(piece * span).unwrap_or(i64::MAX);
            let variable = Some(variable);
            let at = Coordinate::Affine { variable, offset, lanes: true, span };
            let mut place = place.clone();
            place.insert(inner.clone(), at);
            place
        });
        Ok(places.collect())
    }

    /// The coordinates along several inner axes, or along all axes of a flat kernel.
    fn place_inner(
        &mut self,
        sweep: &Sweep,
        variable: Variable,
        place: &mut Place,
    ) -> Result<(), Rejection> {
        let mut rest = variable;
        let mut coordinates = Vec::new();
        for (at, axis) in sweep.inner.iter().enumerate().rev() {
            let innermost = at + 1 == sweep.inner.len();
            let own = if self.fusion.flat || at == 0 {
                rest
            } else {
                let extent = self.extents.get(axis)?;
                let unit = if innermost { extent / self.schedule.width } else { extent };
                let own = self.code.binary(Arithmetic::Modulo, rest, position(unit));
                rest = self.code.binary(Arithmetic::Div, rest, position(unit));
                own
            };
            let lanes = innermost || self.fusion.flat;
            let span = self.extents.find(axis).unwrap_or(u64::MAX);
            let variable = Some(own);
            let at = Coordinate::Affine { variable, offset: 0, lanes, span };
            place.insert(axis.clone(), at.clone());
            coordinates.push(at);
        }
        coordinates.reverse();
        let axes = sweep.inner.clone();
        self.plain_inner = (!axes.is_empty()).then_some(Plain { axes, coordinates, variable });
        Ok(())
    }

    fn preload_slot(&mut self, sweep: &Sweep, variable: Variable) -> Result<(), Rejection> {
        for place in self.places(sweep, variable)? {
            for node in self.roots(sweep) {
                self.preload(node, &place)?;
            }
        }
        Ok(())
    }

    /// Reduces one vector and writes its outputs.
    fn handle(
        &mut self,
        sweep: &Sweep,
        variable: Variable,
        totals: &mut Totals,
        row_exists: Option<Variable>,
    ) -> Result<(), Rejection> {
        for place in self.places(sweep, variable)? {
            self.accumulate(&place, totals)?;
            let mut values = Vec::new();
            for &number in &sweep.outputs {
                let output = self.program.outputs()[number].clone();
                values.push((output.name, self.value(output.node, &place)?));
            }
            self.guarded(row_exists.filter(|_| !values.is_empty()), |own| {
                values.iter().try_for_each(|(name, value)| own.write(name, &place, value))
            })?;
        }
        Ok(())
    }

    /// Writes the outputs of one value a row, by the row's first thread.
    fn row_outputs(&mut self, first: Variable, exists: Option<Variable>) -> Result<(), Rejection> {
        if self.fusion.row_outputs.is_empty() {
            return Ok(());
        }
        let place = self.row_place.clone();
        let mut values = Vec::new();
        for &number in &self.fusion.row_outputs {
            let output = self.program.outputs()[number].clone();
            values.push((output.name, self.value(output.node, &place)?));
        }
        let mut writes = self.code.compare(Comparison::Equal, first, position(0));
        if let Some(exists) = exists {
            writes = self.code.both(writes, exists);
        }
        self.guarded(Some(writes), |own| {
            values.iter().try_for_each(|(name, value)| own.write(name, &place, value))
        })
    }

    /// A kernel whose only row blocks share.
    fn flat(&mut self) -> Result<(), Rejection> {
        let fusion = self.fusion;
        let Some(sweep) = fusion.sweeps.last() else { return Ok(()) };
        let elements = self.flat_elements()?;
        let width = self.schedule.width;
        let threads = self.schedule.threads_per_row;
        let tile = threads * self.schedule.unroll;
        let vectors = match self.schedule.span {
            Some(span) => position(span / width),
            None => self.code.binary(Arithmetic::Div, elements, position(width)),
        };
        let whole = self.schedule.span.is_some_and(|span| (span / width).is_multiple_of(tile));
        let block = self.position_of(builtin(Builtin::CubePosX));
        let before = self.scaled(block, tile);
        let lane = self.position_of(builtin(Builtin::UnitPosX));
        let first = self.code.binary(Arithmetic::Add, before, lane);
        let slots: Vec<Slot> = (0..self.schedule.unroll)
            .map(|slot| {
                let variable = self.plus(first, i64::try_from(slot * threads).unwrap_or(0));
                let exists =
                    (!whole).then(|| self.code.compare(Comparison::Lower, variable, vectors));
                Slot { variable, exists }
            })
            .collect();
        let mut totals = Totals::default();
        self.hoist(sweep)?;
        self.slots_in_turn(sweep, &slots, &mut totals, None)?;
        if self.schedule.span.is_some_and(|span| span.is_multiple_of(width)) || width == 1 {
            return Ok(());
        }
        // What is left over for no whole vector: an element a thread, in the first block.
        let rest = self.code.binary(Arithmetic::Modulo, elements, position(width));
        let in_rest = self.code.compare(Comparison::Lower, first, rest);
        let behind = self.scaled(vectors, width);
        let variable = self.code.binary(Arithmetic::Add, behind, first);
        self.width = 1;
        self.guarded(Some(in_rest), |own| own.handle(sweep, variable, &mut totals, None))
    }

    /// How many elements a flat kernel has.
    fn flat_elements(&mut self) -> Result<Variable, Rejection> {
        if let Some(span) = self.schedule.span {
            return Ok(position(span));
        }
        let mut known = 1_u64;
        let mut product: Option<Variable> = None;
        for axis in self.fusion.inner().to_vec() {
            match (self.extents.find(&axis), self.dynamic.get(&axis).copied()) {
                (Some(extent), _) => known = known.saturating_mul(extent),
                (None, Some(variable)) => {
                    let own = self.position_of(variable);
                    product = Some(match product {
                        None => own,
                        Some(before) => self.code.binary(Arithmetic::Mul, before, own),
                    });
                }
                (None, None) => return Err(refused(&format!("`{axis}` has no extent"))),
            }
        }
        let product = product.unwrap_or_else(|| position(1));
        Ok(self.scaled(product, known))
    }
}
