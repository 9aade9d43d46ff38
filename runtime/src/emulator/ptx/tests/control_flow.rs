//! Reconvergence and loops on small bodies.

use super::super::{ControlFlow, Reconvergence, parse};

/// Branches as `instruction>meeting` and loops as `header<back edges`, in order.
#[track_caller]
fn check(body: &str, expected: &str) {
    let source = format!(".entry k() {{\n.reg .pred %p<9>; .reg .b32 %r<9>;\n{body}\n}}\n");
    let module = parse(&source).unwrap();
    let flow = ControlFlow::new(&module.functions[0]);
    let mut parts: Vec<String> = Vec::new();
    for branch in &flow.branches {
        parts.push(match branch.reconvergence {
            Reconvergence::Instruction(at) => format!("{}>{at}", branch.instruction),
            Reconvergence::Exit => format!("{}>exit", branch.instruction),
        });
    }
    for one in &flow.loops {
        parts.push(format!("{}<{:?}", one.header, one.back_edges));
    }
    assert_eq!(parts.join(" "), expected);
}

#[test]
fn a_diamond_meets_below() {
    check(
        "@%p1 bra B; mov.u32 %r1, 1; bra.uni C; B: mov.u32 %r1, 2; C: st.b32 [%r2], %r1; ret;",
        "0>4",
    );
}

#[test]
fn a_loop_meets_after_its_last_round() {
    check("L: add.u32 %r1, %r1, 1; @%p1 bra L; st.b32 [%r2], %r1; ret;", "1>2 0<[1]");
}

#[test]
fn an_early_return_does_not_hold_the_others() {
    check("@%p1 bra R; bar.sync 0; R: ret;", "0>1");
    check("@%p1 ret; bar.sync 0; ret;", "");
}

#[test]
fn an_early_return_inside_an_if_lets_the_rest_meet_after_it() {
    check(
        "@%p1 bra Y; @%p2 bra R; st.b32 [%r2], %r1; Y: bar.sync 0; st.b32 [%r3], %r1; R: ret;",
        "0>3 1>2",
    );
}

#[test]
fn a_trap_is_no_place_to_meet() {
    check("@%p1 bra T; mov.u32 %r1, 1; bra.uni C; T: trap; exit; C: ret;", "0>1");
    check("@%p1 trap; ret;", "");
}

#[test]
fn an_endless_loop_has_meetings_inside() {
    check(
        "L: @%p1 bra B; mov.u32 %r1, 1; bra.uni C; B: mov.u32 %r1, 2; C: bra.uni L;",
        "0>4 0<[4]",
    );
}

#[test]
fn a_loop_left_only_by_returning_is_a_loop() {
    check("L: @%p1 bra R; add.u32 %r1, %r1, 1; bra.uni L; R: ret;", "0>1 0<[2]");
}

#[test]
fn nested_loops_are_two() {
    check(
        "A: mov.u32 %r1, 0; B: add.u32 %r1, %r1, 1; @%p1 bra B; @%p2 bra A; st.b32 [%r2], %r1; ret;",
        "2>3 3>4 0<[3] 1<[2]",
    );
}

#[test]
fn a_table_meets_where_its_targets_do() {
    check(
        "t: .branchtargets A, B, A; brx.idx %r1, t; A: mov.u32 %r1, 1; bra.uni C; B: mov.u32 %r1, 2; C: st.b32 [%r2], %r1; ret;",
        "0>4",
    );
}

#[test]
fn uniform_branches_do_not_diverge() {
    check("@%p1 bra.uni B; mov.u32 %r1, 1; B: ret;", "");
}

#[test]
fn a_body_without_instructions_has_no_blocks() {
    check("", "");
}

#[test]
fn a_label_at_the_end_leaves() {
    check("@%p1 bra E; mov.u32 %r1, 1; E:", "0>1");
}
