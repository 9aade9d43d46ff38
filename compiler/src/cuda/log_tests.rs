use super::*;

#[track_caller]
fn check(log: &str, expected: &str) {
    let messages: Vec<String> = diagnostics(log, "k<foo>", &str::to_owned)
        .iter()
        .map(|message| format!("{:?} {message}", message.severity))
        .collect();
    assert_eq!(messages.join("\n"), expected);
}

#[test]
fn reads_errors_with_line_and_column() {
    check(
        &[
            "kern.cu(1): error: identifier \"zz\" is undefined",
            "  float y = zz+1;",
            "            ^",
            "",
            "sub/a (1).h(12): warning #177-D: variable \"unused\" was declared but never referenced",
            "  \tint unused;",
            "  \t    ^",
            "",
            "Remark: The warnings can be suppressed with \"-diag-suppress <warning-number>\"",
            "",
            "1 error detected in the compilation of \"kern.cu\".",
        ]
        .join("\n"),
        "Error kern.cu:1:11: identifier \"zz\" is undefined\n\
         Warning sub/a (1).h:12:6: variable \"unused\" was declared but never referenced",
    );
}

#[test]
fn keeps_what_is_being_instantiated_as_notes() {
    check(
        "kern.cu(1): error: static assertion failed with \"too small\"\n  \
         static_assert(N>3);\n  \
         ^\n          \
         detected during:\n            \
         instantiation of \"int f<N>() [with N=2]\" at line 2\n            \
         instantiation of \"void k<N>(int *) [with N=2]\"\n\n",
        "Error kern.cu:1:1: static assertion failed with \"too small\"\n\
         Note instantiation of \"int f<N>() [with N=2]\" at line 2\n\
         Note instantiation of \"void k<N>(int *) [with N=2]\"",
    );
}

#[test]
fn joins_a_message_that_goes_on_before_the_source_line() {
    check(
        "kern.cu(4): error: no instance of function template \"f\" matches the argument list\n            \
         argument types are: (float *)\n  \
         f(x);\n  \
         ^\n\n",
        "Error kern.cu:4:1: no instance of function template \"f\" matches the argument list; \
         argument types are: (float *)",
    );
}

#[test]
fn says_when_the_entry_is_at_fault() {
    check(
        "__nv_name_map(2): error: identifier \"foo\" is undefined\n  \
         #pragma nv_mangled_name k<foo>\n  \
         ^\n\n\
         __nv_name_map(2): error: Error in parsing name expression for lowered name lookup. Input \
         name expression was: \" k < foo >\"\n\n",
        "Error in the entry `k<foo>`: identifier \"foo\" is undefined",
    );
}

#[test]
fn reads_the_assemblers_and_the_drivers_errors() {
    check(
        "ptxas application ptx input, line 28; error   : Not a name of any known instruction: 'bogus'\n\
         ptxas fatal   : Ptx assembly aborted due to errors\n\
         nvrtc: error: invalid value for --gpu-architecture (-arch)\n",
        "Error Not a name of any known instruction: 'bogus'\n\
         Error Ptx assembly aborted due to errors\n\
         Error invalid value for --gpu-architecture (-arch)",
    );
}

#[test]
fn reads_the_resource_report_of_the_one_kernel() {
    let log = "ptxas info    : 24 bytes gmem\n\
        ptxas info    : Compiling entry function 'k2' for 'sm_90a'\n\
        ptxas info    : Function properties for k2\n\
        ptxas         .     800 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads\n\
        ptxas info    : Used 32 registers, used 2 barriers, 832 bytes cumulative stack size, 132 bytes smem, 400 bytes cmem[0]\n\
        ptxas info    : Compile time = 27.634 ms\n\
        ptxas info    : Function properties for _Z1gf\n\
        ptxas         .     8 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n";
    assert_eq!(
        resources(log, "k2"),
        Some(Resources {
            registers: 32,
            static_shared_memory_bytes: 132,
            spill_store_bytes: 12,
            spill_load_bytes: 16,
            stack_bytes: 832,
            barriers: 2,
        })
    );
    assert_eq!(resources(log, "_Z1gf"), None);
    assert_eq!(resources(log, "k"), None);
}
