//! Integer, bit and conversion instructions.

use super::check;

const M1: u64 = u32::MAX as u64;
const MIN: u64 = 0x8000_0000;

#[test]
fn adds_and_subtracts_with_wrapping() {
    check("add.s32 d, a, b;", &[([M1, 2, 0], 1), ([0x7fff_ffff, 1, 0], MIN)]);
    check("add.sat.s32 d, a, b;", &[([0x7fff_ffff, 1, 0], 0x7fff_ffff), ([MIN, M1, 0], MIN)]);
    check("sub.u16 hd, ha, hb;", &[([0, 1, 0], 0xffff), ([5, 3, 0], 2)]);
    check("add.u64 D, A, B;", &[([u64::MAX, 1, 0], 0), ([1 << 32, 1, 0], (1 << 32) + 1)]);
    check("add.u16x2 d, a, b;", &[([0xffff_0001, 0x0001_ffff, 0], 0)]);
    check("sub.sat.s32 d, a, b;", &[([MIN, 1, 0], MIN)]);
}

#[test]
fn multiplies_low_high_and_wide() {
    check("mul.lo.s32 d, a, b;", &[([M1, 3, 0], M1 - 2)]);
    check("mul.hi.s32 d, a, b;", &[([M1, 3, 0], M1), ([1 << 30, 8, 0], 2)]);
    check("mul.hi.u32 d, a, b;", &[([M1, M1, 0], M1 - 1)]);
    check("mul.hi.u64 D, A, B;", &[([u64::MAX, u64::MAX, 0], u64::MAX - 1)]);
    check("mul.hi.s64 D, A, B;", &[([u64::MAX, 1, 0], u64::MAX)]);
    check("mul.wide.s32 D, a, b;", &[([M1, 5, 0], (-5_i64).cast_unsigned())]);
    check("mul.wide.u32 D, a, b;", &[([M1, 5, 0], M1 * 5)]);
    check("mul.wide.s16 d, ha, hb;", &[([0xffff, 2, 0], M1 - 1)]);
    check("mad.lo.s32 d, a, b, c;", &[([3, 4, 5], 17)]);
    check("mad.wide.u32 D, a, b, C;", &[([M1, M1, 1], M1 * M1 + 1)]);
    check("mad.hi.u32 d, a, b, c;", &[([M1, M1, 2], 0)]);
    check("mul24.lo.s32 d, a, b;", &[([0x00ff_ffff, 2, 0], M1 - 1)]);
    check("mad24.hi.u32 d, a, b, c;", &[([0x00ff_ffff, 0x00ff_ffff, 1], 0xffff_fe01)]);
}

#[test]
fn divides_and_takes_remainders() {
    check("div.s32 d, a, b;", &[([M1 - 6, 2, 0], M1 - 2), ([7, 2, 0], 3), ([MIN, M1, 0], MIN)]);
    check("rem.s32 d, a, b;", &[([M1 - 6, 4, 0], M1 - 2), ([7, 0, 0], 7)]);
    check("div.u64 D, A, B;", &[([u64::MAX, 10, 0], u64::MAX / 10), ([3, 0, 0], u64::MAX)]);
    check("rem.u32 d, a, b;", &[([100, 7, 0], 2)]);
}

#[test]
fn carries_run_through_chains() {
    check(
        "add.cc.u32 a, a, b; addc.u32 d, c, 0;",
        &[([M1, 1, 7], 8), ([1, 1, 7], 7), ([M1, M1, M1], 0)],
    );
    check("sub.cc.u32 a, a, b; subc.u32 d, c, 0;", &[([0, 1, 7], 6), ([1, 1, 7], 7)]);
    check(
        "mad.lo.cc.u32 a, a, b, c; madc.hi.u32 d, b, b, 0;",
        &[([M1, M1, M1], M1 - 1 + 1), ([2, 3, 4], 0)],
    );
}

#[test]
fn takes_extremes_and_magnitudes() {
    check("min.s32 d, a, b;", &[([M1, 1, 0], M1)]);
    check("max.u32 d, a, b;", &[([M1, 1, 0], M1)]);
    check("max.s64 D, A, B;", &[([u64::MAX, 1, 0], 1)]);
    check("min.s16x2 d, a, b;", &[([0xffff_0005, 0x0001_fffe, 0], 0xffff_fffe)]);
    check("max.relu.s16x2 d, a, b;", &[([0xffff_0005, 0xfffe_0001, 0], 5)]);
    check("abs.s32 d, a;", &[([M1, 0, 0], 1), ([MIN, 0, 0], MIN)]);
    check("neg.s16 hd, ha;", &[([1, 0, 0], 0xffff)]);
    check("sad.s32 d, a, b, c;", &[([M1, 4, 10], 15)]);
}

#[test]
fn logic_and_shifts() {
    check("lop3.b32 d, a, b, c, 0x96;", &[([0xf0, 0xcc, 0xaa], 0x96)]);
    check("lop3.b32 d, a, b, c, 0xe8;", &[([0xf0, 0xcc, 0xaa], 0xe8)]);
    check("shl.b32 d, a, b;", &[([1, 31, 0], MIN), ([1, 32, 0], 0), ([1, 1000, 0], 0)]);
    check("shr.s32 d, a, b;", &[([MIN, 40, 0], M1), ([MIN, 31, 0], M1)]);
    check("shr.u32 d, a, b;", &[([MIN, 31, 0], 1), ([MIN, 32, 0], 0)]);
    check("shr.s16 hd, ha, b;", &[([0x8000, 4, 0], 0xf800)]);
    check("shl.b64 D, A, b;", &[([1, 63, 0], 1 << 63), ([1, 64, 0], 0)]);
    check("shf.l.wrap.b32 d, a, b, c;", &[([MIN, 1, 1], 3), ([MIN, 1, 33], 3)]);
    check("shf.r.clamp.b32 d, a, b, c;", &[([7, 5, 40], 5), ([2, 1, 1], MIN | 1)]);
    check("not.b32 d, a;", &[([0, 0, 0], M1)]);
    check("cnot.b32 d, a;", &[([0, 0, 0], 1), ([9, 0, 0], 0)]);
}

#[test]
fn bit_fields() {
    check("popc.b64 d, A;", &[([u64::MAX, 0, 0], 64)]);
    check("clz.b32 d, a;", &[([0, 0, 0], 32), ([1, 0, 0], 31)]);
    check("brev.b32 d, a;", &[([1, 0, 0], MIN)]);
    check("bfind.u32 d, a;", &[([0, 0, 0], M1), ([16, 0, 0], 4)]);
    check("bfind.s32 d, a;", &[([M1, 0, 0], M1), ([M1 - 16, 0, 0], 4)]);
    check("bfind.shiftamt.u32 d, a;", &[([16, 0, 0], 27)]);
    check("bfe.u32 d, a, b, c;", &[([0x1234_5678, 8, 8], 0x56), ([M1, 30, 8], 3), ([M1, 4, 0], 0)]);
    check(
        "bfe.s32 d, a, b, c;",
        &[([0x0000_8000, 8, 8], 0xffff_ff80), ([MIN, 30, 8], 0xffff_fffe)],
    );
    check("bfi.b32 d, a, b, 8, 4;", &[([0xff, 0, 0], 0xf00), ([0, M1, 0], 0xffff_f0ff)]);
    check("bfi.b64 D, A, B, c, 32;", &[([M1, 0, 32], M1 << 32)]);
    check(
        "fns.b32 d, a, b, c;",
        &[([0b1011, 0, 2], 1), ([0b1011, 3, M1], 3), ([0b1000, 0, 0], M1), ([1, 0, 0], 0)],
    );
    check("bmsk.clamp.b32 d, a, b;", &[([4, 8, 0], 0xff0), ([0, 40, 0], M1)]);
    check("szext.wrap.s32 d, a, b;", &[([0x80, 8, 0], 0xffff_ff80)]);
    check(
        "prmt.b32 d, a, b, c;",
        &[([0x3322_1180, 0x7766_5544, 0x7410], 0x7744_1180), ([0x80, 0, 0x8], 0x8080_80ff)],
    );
    check("prmt.b32.f4e d, a, b, 1;", &[([0x3322_1100, 0x7766_5544, 0], 0x4433_2211)]);
}

#[test]
fn dot_products() {
    check("dp4a.s32.s32 d, a, b, c;", &[([0xff01_0203, 0x0101_0101, 10], 15)]);
    check("dp4a.u32.u32 d, a, b, c;", &[([0xff01_0203, 0x0101_0101, 10], 271)]);
    check("dp2a.lo.s32.u32 d, a, b, c;", &[([0xffff_0002, 0x0000_0304, 0], 5)]);
}

#[test]
fn integer_conversions_extend_and_clamp() {
    check("cvt.s64.s32 D, a;", &[([M1, 0, 0], u64::MAX)]);
    check("cvt.u64.u32 D, a;", &[([M1, 0, 0], M1)]);
    check("cvt.s32.s8 d, ha;", &[([0x80, 0, 0], 0xffff_ff80)]);
    check("cvt.u32.u8 d, ha;", &[([0x1ff, 0, 0], 0xff)]);
    check("cvt.s16.s8 hd, a;", &[([0x80, 0, 0], 0xff80)]);
    check("cvt.sat.u8.s32 d, a;", &[([M1, 0, 0], 0), ([300, 0, 0], 255)]);
    check("cvt.sat.s8.s32 d, a;", &[([200, 0, 0], 127), ([MIN, 0, 0], 0xffff_ff80)]);
    check("cvt.u16.u64 hd, A;", &[([0x1_0001_2345, 0, 0], 0x2345)]);
}

#[test]
fn moves_pack_and_unpack() {
    check("mov.b32 d, {ha, hb};", &[([0x1234, 0x5678, 0], 0x5678_1234)]);
    check("mov.b32 {hb, hd}, a;", &[([0x5678_1234, 0, 0], 0x5678)]);
    check("mov.b64 D, {a, b};", &[([1, 2, 0], 2 << 32 | 1)]);
    check("mov.b64 {_, d}, A;", &[([7 << 32, 0, 0], 7)]);
    check("mov.b64 {ha, hb, hc, hd}, A;", &[([0x4444_3333_2222_1111, 0, 0], 0x4444)]);
    check("mov.b64 D, {ha, hb, hc, ha};", &[([1, 2, 3], 0x0001_0003_0002_0001)]);
}

#[test]
fn comparisons_and_selection() {
    check("setp.lt.s32 p, a, b; selp.u32 d, 1, 2, p;", &[([M1, 0, 0], 1), ([0, 0, 0], 2)]);
    check("setp.lo.u32 p, a, b; selp.u32 d, 1, 2, p;", &[([M1, 0, 0], 2)]);
    check(
        "setp.eq.s32 q, c, 0; setp.ge.and.s32 p|q, a, b, q; selp.u32 d, 1, 0, p; selp.u32 e, 2, 0, q; or.b32 d, d, e;",
        &[([1, 0, 0], 1), ([0, 1, 0], 2), ([0, 1, 1], 0)],
    );
    check("set.eq.u32.s32 d, a, b;", &[([4, 4, 0], M1), ([4, 5, 0], 0)]);
    check("set.gt.f32.s32 d, a, b;", &[([4, 3, 0], 0x3f80_0000)]);
    check("slct.u32.s32 d, a, b, c;", &[([1, 2, 0], 1), ([1, 2, MIN], 2)]);
    check("setp.ne.b64 p, A, B; @p mov.u32 d, 5;", &[([1 << 40, 0, 0], 5), ([0, 0, 0], 0)]);
}
