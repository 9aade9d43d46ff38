//! Single and double precision (PTX ISA, "Floating-Point Instructions").

use super::integer::first_type;
use crate::emulator::decode::builder::{Builder, Built};
use crate::emulator::decode::form::Form;
use crate::emulator::decode::op::{Class, Refusal};
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Type};
use crate::numeric::convert::{flush_f32, saturate_f32};
use crate::numeric::{Rounding, approx, arith};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let single = |opcode, pattern, build| Form::new(opcode, pattern, Class::Float32, build);
    let double = |opcode, pattern, build| Form::new(opcode, pattern, Class::Float64, build);
    let special = |opcode, pattern, build| Form::new(opcode, pattern, Class::Special, build);
    vec![
        single(Opcode::Add, "[.{rn|rz|rm|rp}][.ftz][.sat].f32", binary32),
        single(Opcode::Sub, "[.{rn|rz|rm|rp}][.ftz][.sat].f32", binary32),
        single(Opcode::Mul, "[.{rn|rz|rm|rp}][.ftz][.sat].f32", binary32),
        single(Opcode::Fma, ".{rn|rz|rm|rp}[.ftz][.sat].f32", fma32),
        single(Opcode::Mad, ".{rn|rz|rm|rp}[.ftz][.sat].f32", fma32),
        single(Opcode::Min, "[.ftz][.NaN][.xorsign][.abs].f32", min_max32),
        single(Opcode::Max, "[.ftz][.NaN][.xorsign][.abs].f32", min_max32),
        single(Opcode::Abs, "[.ftz].f32", abs32),
        single(Opcode::Neg, "[.ftz].f32", neg32),
        single(Opcode::Copysign, ".f32", copysign32),
        double(Opcode::Add, "[.{rn|rz|rm|rp}].f64", binary64),
        double(Opcode::Sub, "[.{rn|rz|rm|rp}].f64", binary64),
        double(Opcode::Mul, "[.{rn|rz|rm|rp}].f64", binary64),
        double(Opcode::Fma, ".{rn|rz|rm|rp}.f64", fma64),
        double(Opcode::Mad, ".{rn|rz|rm|rp}.f64", fma64),
        double(Opcode::Min, ".f64", min_max64),
        double(Opcode::Max, ".f64", min_max64),
        double(Opcode::Abs, ".f64", abs64),
        double(Opcode::Neg, ".f64", neg64),
        double(Opcode::Copysign, ".f64", copysign64),
        double(Opcode::Div, ".{rn|rz|rm|rp}.f64", div64),
        double(Opcode::Rcp, ".{rn|rz|rm|rp}.f64", rcp64),
        double(Opcode::Sqrt, ".{rn|rz|rm|rp}.f64", sqrt64),
        special(Opcode::Rcp, ".approx.ftz.f64", rcp64_approx),
        special(Opcode::Rsqrt, ".approx[.ftz].f64", rsqrt64_approx),
        special(Opcode::Div, ".{rn|rz|rm|rp|approx|full}[.ftz].f32", div32),
        special(Opcode::Rcp, ".{rn|rz|rm|rp|approx}[.ftz].f32", rcp32),
        special(Opcode::Sqrt, ".{rn|rz|rm|rp|approx}[.ftz].f32", sqrt32),
        special(Opcode::Rsqrt, ".approx[.ftz].f32", approximation),
        special(Opcode::Ex2, ".approx[.ftz].f32", approximation),
        special(Opcode::Lg2, ".approx[.ftz].f32", approximation),
        special(Opcode::Sin, ".approx[.ftz].f32", approximation),
        special(Opcode::Cos, ".approx[.ftz].f32", approximation),
        special(Opcode::Tanh, ".approx.f32", approximation),
    ]
}

/// The rounding that an instruction names; to nearest where it names none.
pub(crate) fn rounding(i: &Instruction) -> Rounding {
    i.modifiers
        .as_slice()
        .iter()
        .find_map(|word| {
            Some(match word {
                Modifier::Rz | Modifier::Rzi => Rounding::Zero,
                Modifier::Rm | Modifier::Rmi => Rounding::Down,
                Modifier::Rp | Modifier::Rpi => Rounding::Up,
                Modifier::Rna => Rounding::NearestAway,
                _ => return None,
            })
        })
        .unwrap_or(Rounding::NearestEven)
}

/// What is done around a single-precision operation.
#[derive(Clone, Copy)]
struct Mode {
    rounding: Rounding,
    ftz: bool,
    sat: bool,
}

impl Mode {
    fn of(i: &Instruction) -> Self {
        Self { rounding: rounding(i), ftz: i.has(Modifier::Ftz), sat: i.has(Modifier::Sat) }
    }

    /// Whether nothing is asked for but rounding to nearest.
    fn is_plain(self) -> bool {
        self.rounding == Rounding::NearestEven && !self.ftz && !self.sat
    }

    #[inline(always)]
    fn input(self, value: f32) -> f32 {
        if self.ftz { flush_f32(value) } else { value }
    }

    #[inline(always)]
    fn output(self, value: f32) -> f32 {
        let value = self.input(value);
        if self.sat { saturate_f32(value) } else { value }
    }
}

fn binary32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let mode = Mode::of(i);
    let flush_only = Mode { sat: false, ftz: true, rounding: Rounding::NearestEven };
    let only_flushes = mode.ftz && !mode.sat && mode.rounding == Rounding::NearestEven;
    match (i.opcode, mode.is_plain(), only_flushes) {
        (Opcode::Add, true, _) => b.map2(i, |x: f32, y: f32| x + y),
        (Opcode::Sub, true, _) => b.map2(i, |x: f32, y: f32| x - y),
        (_, true, _) => b.map2(i, |x: f32, y: f32| x * y),
        (Opcode::Add, _, true) => {
            b.map2(i, move |x: f32, y: f32| flush_only.output(flush_f32(x) + flush_f32(y)))
        }
        (Opcode::Sub, _, true) => {
            b.map2(i, move |x: f32, y: f32| flush_only.output(flush_f32(x) - flush_f32(y)))
        }
        (_, _, true) => {
            b.map2(i, move |x: f32, y: f32| flush_only.output(flush_f32(x) * flush_f32(y)))
        }
        (opcode, ..) => b.map2(i, move |x: f32, y: f32| {
            let (x, y) = (mode.input(x), mode.input(y));
            mode.output(match opcode {
                Opcode::Add => arith::add_f32(x, y, mode.rounding),
                Opcode::Sub => arith::add_f32(x, -y, mode.rounding),
                _ => arith::mul_f32(x, y, mode.rounding),
            })
        }),
    }
}

fn fma32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let mode = Mode::of(i);
    if mode.is_plain() {
        return b.map3(i, |x: f32, y: f32, z: f32| x.mul_add(y, z));
    }
    b.map3(i, move |x: f32, y: f32, z: f32| {
        let (x, y, z) = (mode.input(x), mode.input(y), mode.input(z));
        mode.output(arith::fma_f32(x, y, z, mode.rounding))
    })
}

fn min_max32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (ftz, propagate) = (i.has(Modifier::Ftz), i.has(Modifier::PropagateNan));
    let (xorsign, greatest) = (i.has(Modifier::XorsignAbs), i.opcode == Opcode::Max);
    if !ftz && !propagate && !xorsign && !i.has(Modifier::Abs) {
        return if greatest { b.map2(i, arith::max_f32) } else { b.map2(i, arith::min_f32) };
    }
    if i.has(Modifier::Abs) != xorsign {
        return Err(Refusal::new("`.xorsign` and `.abs` only come together"));
    }
    b.map2(i, move |x: f32, y: f32| {
        let (x, y) = if ftz { (flush_f32(x), flush_f32(y)) } else { (x, y) };
        if propagate && (x.is_nan() || y.is_nan()) {
            return f32::NAN;
        }
        let pick = |x, y| if greatest { arith::max_f32(x, y) } else { arith::min_f32(x, y) };
        if xorsign {
            let sign = if x.is_sign_negative() == y.is_sign_negative() { 1.0 } else { -1.0 };
            return pick(x.abs(), y.abs()).copysign(sign);
        }
        pick(x, y)
    })
}

// Absolute value, negation and sign copying work on bits, so that a NaN keeps its payload.

fn abs32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    if i.has(Modifier::Ftz) {
        return b.map1(i, |x: f32| flush_f32(x).abs());
    }
    b.map1(i, |x: u32| x & 0x7fff_ffff)
}

fn neg32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    if i.has(Modifier::Ftz) {
        return b.map1(i, |x: f32| -flush_f32(x));
    }
    b.map1(i, |x: u32| x ^ 0x8000_0000)
}

fn copysign32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map2(i, |x: f32, y: f32| y.copysign(x))
}

fn abs64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map1(i, f64::abs)
}

fn neg64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map1(i, |x: f64| -x)
}

fn copysign64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map2(i, |x: f64, y: f64| y.copysign(x))
}

fn binary64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let rounding = rounding(i);
    if rounding == Rounding::NearestEven {
        return match i.opcode {
            Opcode::Add => b.map2(i, |x: f64, y: f64| x + y),
            Opcode::Sub => b.map2(i, |x: f64, y: f64| x - y),
            _ => b.map2(i, |x: f64, y: f64| x * y),
        };
    }
    match i.opcode {
        Opcode::Add => b.map2(i, move |x: f64, y: f64| arith::add_f64(x, y, rounding)),
        Opcode::Sub => b.map2(i, move |x: f64, y: f64| arith::add_f64(x, -y, rounding)),
        _ => b.map2(i, move |x: f64, y: f64| arith::mul_f64(x, y, rounding)),
    }
}

fn fma64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match rounding(i) {
        Rounding::NearestEven => b.map3(i, |x: f64, y: f64, z: f64| x.mul_add(y, z)),
        rounding => b.map3(i, move |x: f64, y: f64, z: f64| arith::fma_f64(x, y, z, rounding)),
    }
}

fn min_max64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let greatest = i.opcode == Opcode::Max;
    b.map2(i, move |x: f64, y: f64| {
        if x.is_nan() || y.is_nan() {
            return if x.is_nan() { y } else { x };
        }
        let first_less = x < y || (x == y && x.is_sign_negative());
        if first_less == greatest { y } else { x }
    })
}

fn div64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let rounding = rounding(i);
    b.map2(i, move |x: f64, y: f64| arith::div_f64(x, y, rounding))
}

fn rcp64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let rounding = rounding(i);
    b.map1(i, move |x: f64| arith::div_f64(1.0, x, rounding))
}

fn sqrt64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let rounding = rounding(i);
    b.map1(i, move |x: f64| arith::sqrt_f64(x, rounding))
}

fn rcp64_approx(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map1(i, approx::rcp_f64)
}

fn rsqrt64_approx(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map1(i, approx::rsqrt_f64)
}

fn div32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let mode = Mode::of(i);
    if i.has(Modifier::Approx) {
        return b.map2(i, move |x: f32, y: f32| approx::div(x, y, mode.ftz));
    }
    if i.has(Modifier::Full) {
        return b.map2(i, move |x: f32, y: f32| approx::div_full(x, y, mode.ftz));
    }
    if mode.is_plain() {
        return b.map2(i, |x: f32, y: f32| x / y);
    }
    b.map2(i, move |x: f32, y: f32| {
        mode.output(arith::div_f32(mode.input(x), mode.input(y), mode.rounding))
    })
}

fn rcp32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let mode = Mode::of(i);
    if i.has(Modifier::Approx) {
        return b.map1(i, move |x: f32| approx::rcp(x, mode.ftz));
    }
    b.map1(i, move |x: f32| mode.output(arith::div_f32(1.0, mode.input(x), mode.rounding)))
}

fn sqrt32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let mode = Mode::of(i);
    if i.has(Modifier::Approx) {
        return b.map1(i, move |x: f32| approx::sqrt(x, mode.ftz));
    }
    b.map1(i, move |x: f32| mode.output(arith::sqrt_f32(mode.input(x), mode.rounding)))
}

fn approximation(b: &mut Builder<'_>, i: &Instruction) -> Built {
    debug_assert_eq!(first_type(i), Type::F32, "the forms say so");
    let ftz = i.has(Modifier::Ftz);
    match i.opcode {
        Opcode::Rsqrt => b.map1(i, move |x: f32| approx::rsqrt(x, ftz)),
        Opcode::Ex2 => b.map1(i, move |x: f32| approx::ex2(x, ftz)),
        Opcode::Lg2 => b.map1(i, move |x: f32| approx::lg2(x, ftz)),
        Opcode::Sin => b.map1(i, move |x: f32| approx::sin(x, ftz)),
        Opcode::Cos => b.map1(i, move |x: f32| approx::cos(x, ftz)),
        _ => b.map1(i, approx::tanh),
    }
}
