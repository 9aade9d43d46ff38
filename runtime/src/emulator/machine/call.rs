//! Calls of device functions, and the parameter areas they pass values through.

use ridge_spec::outcome::FindingKind;

use super::block::Context;
use super::fragment::{Fragment, Join};
use super::frame::Frame;
use super::step::Next;
use super::warp::Warp;
use crate::emulator::alu::registers::{LANES, Long, Slot, active_lanes};
use crate::emulator::decode::layout::Layout;
use crate::emulator::decode::op::{Call, Callee, DataRow, Op, ParameterTransfer};

/// Calls within calls that a thread may make.
pub(crate) const CALL_DEPTH_MAX: u32 = 256;

impl Warp {
    /// Calls a function for the active lanes.
    pub(super) fn call(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        call: &Call,
        active: u32,
    ) -> Next {
        match &call.callee {
            Callee::Function(function) => self.enter(context, fragment, call, active, *function),
            Callee::Indirect(target) => {
                self.call_indirect(context, fragment, call, active, *target)
            }
            Callee::Print => {
                self.set_result(fragment, call, active, 0);
                Next::Following
            }
            Callee::Heap => {
                self.set_result(fragment, call, active, 0);
                Next::Following
            }
            Callee::AssertFail => {
                let message = self.assert_message(context, fragment, call, active);
                self.stop(context, fragment, active, FindingKind::Trap, message)
            }
        }
    }

    /// Calls the function whose address a register holds. Lanes that name different ones call in
    /// turn and meet after the call.
    fn call_indirect(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        call: &Call,
        active: u32,
        target: Long,
    ) -> Next {
        let Some(Some(frame)) = self.frames.get(fragment.frame as usize) else { return Next::Gone };
        let row = *target.row(&frame.registers);
        let mut parts: Vec<(u64, u32)> = Vec::new();
        for lane in active_lanes(active) {
            match parts.iter_mut().find(|part| part.0 == row[lane]) {
                Some(part) => part.1 |= 1 << lane,
                None => parts.push((row[lane], 1 << lane)),
            }
        }
        if let [(address, _)] = parts[..] {
            let function = Layout::function_at(address)
                .and_then(|id| context.program.functions.iter().position(|one| one.id == id));
            return match function {
                Some(function) => self.enter(context, fragment, call, active, function as u32),
                None => {
                    let message = format!("a call to {address:#x}, where no function is");
                    self.stop(context, fragment, active, FindingKind::OutOfBounds, message)
                }
            };
        }
        context.tally.divergent += 1;
        let after = fragment.pc + 1;
        let mut ways: Vec<(u32, u32)> =
            parts.iter().map(|(_, lanes)| (fragment.pc, *lanes)).collect();
        if fragment.mask & !active != 0 {
            ways.push((after, fragment.mask & !active));
        }
        self.split(fragment, &ways, after).map_or(Next::Gone, Next::As)
    }

    fn stop(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        active: u32,
        kind: FindingKind,
        message: String,
    ) -> Next {
        context.event(kind, (fragment.pc, None), (self.index, active), message);
        context.stopped = true;
        Next::Gone
    }

    fn enter(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        call: &Call,
        active: u32,
        function: u32,
    ) -> Next {
        let decoded = &context.program.functions[function as usize];
        let Some(Some(caller)) = self.frames.get(fragment.frame as usize) else {
            return Next::Gone;
        };
        let caller_frame = &context.program.functions[caller.function as usize].frame;
        let local_base = (caller.local_base + caller_frame.local_bytes).next_multiple_of(16);
        let depth = caller.depth + 1;
        if depth > CALL_DEPTH_MAX {
            let message = format!("calls are nested more than {CALL_DEPTH_MAX} deep");
            return self.stop(context, fragment, active, FindingKind::OutOfBounds, message);
        }
        let mut callee = Frame::new(context.program, function, context.values);
        callee.parent = fragment.frame;
        callee.call_pc = fragment.pc;
        callee.depth = depth;
        callee.local_base = local_base;
        callee.fill_place(&decoded.rows, context.values, self.place());
        for (from, (to, bytes)) in call.arguments.iter().zip(&decoded.frame.parameters) {
            copy_area(&caller.parameters, *from, &mut callee.parameters, *to, *bytes, active);
        }
        context.memory.invalidate_local(
            self.index,
            active,
            local_base as u32,
            decoded.frame.local_bytes as u32,
        );
        let start = decoded.start;
        let index = self.place_frame(callee);
        // Lanes that do not call wait at the return address with the others.
        let join = self.joins.open(Join {
            pc: fragment.pc + 1,
            frame: fragment.frame,
            expected: fragment.mask,
            arrived: fragment.mask & !active,
            parent: fragment.join,
            callee: index,
        });
        if let Some(Some(frame)) = self.frames.get_mut(index as usize) {
            frame.return_join = join;
        }
        Next::As(Fragment { pc: start, mask: active, frame: index, join, ..fragment })
    }

    fn place_frame(&mut self, frame: Frame) -> u32 {
        let free = self.frames.iter().position(Option::is_none);
        let index = free.unwrap_or(self.frames.len());
        if index == self.frames.len() {
            self.frames.push(None);
        }
        self.frames[index] = Some(frame);
        index as u32
    }

    /// Lanes return from a call: results are copied, and they wait for the others.
    pub(super) fn return_from(
        &mut self,
        context: &Context<'_>,
        fragment: Fragment,
        join: u32,
        active: u32,
    ) -> Next {
        self.copy_results(context, fragment, active);
        self.leave_joins(&fragment, join, active);
        let resumed = self.joins.arrive(join, active);
        let rest = fragment.mask & !active;
        if rest != 0 {
            let rest = Fragment { mask: rest, pc: fragment.pc + 1, ..fragment };
            return Next::As(rest);
        }
        match resumed {
            Some((next, callee)) => {
                self.free_frame(callee);
                Next::As(next)
            }
            None => Next::Gone,
        }
    }

    fn copy_results(&mut self, context: &Context<'_>, fragment: Fragment, active: u32) {
        let Some(Some(callee)) = self.frames.get_mut(fragment.frame as usize) else { return };
        let (parent, call_pc) = (callee.parent, callee.call_pc);
        let area = std::mem::take(&mut callee.parameters);
        let returns = &context.program.functions[callee.function as usize].frame.returns;
        let step = context.program.code.get(call_pc as usize);
        if let (Some(Some(caller)), Some(Op::Call(call))) =
            (self.frames.get_mut(parent as usize), step.map(|step| &step.op))
        {
            for ((from, bytes), to) in returns.iter().zip(&call.results) {
                copy_area(&area, *from, &mut caller.parameters, *to, *bytes, active);
            }
        }
        if let Some(Some(callee)) = self.frames.get_mut(fragment.frame as usize) {
            callee.parameters = area;
        }
    }

    /// Sets the one result of a call that the emulator answers itself.
    fn set_result(&mut self, fragment: Fragment, call: &Call, active: u32, value: u32) {
        let Some(Some(frame)) = self.frames.get_mut(fragment.frame as usize) else { return };
        let Some(offset) = call.results.first() else { return };
        for lane in active_lanes(active) {
            for row in frame.parameters.iter_mut().skip(*offset as usize / 4).take(1) {
                row[lane] = value;
            }
        }
    }

    /// What a failed assertion says: expression, file, line and function.
    fn assert_message(
        &self,
        context: &Context<'_>,
        fragment: Fragment,
        call: &Call,
        active: u32,
    ) -> String {
        let Some(Some(frame)) = self.frames.get(fragment.frame as usize) else {
            return "an assertion failed".to_owned();
        };
        let lane = active.trailing_zeros() as usize & 31;
        let argument = |k: usize| {
            let row = *call.arguments.get(k).unwrap_or(&0) as usize / 4;
            let word = |row: usize| frame.parameters.get(row).map_or(0, |row| row[lane]);
            u64::from(word(row)) | u64::from(word(row + 1)) << 32
        };
        let text = |k: usize| context.values.text_at(argument(k));
        let line = argument(2) as u32;
        match (text(0), text(1)) {
            (Some(expression), Some(file)) => {
                format!("assertion `{expression}` failed at {file}:{line}")
            }
            (Some(expression), None) => format!("assertion `{expression}` failed"),
            _ => "an assertion failed".to_owned(),
        }
    }
}

/// Copies bytes between parameter areas; offsets are multiples of 4 or within one word.
fn copy_area(
    from: &[[u32; LANES]],
    start: u32,
    to: &mut [[u32; LANES]],
    target: u32,
    bytes: u32,
    mask: u32,
) {
    for k in 0..bytes {
        for lane in active_lanes(mask) {
            let byte = byte_of(from, start + k, lane);
            set_byte(to, target + k, lane, byte);
        }
    }
}

fn byte_of(area: &[[u32; LANES]], offset: u32, lane: usize) -> u8 {
    let word = area.get(offset as usize / 4).map_or(0, |row| row[lane]);
    (word >> (8 * (offset % 4))) as u8
}

fn set_byte(area: &mut [[u32; LANES]], offset: u32, lane: usize, byte: u8) {
    if let Some(row) = area.get_mut(offset as usize / 4) {
        let shift = 8 * (offset % 4);
        row[lane] = row[lane] & !(0xff << shift) | u32::from(byte) << shift;
    }
}

impl Frame {
    /// `ld.param` from the frame's area.
    pub(super) fn load_parameter(&mut self, transfer: &ParameterTransfer, mask: u32) {
        let bytes = transfer.element.bytes;
        for (k, target) in (0u32..).zip(&transfer.data) {
            let start = transfer.offset + k * bytes;
            for lane in active_lanes(mask) {
                let value = (0..bytes).rev().fold(0u64, |value, k| {
                    value << 8 | u64::from(byte_of(&self.parameters, start + k, lane))
                });
                let value = extend(value, bytes, transfer.element.extend_to);
                match target {
                    DataRow::Word(word) => word.row_mut(&mut self.registers)[lane] = value as u32,
                    DataRow::Long(long) => long.row_mut(&mut self.registers)[lane] = value,
                }
            }
        }
    }

    /// `st.param` to the frame's area.
    pub(super) fn store_parameter(&mut self, transfer: &ParameterTransfer, mask: u32) {
        let bytes = transfer.element.bytes;
        for (k, source) in (0u32..).zip(&transfer.data) {
            let start = transfer.offset + k * bytes;
            for lane in active_lanes(mask) {
                let value = match source {
                    DataRow::Word(word) => u64::from(word.row(&self.registers)[lane]),
                    DataRow::Long(long) => long.row(&self.registers)[lane],
                };
                for (k, byte) in (0u32..).zip(value.to_le_bytes()).take(bytes as usize) {
                    set_byte(&mut self.parameters, start + k, lane, byte);
                }
            }
        }
    }
}

/// Sign-extends a value of `bytes` bytes to `bits` bits; 0 leaves it as it is.
fn extend(value: u64, bytes: u32, bits: u32) -> u64 {
    if bits == 0 {
        return value;
    }
    let (unused, beyond) = (64 - 8 * bytes, 64 - bits);
    (((value << unused) as i64 >> unused) as u64) << beyond >> beyond
}
