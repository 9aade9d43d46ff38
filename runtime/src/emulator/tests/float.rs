//! Single and double precision, their conversions and special values.

use super::check;

const NAN: u64 = 0x7fff_ffff;

fn s(value: f32) -> u64 {
    u64::from(value.to_bits())
}

fn d(value: f64) -> u64 {
    value.to_bits()
}

#[test]
fn single_precision_rounds_once_in_every_direction() {
    let tiny = f32::from_bits(1);
    check("add.f32 d, a, b;", &[([s(1.0), s(2.0), 0], s(3.0)), ([NAN, 0, 0], NAN)]);
    check("add.f32 d, a, b;", &[([s(f32::INFINITY), s(f32::NEG_INFINITY), 0], NAN)]);
    check("add.rz.f32 d, a, b;", &[([s(1.0), s(-1e-30), 0], s(1.0_f32.next_down()))]);
    check("add.rp.f32 d, a, b;", &[([s(1.0), s(1e-30), 0], s(1.0_f32.next_up()))]);
    check("mul.rm.f32 d, a, b;", &[([s(-0.1), s(0.1), 0], s((-0.01_f32).next_down()))]);
    check("mul.ftz.f32 d, a, b;", &[([s(tiny), s(1.0), 0], 0)]);
    check("mul.f32 d, a, b;", &[([s(tiny), s(1.0), 0], 1)]);
    check("add.sat.f32 d, a, b;", &[([s(1.0), s(2.0), 0], s(1.0)), ([NAN, 0, 0], 0)]);
    check("sub.ftz.f32 d, a, b;", &[([s(3.0), s(1.0), 0], s(2.0))]);
}

#[test]
fn fused_multiply_add_has_one_rounding() {
    let x = 1.0 + f32::EPSILON;
    check(
        "fma.rn.f32 d, a, b, c;",
        &[
            ([s(x), s(x), s(-1.0)], s(x.mul_add(x, -1.0))),
            ([s(4097.0), s(4097.0), s(0.5)], s(4097.0_f32.mul_add(4097.0, 0.5))),
            ([s(f32::MAX), s(2.0), s(f32::NEG_INFINITY)], s(f32::NEG_INFINITY)),
            ([s(1e-30), s(1e-30), 0], 0),
            ([s(1.5e-23), s(1e-22), s(1e-45)], s(1.5e-23_f32.mul_add(1e-22, 1e-45))),
            ([s(f32::INFINITY), 0, 0], NAN),
            ([s(-0.0), s(1.0), s(-0.0)], s(-0.0)),
        ],
    );
    check("fma.rz.f32 d, a, b, c;", &[([s(1.0), s(1.0), s(-1e-30)], s(1.0_f32.next_down()))]);
    check("fma.rn.ftz.sat.f32 d, a, b, c;", &[([s(2.0), s(2.0), s(2.0)], s(1.0))]);
    check("fma.rn.f64 D, A, B, C;", &[([d(3.0), d(4.0), d(5.0)], d(17.0))]);
}

#[test]
fn extremes_prefer_numbers_and_order_zeros() {
    check(
        "min.f32 d, a, b;",
        &[([NAN, s(1.0), 0], s(1.0)), ([s(0.0), s(-0.0), 0], s(-0.0)), ([NAN, NAN, 0], NAN)],
    );
    check("max.NaN.f32 d, a, b;", &[([NAN, s(1.0), 0], NAN), ([s(2.0), s(1.0), 0], s(2.0))]);
    check("max.xorsign.abs.f32 d, a, b;", &[([s(-3.0), s(2.0), 0], s(-3.0))]);
    check(
        "min.f64 D, A, B;",
        &[([d(f64::NAN), d(1.0), 0], d(1.0)), ([d(0.0), d(-0.0), 0], d(-0.0))],
    );
}

#[test]
fn signs_keep_payloads() {
    check("abs.f32 d, a;", &[([0xffc0_0001, 0, 0], 0x7fc0_0001)]);
    check("neg.f32 d, a;", &[([s(1.0), 0, 0], s(-1.0))]);
    check("copysign.f32 d, a, b;", &[([s(-1.0), s(2.0), 0], s(-2.0))]);
}

#[test]
fn divisions_roots_and_reciprocals() {
    check(
        "div.rn.f32 d, a, b;",
        &[([s(1.0), s(3.0), 0], s(1.0 / 3.0)), ([s(1.0), 0, 0], s(f32::INFINITY))],
    );
    check("div.rp.f32 d, a, b;", &[([s(1.0), s(3.0), 0], s(1.0 / 3.0))]);
    check("div.rm.f32 d, a, b;", &[([s(1.0), s(3.0), 0], s((1.0_f32 / 3.0).next_down()))]);
    check("sqrt.rn.f32 d, a;", &[([s(2.0), 0, 0], s(2.0_f32.sqrt())), ([s(-1.0), 0, 0], NAN)]);
    check("rcp.rn.f32 d, a;", &[([s(3.0), 0, 0], s(1.0 / 3.0))]);
    check("div.rn.f64 D, A, B;", &[([d(1.0), d(3.0), 0], d(1.0 / 3.0))]);
    check("sqrt.rn.f64 D, A;", &[([d(2.0), 0, 0], d(2.0_f64.sqrt()))]);
}

#[test]
fn approximations_have_their_special_cases() {
    check("ex2.approx.ftz.f32 d, a;", &[([s(3.0), 0, 0], s(8.0)), ([s(-200.0), 0, 0], 0)]);
    check("lg2.approx.f32 d, a;", &[([s(8.0), 0, 0], s(3.0)), ([0, 0, 0], s(f32::NEG_INFINITY))]);
    check("rsqrt.approx.f32 d, a;", &[([s(4.0), 0, 0], s(0.5)), ([0, 0, 0], s(f32::INFINITY))]);
    check("sin.approx.f32 d, a;", &[([0, 0, 0], 0)]);
    check("tanh.approx.f32 d, a;", &[([s(100.0), 0, 0], s(1.0))]);
}

#[test]
fn conversions_between_floats_and_integers() {
    check(
        "cvt.rn.f32.s32 d, a;",
        &[([u64::from(u32::MAX), 0, 0], s(-1.0)), ([16_777_217, 0, 0], s(16_777_216.0))],
    );
    check("cvt.rp.f32.u32 d, a;", &[([16_777_217, 0, 0], s(16_777_218.0))]);
    check("cvt.rn.f64.s64 D, A;", &[([u64::MAX, 0, 0], d(-1.0))]);
    check(
        "cvt.rzi.s32.f32 d, a;",
        &[([s(-1.9), 0, 0], u64::from(u32::MAX)), ([s(1e20), 0, 0], 0x7fff_ffff), ([NAN, 0, 0], 0)],
    );
    check("cvt.rni.s32.f32 d, a;", &[([s(2.5), 0, 0], 2), ([s(3.5), 0, 0], 4)]);
    check("cvt.rmi.u32.f32 d, a;", &[([s(-1.0), 0, 0], 0), ([s(3.9), 0, 0], 3)]);
    check("cvt.rpi.f32.f32 d, a;", &[([s(1.1), 0, 0], s(2.0))]);
    check("cvt.sat.f32.f32 d, a;", &[([s(1.1), 0, 0], s(1.0)), ([s(-3.0), 0, 0], 0)]);
    check("cvt.rn.f32.f64 d, A;", &[([d(0.1), 0, 0], s(0.1))]);
    check("cvt.f64.f32 D, a;", &[([s(0.5), 0, 0], d(0.5))]);
    check("cvt.rzi.s64.f64 D, A;", &[([d(-5.5), 0, 0], (-5_i64).cast_unsigned())]);
    check("cvt.rna.tf32.f32 d, a;", &[([0x3f80_1000, 0, 0], 0x3f80_2000)]);
}

#[test]
fn comparisons_know_nan() {
    check("setp.ne.f32 p, a, b; selp.u32 d, 1, 0, p;", &[([NAN, 0, 0], 0), ([s(1.0), 0, 0], 1)]);
    check("setp.neu.f32 p, a, b; selp.u32 d, 1, 0, p;", &[([NAN, 0, 0], 1), ([0, 0, 0], 0)]);
    check("setp.ltu.f32 p, a, b; selp.u32 d, 1, 0, p;", &[([NAN, 0, 0], 1), ([s(1.0), 0, 0], 0)]);
    check("setp.num.f32 p, a, b; selp.u32 d, 1, 0, p;", &[([NAN, 0, 0], 0)]);
    check("setp.eq.ftz.f32 p, a, b; selp.u32 d, 1, 0, p;", &[([1, 0, 0], 1)]);
    check("setp.equ.f64 p, A, B; selp.u32 d, 1, 0, p;", &[([d(f64::NAN), 0, 0], 1)]);
    check("testp.subnormal.f32 p, a; selp.u32 d, 1, 0, p;", &[([1, 0, 0], 1), ([0, 0, 0], 0)]);
    check("testp.infinite.f64 p, A; selp.u32 d, 1, 0, p;", &[([d(f64::INFINITY), 0, 0], 1)]);
}

#[test]
fn constants_take_the_operand_type() {
    check("add.f32 d, a, 0f3F800000;", &[([s(1.0), 0, 0], s(2.0))]);
    check("add.f64 D, A, 0d3FF0000000000000;", &[([d(1.0), 0, 0], d(2.0))]);
    check("mov.f64 D, 0d4008000000000000;", &[([0, 0, 0], d(3.0))]);
    check("add.s64 D, A, -1;", &[([0, 0, 0], u64::MAX)]);
    check("add.s32 d, a, -1;", &[([0, 0, 0], u64::from(u32::MAX))]);
}
