//! Half precision, bfloat16 and FP8.

use super::check;

const ONE: u64 = 0x3c00;
const ONE_B: u64 = 0x3f80;

fn s(value: f32) -> u64 {
    u64::from(value.to_bits())
}

#[test]
fn half_arithmetic_rounds_once() {
    check("add.f16 hd, ha, hb;", &[([ONE, ONE, 0], 0x4000), ([0x7bff, 0x7bff, 0], 0x7c00)]);
    check("sub.f16 hd, ha, hb;", &[([ONE, ONE, 0], 0)]);
    check("mul.f16 hd, ha, hb;", &[([0x4200, 0x4200, 0], 0x4880)]);
    check("fma.rn.f16 hd, ha, hb, hc;", &[([0x4200, 0x4200, ONE], 0x4900)]);
    check("fma.rn.relu.f16 hd, ha, hb, hc;", &[([0x4200, 0xc200, ONE], 0)]);
    check("add.sat.f16 hd, ha, hb;", &[([ONE, ONE, 0], ONE)]);
    check("add.ftz.f16 hd, ha, hb;", &[([1, 0, 0], 0)]);
    check("fma.rn.f16x2 d, a, b, c;", &[([0x4200_3c00, 0x4200_3c00, 0x3c00_3c00], 0x4900_4000)]);
    check("add.f16 hd, ha, hb;", &[([0x7e01, ONE, 0], 0x7fff)]);
}

#[test]
fn bfloat16_arithmetic_rounds_once() {
    check("add.bf16 hd, ha, hb;", &[([ONE_B, ONE_B, 0], 0x4000)]);
    check("sub.bf16x2 d, a, b;", &[([0x4000_3f80, 0x3f80_3f80, 0], 0x3f80_0000)]);
    check("mul.bf16x2 d, a, b;", &[([0x4040_4000, 0x4000_4000, 0], 0x40c0_4080)]);
    check("fma.rn.bf16x2 d, a, b, c;", &[([0x4000_4000, 0x4000_4000, 0x3f80_3f80], 0x40a0_40a0)]);
    check("neg.bf16x2 d, a;", &[([0x3f80_bf80, 0, 0], 0xbf80_3f80)]);
    check("abs.bf16 hd, ha;", &[([0xbf80, 0, 0], ONE_B)]);
}

#[test]
fn half_extremes_and_comparisons() {
    check("max.f16x2 d, a, b;", &[([0x3c00_7e00, 0x4000_3c00, 0], 0x4000_3c00)]);
    check("min.NaN.bf16 hd, ha, hb;", &[([0x7fc0, ONE_B, 0], 0x7fff)]);
    check("setp.gt.f16 p, ha, hb; selp.u32 d, 1, 0, p;", &[([0x4000, ONE, 0], 1)]);
    check(
        "setp.lt.f16x2 p|q, a, b; selp.u32 d, 1, 0, p; selp.u32 e, 2, 0, q; or.b32 d, d, e;",
        &[([0x3c00_4000, 0x4000_3c00, 0], 2)],
    );
    check("set.eq.f16.f16 hd, ha, hb;", &[([ONE, ONE, 0], ONE), ([ONE, 0, 0], 0)]);
    check("set.ge.u32.f16x2 d, a, b;", &[([0x3c00_3c00, 0x3c00_4000, 0], 0xffff_0000)]);
    check("set.ge.bf16x2.bf16x2 d, a, b;", &[([0x4000_3f80, 0x3f80_4000, 0], 0x3f80_0000)]);
}

#[test]
fn conversions_of_halves() {
    check(
        "cvt.rn.bf16.f32 hd, a;",
        &[([0x3f80_8000, 0, 0], 0x3f80), ([0x3f81_8000, 0, 0], 0x3f82)],
    );
    check("cvt.rz.bf16.f32 hd, a;", &[([0x3f81_ffff, 0, 0], 0x3f81)]);
    check("cvt.f32.bf16 d, ha;", &[([ONE_B, 0, 0], s(1.0))]);
    check(
        "cvt.f32.f16 d, ha;",
        &[([1, 0, 0], s(2.0_f32.powi(-24))), ([0xfc00, 0, 0], s(f32::NEG_INFINITY))],
    );
    check("cvt.rn.f16.f32 hd, a;", &[([s(65504.0), 0, 0], 0x7bff), ([s(65520.0), 0, 0], 0x7c00)]);
    check("cvt.rn.satfinite.f16.f32 hd, a;", &[([s(1e9), 0, 0], 0x7bff)]);
    check("cvt.rn.bf16x2.f32 d, a, b;", &[([s(1.0), s(2.0), 0], 0x3f80_4000)]);
    check("cvt.rn.relu.f16x2.f32 d, a, b;", &[([s(-1.0), s(2.0), 0], 0x4000)]);
    check("cvt.rzi.s32.f16 d, ha;", &[([0xc500, 0, 0], 0xffff_fffb)]);
    check("cvt.rn.f16.s32 hd, a;", &[([5, 0, 0], 0x4500)]);
    check("cvt.rn.bf16.f16 hd, ha;", &[([ONE, 0, 0], ONE_B)]);
}

#[test]
fn conversions_of_fp8() {
    check("cvt.rn.satfinite.e4m3x2.f32 hd, a, b;", &[([s(1.0), s(1000.0), 0], 0x387e)]);
    check("cvt.rn.satfinite.e5m2x2.f32 hd, a, b;", &[([s(1.0), s(-2.0), 0], 0x3cc0)]);
    check("cvt.rn.satfinite.relu.e4m3x2.f16x2 hd, a;", &[([0xbc00_3c00, 0, 0], 0x0038)]);
    check("cvt.rn.f16x2.e4m3x2 d, ha;", &[([0x387e, 0, 0], 0x3c00_5f00)]);
    check("cvt.rn.f16x2.e5m2x2 d, ha;", &[([0x3cc0, 0, 0], 0x3c00_c000)]);
}

#[test]
fn approximations_of_halves() {
    check("ex2.approx.f16 hd, ha;", &[([0x4200, 0, 0], 0x4800)]);
    check("tanh.approx.bf16x2 d, a;", &[([0x4200_0000, 0, 0], 0x3f80_0000)]);
}
