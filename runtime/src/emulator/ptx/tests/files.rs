//! Whole files: what NVRTC emits is read without loss, and its structure is what the snapshots say.

use std::fmt::Write;

use super::super::{
    ControlFlow, Function, InitialValue, Module, Opcode, Parameter, Reconvergence, parse,
};
use super::print;

/// Every instruction of `source` prints back to its own text; returns the module.
#[track_caller]
fn check_lossless(source: &str) -> Module {
    let module = parse(source).unwrap();
    for function in &module.functions {
        for instruction in &function.instructions {
            let printed = print::instruction(&module, function, instruction);
            let text: String = module
                .instruction_text(instruction)
                .split_whitespace()
                .collect::<String>()
                .replace("+-", "-");
            // A zero offset is the one thing printing leaves out; two spellings of a constant differ.
            let text = text
                .replace("+0]", "]")
                .replace("WARP_SZ", "32")
                .replace(",1.0", ",0d3FF0000000000000");
            assert_eq!(printed, text, "line {}", instruction.ptx_line);
        }
    }
    module
}

fn describe(module: &Module) -> String {
    let mut text = String::new();
    writeln!(
        text,
        "version {:?} target {:?} address size {}",
        module.version, module.target, module.address_size
    )
    .unwrap();
    for file in &module.files {
        writeln!(text, "file {} {}", file.index, file.name).unwrap();
    }
    for variable in &module.globals {
        let values: Vec<String> = variable
            .initialiser
            .iter()
            .map(|element| match element.value {
                InitialValue::Bits(bits) => format!("{}:{bits:#x}", element.index),
                InitialValue::Address { symbol, addend, generic, mask } => {
                    format!(
                        "{}:{symbol:?}+{addend} generic={generic} mask={mask:#x}",
                        element.index
                    )
                }
            })
            .collect();
        writeln!(
            text,
            "{:?} {} {:?}{:?} align {} bytes {} {:?} {}",
            variable.space,
            variable.name,
            variable.element,
            variable.dims,
            variable.align,
            variable.bytes,
            variable.linkage,
            values.join(" ")
        )
        .unwrap();
    }
    for (alias, target) in &module.aliases {
        writeln!(text, "alias {alias:?} {target:?}").unwrap();
    }
    for function in &module.functions {
        describe_function(&mut text, module, function);
    }
    text
}

fn describe_function(text: &mut String, module: &Module, function: &Function) {
    writeln!(
        text,
        "\nfunction {} entry={} body={}",
        function.name, function.is_entry, function.has_body
    )
    .unwrap();
    if !function.labels.is_empty() || function.bounds != Default::default() {
        writeln!(text, "{:?} {:?}", function.bounds, function.pragmas).unwrap();
    }
    for (kind, list) in [("returns", &function.returns), ("parameter", &function.parameters)] {
        for parameter in list {
            match parameter {
                Parameter::Variable(id) => {
                    let variable = &function.variables[id.0 as usize];
                    let (bytes, align, pointer) =
                        (variable.bytes, variable.align, variable.pointer);
                    writeln!(
                        text,
                        "{kind} {} bytes {bytes} align {align} {pointer:?}",
                        variable.name
                    )
                    .unwrap();
                }
                Parameter::Register(id) => {
                    writeln!(text, "{kind} {}", function.register_name(*id)).unwrap()
                }
            }
        }
    }
    let flow = ControlFlow::new(function);
    for (position, instruction) in function.instructions.iter().enumerate() {
        let position = u32::try_from(position).unwrap();
        if flow.blocks.iter().any(|block| block.start == position) {
            writeln!(text, "  --").unwrap();
        }
        let guard = instruction.guard.map_or(String::new(), |guard| {
            format!(
                "@{}{} ",
                if guard.negated { "!" } else { "" },
                function.register_name(guard.register)
            )
        });
        let chain: Vec<String> = function
            .location_chain(instruction)
            .map(|one| {
                let named =
                    one.function.map_or(String::new(), |name| format!(" in {}", module.name(name)));
                format!("{}:{}:{}{named}", one.file, one.line, one.column)
            })
            .collect();
        let meeting = match flow.reconvergence(position) {
            None => String::new(),
            Some(Reconvergence::Exit) => " => exit".to_owned(),
            Some(Reconvergence::Instruction(at)) => format!(" => {at}"),
        };
        let printed = print::instruction(module, function, instruction);
        writeln!(text, "{position:4} {guard}{printed}{meeting}  [{}]", chain.join(" < ")).unwrap();
    }
    for one in &flow.loops {
        writeln!(
            text,
            "loop at {} back edges {:?} lines {:?}",
            one.header, one.back_edges, one.lines
        )
        .unwrap();
    }
}

#[test]
fn reads_a_row_reduction() {
    let module = check_lossless(include_str!("fixtures/reduce.ptx"));
    insta::assert_snapshot!(describe(&module));
}

#[test]
fn reads_calls() {
    let module = check_lossless(include_str!("fixtures/calls.ptx"));
    insta::assert_snapshot!(describe(&module));
}

#[test]
fn reads_variables_of_every_space() {
    let module = check_lossless(include_str!("fixtures/constants.ptx"));
    insta::assert_snapshot!(describe(&module));
}

#[test]
fn reads_inline_assembly() {
    let module = check_lossless(include_str!("fixtures/pipeline.ptx"));
    insta::assert_snapshot!(describe(&module));
}

/// For `sm_100a` NVRTC has a younger compiler, which writes PTX in another style.
#[test]
fn reads_the_younger_compilers_style() {
    let module = check_lossless(include_str!("fixtures/switch_sm_100a.ptx"));
    insta::assert_snapshot!(describe(&module));
}

#[test]
fn code_without_a_line_takes_the_line_before() {
    let module = parse(include_str!("fixtures/switch_sm_100a.ptx")).unwrap();
    let function = &module.functions[0];
    let lineless: Vec<_> = function
        .instructions
        .iter()
        .filter(|one| {
            function.location_chain(one).last().is_some_and(|location| location.line == 0)
        })
        .collect();
    assert!(!lineless.is_empty());
    for instruction in lineless {
        assert_eq!(
            module.author_locations(function, instruction)[0].line,
            4,
            "line of the `switch`"
        );
    }
}

#[test]
fn reads_what_nvrtc_seldom_writes() {
    let module = parse(include_str!("fixtures/dispatch.ptx")).unwrap();
    insta::assert_snapshot!(describe(&module));
}

#[test]
fn knows_every_word_nvrtc_wrote() {
    for source in [
        include_str!("fixtures/reduce.ptx"),
        include_str!("fixtures/calls.ptx"),
        include_str!("fixtures/constants.ptx"),
        include_str!("fixtures/pipeline.ptx"),
        include_str!("fixtures/switch_sm_100a.ptx"),
    ] {
        let module = parse(source).unwrap();
        for instruction in module.functions.iter().flat_map(|function| &function.instructions) {
            let text = module.instruction_text(instruction);
            assert!(!matches!(instruction.opcode, Opcode::Unknown(_)), "{text}");
            assert_eq!(instruction.modifiers.unknown(), None, "{text}");
        }
    }
}
