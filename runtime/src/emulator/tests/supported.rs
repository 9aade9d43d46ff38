//! The table of forms, and refusals.

use super::{findings, kernel};
use crate::emulator::decode::form::groups;
use crate::emulator::decode::pattern::Pattern;
use crate::emulator::{supported_ptx, supported_ptx_markdown};

#[test]
fn every_pattern_reads() {
    for (_, forms) in groups() {
        for form in forms {
            let pattern = Pattern::parse(form.pattern);
            let pattern = pattern.unwrap_or_else(|| panic!("{:?} {}", form.opcode, form.pattern));
            for modifiers in pattern.expand() {
                assert!(pattern.matches(&modifiers), "{modifiers:?}");
            }
        }
    }
}

#[test]
fn the_list_of_supported_ptx() {
    assert_eq!(supported_ptx_markdown().matches("\n- `").count(), supported_ptx().len());
    insta::assert_snapshot!(supported_ptx_markdown());
}

#[track_caller]
fn check(body: &str, expected: &str) {
    assert_eq!(findings(&kernel(body), 1), [format!("unsupported: {expected}")]);
}

#[test]
fn refuses_by_name() {
    check(
        "vabsdiff4.u32.u32.u32.add d, a, b, c;",
        "`vabsdiff4.u32.u32.u32.add d, a, b, c` is not executed: the instruction is not supported",
    );
    check(
        "frobnicate.u32 d, a;",
        "`frobnicate.u32 d, a` is not executed: the instruction is not supported",
    );
    check(
        "add.rn.s32 d, a, b;",
        "`add.rn.s32 d, a, b` is not executed: this combination of modifiers is not supported",
    );
    check(
        "add.s32 d, a, B;",
        "`add.s32 d, a, B` is not executed: a register of another width than the operation",
    );
    check("add.s32 d, a;", "`add.s32 d, a` is not executed: 2 operands where 3 are expected");
}
