//! The corpus is what it says: every description reads, every PTX belongs to its source, and every
//! marked line has an instruction that a finding could name.

#![expect(clippy::unwrap_used, reason = "tests: what does not read fails them")]

mod corpus;

use std::collections::BTreeMap;

use corpus::{Argument, Case, Expectation, parse};
use ridge_runtime::emulator::ptx::{self, Opcode, Parameter};
use ridge_spec::outcome::FindingKind;

/// FNV-1a of 64 bits, with which a PTX file names the source it was made from.
fn digest(source: &str) -> String {
    let hash = source.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[test]
fn every_finding_is_planted_twice_and_has_honest_neighbours() {
    let cases = corpus::load();
    let mut counts: BTreeMap<FindingKind, usize> = BTreeMap::new();
    let mut n_clean = 0;
    for case in &cases {
        match &case.expect {
            Expectation::Clean => n_clean += 1,
            Expectation::Finding { kinds, .. } => *counts.entry(kinds[0]).or_default() += 1,
        }
    }
    assert_eq!(counts.len(), 11, "{counts:?}");
    assert!(counts.values().all(|count| 2 <= *count), "{counts:?}");
    assert!(60 <= n_clean, "{n_clean}");
}

#[test]
fn names_say_what_is_expected() {
    for case in corpus::load() {
        let first = match &case.expect {
            Expectation::Clean => "clean",
            Expectation::Finding { kinds, .. } => kinds[0].code(),
        };
        assert!(case.name.starts_with(first), "`{}` expects `{first}`", case.name);
    }
}

fn check_ptx(case: &Case) {
    let name = &case.name;
    let text = case.ptx();
    let first = text.lines().next().unwrap();
    assert_eq!(
        first,
        format!("// source {}", digest(&case.source)),
        "`{name}.ptx` is older than its source"
    );
    let module = ptx::parse(&text).unwrap_or_else(|error| panic!("`{name}.ptx`: {error}"));
    let (_, function) = module.function(&case.entry).unwrap();
    assert_eq!(function.parameters.len(), case.arguments.len(), "{name}");
    for (parameter, argument) in function.parameters.iter().zip(&case.arguments) {
        let Parameter::Variable(id) = parameter else {
            panic!("{name}: a kernel parameter in a register")
        };
        let bytes = match argument {
            Argument::Buffer { .. } => 8,
            Argument::Scalar { dtype, .. } => dtype.size_bytes(),
        };
        assert_eq!(function.variables[id.0 as usize].bytes, bytes, "{name}: {argument:?}");
    }
    for instruction in module.functions.iter().flat_map(|function| &function.instructions) {
        let text = module.instruction_text(instruction);
        assert!(!matches!(instruction.opcode, Opcode::Unknown(_)), "{name}: {text}");
        assert_eq!(instruction.modifiers.unknown(), None, "{name}: {text}");
    }
    if let Expectation::Finding { lines, .. } = &case.expect {
        for line in lines {
            let mut places = function
                .instructions
                .iter()
                .filter_map(|one| module.author_locations(function, one).first().copied());
            assert!(
                places.any(|place| place.line == *line),
                "{name}: no instruction is from line {line}"
            );
        }
    }
}

#[test]
fn every_ptx_belongs_to_its_source_and_reads_whole() {
    corpus::load().iter().for_each(check_ptx);
}

#[test]
fn expected_values_name_an_argument() {
    for case in corpus::load() {
        let Some(expected) = &case.expected else { continue };
        let elements = case.arguments.iter().find_map(|argument| match argument {
            Argument::Buffer { name, elements, .. } if *name == expected.buffer => Some(*elements),
            _ => None,
        });
        let elements =
            elements.unwrap_or_else(|| panic!("{}: no buffer `{}`", case.name, expected.buffer));
        for index in expected.at.keys() {
            assert!(index.parse::<usize>().unwrap() < elements, "{}: {index}", case.name);
        }
    }
}

#[track_caller]
fn check(source: &str, expected: &str) {
    assert_eq!(parse("case", source).unwrap_err(), expected);
}

const HEAD: &str = "// ---\n// about = \"a\"\n// entry = \"k\"\n// grid = [1]\n// block = [32]\n";

#[test]
fn refuses_what_is_no_description() {
    check("__global__ void k() {}", "the first line is not `// ---`");
    check("// ---\n// a = 1\n", "the description is not closed by `// ---`");
    check("// ---\nint x;\n// ---\n", "the description is not closed by `// ---`");
    check(&format!("{HEAD}// expect = \"slow\"\n// ---\n"), "`slow` is no finding");
    check(
        &format!("{HEAD}// expect = \"clean\"\n// ---\nx();  // BUG\n"),
        "a clean case has a `// BUG` or a `buffer`",
    );
    check(
        &format!("{HEAD}// expect = \"race\"\n// ---\n"),
        "`// BUG` marks are missing, or an unwritten output has one",
    );
    check(
        &format!(
            "{HEAD}// expect = \"clean\"\n// [[arguments]]\n// name = \"x\"\n// dtype = \"f32\"\n// ---\n"
        ),
        "`x` is neither a buffer nor a scalar",
    );
}

#[test]
fn fills_count_round() {
    let source = format!(
        "{HEAD}// expect = \"clean\"\n// [[arguments]]\n// name = \"x\"\n// dtype = \"f32\"\n// elements = 4\n\
         // role = \"input\"\n// fill = {{ start = 1.0, step = 0.5, modulo = 3 }}\n// ---\n"
    );
    let case = parse("case", &source).unwrap();
    let [Argument::Buffer { fill: Some(fill), .. }] = &case.arguments[..] else {
        panic!("{case:?}")
    };
    assert_eq!((0..4).map(|index| fill.value(index)).collect::<Vec<_>>(), [1.0, 1.5, 2.0, 1.0]);
}
