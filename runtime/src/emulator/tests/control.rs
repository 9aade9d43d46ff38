//! Divergence, warp-wide operations, barriers, calls, memory.

use super::{check, check_warp, findings, kernel, run, words};

#[test]
fn lanes_that_diverge_meet_again() {
    check_warp(
        "setp.lt.u32 p, a, 5; @p bra LESS; add.u32 d, a, 100; bra.uni DONE; \
         LESS: add.u32 d, a, 200; DONE: activemask.b32 e; add.u32 d, d, e;",
        |lane| (lane + if lane < 5 { 200 } else { 100 } + u64::from(u32::MAX)) & 0xffff_ffff,
    );
}

#[test]
fn loops_run_as_often_as_each_lane_asks() {
    check_warp(
        "mov.u32 b, 0; LOOP: setp.ge.u32 p, b, a; @p bra DONE; add.u32 d, d, b; \
         add.u32 b, b, 1; bra.uni LOOP; DONE: add.u32 d, d, 1000;",
        |lane| lane * lane.saturating_sub(1) / 2 + 1000,
    );
}

#[test]
fn jump_tables_split_a_warp() {
    check_warp(
        "and.b32 b, a, 3; T: .branchtargets W, X, Y, Z; brx.idx b, T; \
         W: add.u32 d, a, 10; bra.uni DONE; X: add.u32 d, a, 20; bra.uni DONE; \
         Y: add.u32 d, a, 30; bra.uni DONE; Z: add.u32 d, a, 40; DONE: activemask.b32 e; \
         setp.ne.u32 p, e, -1; @p mov.u32 d, 0;",
        |lane| lane + 10 * (lane % 4 + 1),
    );
}

#[test]
fn shuffles_read_the_lane_they_name() {
    let full = "0x1f, 0xffffffff;";
    check_warp(&format!("shfl.sync.bfly.b32 d, a, 1, {full}"), |lane| lane ^ 1);
    check_warp(&format!("shfl.sync.idx.b32 d, a, 7, {full}"), |_| 7);
    check_warp("shfl.sync.up.b32 d|p, a, 1, 0, -1; @!p add.u32 d, d, 64;", |lane| {
        if lane == 0 { 64 } else { lane - 1 }
    });
    check_warp(&format!("shfl.sync.down.b32 d|p, a, 4, {full} @!p mov.u32 d, 99;"), |lane| {
        if lane + 4 < 32 { lane + 4 } else { 99 }
    });
    // Segments of eight.
    check_warp("shfl.sync.down.b32 d, a, 1, 0x181f, -1;", |lane| {
        if lane % 8 == 7 { lane } else { lane + 1 }
    });
}

#[test]
fn votes_matches_and_reductions() {
    check_warp("setp.lt.u32 p, a, 3; vote.sync.ballot.b32 d, p, -1;", |_| 7);
    check_warp("setp.lt.u32 p, a, 3; vote.sync.any.pred q, p, -1; selp.u32 d, 1, 0, q;", |_| 1);
    check_warp("setp.lt.u32 p, a, 3; vote.sync.all.pred q, p, -1; selp.u32 d, 1, 0, q;", |_| 0);
    check_warp("setp.lt.u32 p, a, 32; vote.sync.uni.pred q, p, -1; selp.u32 d, 1, 0, q;", |_| 1);
    check_warp("and.b32 b, a, 1; match.any.sync.b32 d, b, -1;", |lane| 0x5555_5555 << (lane % 2));
    check_warp("and.b32 b, a, 1; match.all.sync.b32 d|p, b, -1;", |_| 0);
    check_warp("redux.sync.add.s32 d, a, -1;", |_| 496);
    check_warp("redux.sync.max.u32 d, a, -1;", |_| 31);
    check_warp("elect.sync d|p, -1; selp.u32 e, 64, 0, p; or.b32 d, d, e;", |lane| {
        if lane == 0 { 64 } else { 0 }
    });
}

#[test]
fn members_may_come_by_different_ways() {
    check_warp(
        "setp.lt.u32 p, a, 16; @p bra LOW; shfl.sync.bfly.b32 d, a, 16, 0x1f, -1; bra.uni DONE; \
         LOW: shfl.sync.bfly.b32 d, a, 16, 0x1f, -1; add.u32 d, d, 100; DONE: bar.warp.sync -1;",
        |lane| (lane ^ 16) + if lane < 16 { 100 } else { 0 },
    );
    // Each half has a mask of its own.
    check_warp(
        "shr.u32 b, a, 4; mul.lo.u32 b, b, 16; mov.u32 c, 0xffff; shl.b32 c, c, b; \
         redux.sync.add.u32 d, a, c;",
        |lane| if lane < 16 { 120 } else { 376 },
    );
}

#[test]
fn guards_leave_lanes_alone() {
    check_warp(
        "setp.eq.u32 p, a, 4; mov.u32 d, 1; @p mov.u32 d, 2; @!p add.u32 d, d, 5;",
        |lane| {
            if lane == 4 { 2 } else { 6 }
        },
    );
}

#[test]
fn shared_memory_carries_values_over_a_barrier() {
    let body = "mov.u32 b, smem; shl.b32 c, t, 2; add.u32 b, b, c; st.shared.u32 [b], t; \
                bar.sync 0; xor.b32 c, t, 33; shl.b32 c, c, 2; mov.u32 b, smem; add.u32 b, b, c; \
                ld.shared.u32 d, [b];";
    let report = run(&kernel(body), 64, &[0; 192], 64);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!(words(&report), (0..64).map(|thread| thread ^ 33).collect::<Vec<u64>>());
    assert_eq!(report.counters.unwrap().barriers, 2);
}

#[test]
fn reducing_barriers_count_the_block() {
    let body = "setp.lt.u32 p, t, 40; bar.red.popc.u32 d, 0, p;";
    let report = run(&kernel(body), 96, &[0; 288], 96);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!(words(&report), [40; 96]);
}

#[test]
fn atomics_return_the_old_value() {
    check(
        "st.shared.u32 [smem], 5; bar.warp.sync 1; atom.shared.add.u32 a, [smem], 7; \
         ld.shared.u32 d, [smem]; shl.b32 a, a, 8; or.b32 d, d, a;",
        &[([0, 0, 0], 0x50c)],
    );
    check(
        "st.shared.u32 [smem], 5; atom.shared.cas.b32 a, [smem], 5, 9; ld.shared.u32 d, [smem];",
        &[([0; 3], 9)],
    );
    check(
        "st.shared.u32 [smem], 5; red.shared.min.s32 [smem], -3; ld.shared.u32 d, [smem];",
        &[([0; 3], 0xffff_fffd)],
    );
    check(
        "st.shared.u32 [smem], 5; red.shared.inc.u32 [smem], 5; ld.shared.u32 d, [smem];",
        &[([0; 3], 0)],
    );
    check(
        "st.shared.f32 [smem], 0f3F800000; atom.shared.add.f32 a, [smem], 0f40000000; ld.shared.u32 d, [smem];",
        &[([0; 3], 0x4040_0000)],
    );
    check(
        "st.shared.u32 [smem], 0x3c003c00; red.shared.add.noftz.f16x2 [smem], a; ld.shared.u32 d, [smem];",
        &[([0x4000_3c00, 0, 0], 0x4200_4000)],
    );
}

#[test]
fn the_operation_of_an_atomic_may_stand_first_or_last() {
    check("st.shared.u32 [smem], 5; atom.shared.cta.add.u32 d, [smem], 1;", &[([0; 3], 5)]);
    check(
        "mov.u64 A, smem; cvta.shared.u64 A, A; st.u32 [A], 5; \
         atom.add.acq_rel.gpu.s32 a, [A], 1; ld.shared.u32 d, [smem];",
        &[([0; 3], 6)],
    );
}

#[test]
fn a_whole_warp_shuffle_tells_what_is_in_range() {
    check_warp("shfl.sync.bfly.b32 d|p, a, 16, 0x0f, -1; @!p add.u32 d, d, 64;", |lane| {
        if lane < 16 { lane + 64 } else { lane ^ 16 }
    });
}

#[test]
fn loads_extend_and_vectors_keep_their_order() {
    check(
        "st.shared.u32 [smem], 0x80f0; ld.shared.s8 d, [smem]; ld.shared.s16 hd, [smem]; cvt.u32.u16 e, hd; mov.u16 hd, 0; xor.b32 d, d, e;",
        &[([0; 3], 0xffff_fff0 ^ 0x80f0)],
    );
    check("st.shared.u32 [smem], 0x80; ld.shared.s8 hd, [smem];", &[([0; 3], 0xff80)]);
    check(
        "st.shared.u32 [smem], 0x80; ld.shared.s8 D, [smem];",
        &[([0; 3], (-128_i64).cast_unsigned())],
    );
    check(
        "st.shared.v4.u32 [smem], {1, 2, 3, 4}; ld.shared.v2.u64 {A, D}, [smem];",
        &[([0; 3], 4 << 32 | 3)],
    );
    check(
        "st.shared.v4.u8 [smem], {a, b, c, a}; ld.shared.u32 d, [smem];",
        &[([1, 2, 3], 0x0103_0201)],
    );
    check(
        "mov.u64 A, smem; cvta.shared.u64 A, A; st.u32 [A+4], 77; ld.shared.u32 d, [smem+4];",
        &[([0; 3], 77)],
    );
    check(
        "mov.u64 A, smem; cvta.shared.u64 A, A; isspacep.shared p, A; selp.u32 d, 1, 0, p;",
        &[([0; 3], 1)],
    );
}

#[test]
fn asynchronous_copies_arrive_at_the_wait() {
    check(
        "cp.async.ca.shared.global [smem], [IN], 8; cp.async.commit_group; cp.async.wait_group 0; \
         ld.shared.u64 D, [smem];",
        &[([42, 0, 0], 42)],
    );
    check(
        "cp.async.ca.shared.global [smem], [IN], 8, 4; cp.async.wait_all; ld.shared.u64 D, [smem];",
        &[([0x7_0000_0005, 0, 0], 5)],
    );
}

const CALLS: &str = "
.func (.param .b32 r) fib(.param .b32 n)
{ .reg .pred p; .reg .b32 x, y, z;
  ld.param.u32 x, [n]; setp.lt.u32 p, x, 2; @p bra OUT;
  sub.u32 y, x, 1;
  { .param .b32 a0; st.param.b32 [a0], y; .param .b32 r0; call.uni (r0), fib, (a0); ld.param.b32 z, [r0]; }
  sub.u32 y, x, 2;
  { .param .b32 a0; st.param.b32 [a0], y; .param .b32 r0; call.uni (r0), fib, (a0); ld.param.b32 y, [r0]; }
  add.u32 x, y, z;
OUT: st.param.b32 [r], x; ret; }
";

#[test]
fn calls_may_recurse_and_diverge() {
    let body = "and.b32 b, t, 7; { .param .b32 a0; st.param.b32 [a0], b; .param .b32 r0; \
                call.uni (r0), fib, (a0); ld.param.b32 d, [r0]; }";
    let text = kernel(body).replacen(".visible", &format!("{CALLS}.visible"), 1);
    let report = run(&text, 32, &[0; 96], 32);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    let fib = [0, 1, 1, 2, 3, 5, 8, 13];
    assert_eq!(words(&report), (0..32).map(|lane| fib[lane % 8]).collect::<Vec<u64>>());
}

#[track_caller]
fn check_finding(body: &str, threads: u32, expected: &str) {
    let found = findings(&kernel(body), threads);
    assert!(found.iter().any(|one| one.contains(expected)), "{body}: {found:#?}");
}

#[test]
fn says_what_never_meets() {
    check_finding(
        "setp.lt.u32 p, t, 16; @p bra WAIT; bra.uni DONE; WAIT: bar.warp.sync -1; DONE: mov.u32 d, 1;",
        32,
        "lanes 16-31, which exited without taking part",
    );
    check_finding(
        "setp.lt.u32 p, t, 16; @p bar.sync 0;",
        32,
        "lanes 16-31 of the warp skip the barrier",
    );
    check_finding(
        "setp.lt.u32 p, t, 32; @p bra DONE; bar.sync 1; DONE: bar.sync 0;",
        64,
        "warp 0 waits at barrier 0 for the whole block, and warp 1 at barrier 1",
    );
    check_finding("bar.sync 1, 96;", 64, "barrier 1 waits for 96 threads, of which 64 arrive");
    check_finding(
        "shfl.sync.idx.b32 d, t, 20, 0x1f, -1;",
        16,
        "it reads a lane that does not take part",
    );
    check_finding("bar.warp.sync 2;", 1, "the member mask does not name the lane");
}

#[test]
fn stops_what_does_not_end() {
    check_finding("LOOP: add.u32 d, d, 1; bra LOOP;", 32, "ran out of instructions");
    check_finding("trap;", 32, "stopped itself");
    check_finding(
        "mov.u64 A, 0x123450; call (), A, (), PROTO; PROTO: .callprototype ()_();",
        1,
        "where no function is",
    );
}
