//! Specs made at random: what is written is what is read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod kernel_fixture;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kernel_fixture::{draw, read};
use proptest::prelude::*;
use ridge_spec::kernel::KernelSpec;

/// A TOML string of any text.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A tolerance that leaves some of it out.
fn bounds((absolute, ratio): (f64, Option<f64>)) -> String {
    let ratio = ratio.map_or_else(String::new, |own| format!(", matched_ratio = {own:?}"));
    format!("{{ absolute = {absolute:?}{ratio} }}")
}

/// The text of a sound spec with random content.
fn any_spec() -> impl Strategy<Value = String> {
    let name = "[a-z]([a-z0-9]|-[a-z0-9]){1,12}";
    let parameters = prop::collection::btree_map(
        "p[a-z0-9_]{0,6}",
        prop_oneof![
            prop::collection::btree_set(any::<i64>().prop_map(|n| n.to_string()), 1..5),
            prop::collection::btree_set("\"[a-z_][a-zA-Z0-9_:<>.-]{0,8}\"", 1..5),
        ],
        0..5,
    );
    let tolerance = (0.0..1e3f64, 1e-300..1.0f64, 1e-3..=1.0f64);
    let workloads = prop::collection::btree_map("[a-z0-9][-a-zA-Z0-9_.]{0,8}", 1i64..100_000, 1..6);
    let texts = (any::<String>(), prop::collection::vec(any::<String>(), 0..3));
    let own = || prop::option::of((0.0..1.0f64, prop::option::of(1e-3..=1.0f64)));
    let flags = (any::<bool>(), any::<Option<bool>>(), own(), own(), any::<bool>());
    (name, texts, parameters, tolerance, workloads, any::<f64>(), flags).prop_map(
        |(name, (description, tags), parameters, tolerance, workloads, scale, flags)| {
            let (cube, constant, of_output, of_workload, general) = flags;
            let scale = if scale.is_finite() { scale } else { 0.5 };
            let mut text = format!("schema = 1\n[kernel]\nname = \"{name}\"\n");
            writeln!(text, "description = {}", quote(&description)).unwrap();
            let tags: Vec<String> = tags.iter().map(|tag| quote(tag)).collect();
            writeln!(text, "tags = [{}]", tags.join(", ")).unwrap();
            if cube {
                text.push_str("language = \"cube\"\n");
            } else {
                text.push_str("language = \"cuda\"\nsource = \"k.cu\"\nentry = \"k{{{n}}}\"\n");
            }
            text.push_str("[axes]\nn = \"specialized\"\nm = { expression = \"n + 1\" }\n");
            let constant = constant.map_or_else(String::new, |own| format!(", constant = {own}"));
            writeln!(text, "[inputs]\nx = {{ shape = [\"n\"], dtype = \"f32\"{constant} }}")
                .unwrap();
            writeln!(text, "s = {{ dtype = \"f64\", default = {scale:?} }}").unwrap();
            text.push_str("[outputs]\ny = { shape = [\"n\"], dtype = \"f32\" }\n");
            text.push_str("[reference]\nmath = '''\n# twice\ny = (x * s) + x\n'''\n");
            let (absolute, relative, ratio) = tolerance;
            writeln!(text, "[tolerance]\nabsolute = {absolute:?}\nrelative = {relative:?}")
                .unwrap();
            writeln!(text, "matched_ratio = {ratio:?}").unwrap();
            let own = of_output.map(|own| format!("[tolerance.outputs]\ny = {}\n", bounds(own)));
            text.push_str(&own.unwrap_or_default());
            text.push_str("[space.parameters]\n");
            for (name, values) in &parameters {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                writeln!(text, "{name} = [{}]", values.join(", ")).unwrap();
            }
            if !cube {
                text.push_str("[launch]\narguments = [\"x\", \"y\", \"s\", \"m\"]\n");
                text.push_str("grid = [\"ceil_div(n, 32)\"]\nblock = [\"32\"]\n");
            }
            let mut extents = BTreeMap::new();
            for (name, extent) in workloads {
                extents.entry(extent).or_insert(name);
            }
            for (extent, name) in extents {
                writeln!(text, "[[workloads]]\nname = \"{name}\"\nrole = \"verify\"").unwrap();
                writeln!(text, "axes = {{ n = {extent} }}\nscalars = {{ s = {extent}.5 }}")
                    .unwrap();
                if let Some(own) = of_workload {
                    let general = if general { "relative = 0.5, " } else { "" };
                    writeln!(
                        text,
                        "tolerance = {{ {general}outputs = {{ y = {} }} }}",
                        bounds(own)
                    )
                    .unwrap();
                }
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_canonical_text_reads_back_to_the_same_spec(text in any_spec()) {
        let spec = match KernelSpec::parse("kernel.toml", &text) {
            Ok(spec) => spec,
            Err(diagnostics) => return Err(TestCaseError::fail(format!("{}{text}", draw(&diagnostics)))),
        };
        let canonical = spec.canonical();
        let again = read(&canonical);
        prop_assert_eq!(again.canonical(), canonical);
        prop_assert_eq!(&again.tolerance, &spec.tolerance);
        prop_assert_eq!(&again.output_tolerances, &spec.output_tolerances);
        prop_assert_eq!(&again.workloads, &spec.workloads);
        prop_assert_eq!(&again.inputs, &spec.inputs);
        prop_assert_eq!(&again.space, &spec.space);
        prop_assert_eq!(&again.language, &spec.language);
        prop_assert_eq!(&again.description, &spec.description);
        prop_assert_eq!(&again.tags, &spec.tags);
        let files = BTreeMap::new();
        prop_assert_eq!(again.digest(&files), spec.digest(&files));
        prop_assert_eq!(again, spec);
    }
}
