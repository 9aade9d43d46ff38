//! Schema 1: which keys there are, and of which types.

use std::ops::Range;

use super::{Context, Field, Key, Table, Text};
use crate::expression::Value;
use crate::suggestion;

/// A value and its bytes in the file.
pub(crate) type Located<T> = (T, Range<usize>);

/// A whole spec. What could not be read is absent, and reported.
pub(crate) struct Spec {
    pub(crate) kernel: Kernel,
    pub(crate) types: Vec<(Key, Vec<Text>)>,
    pub(crate) axes: Vec<(Key, Axis)>,
    pub(crate) inputs: Vec<(Key, Tensor)>,
    pub(crate) outputs: Vec<(Key, Tensor)>,
    pub(crate) reference: Option<Reference>,
    pub(crate) tolerance: Option<Tolerance>,
    pub(crate) space: Option<Space>,
    pub(crate) launch: Option<Launch>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) cost: Option<Cost>,
}

#[derive(Default)]
pub(crate) struct Kernel {
    pub(crate) span: Range<usize>,
    pub(crate) name: Option<Text>,
    pub(crate) description: Option<Text>,
    pub(crate) language: Option<Text>,
    pub(crate) source: Option<Text>,
    pub(crate) entry: Option<Text>,
    pub(crate) options: Option<Vec<Text>>,
    pub(crate) tags: Vec<Text>,
}

pub(crate) struct Axis {
    /// `kind`, or the axis's whole value.
    pub(crate) kind: Option<Text>,
    pub(crate) expression: Option<Text>,
    pub(crate) description: Option<Text>,
}

pub(crate) struct Tensor {
    pub(crate) shape: Option<Vec<Text>>,
    pub(crate) dtype: Option<Text>,
    pub(crate) default: Option<Located<f64>>,
    pub(crate) constant: Option<Located<bool>>,
    pub(crate) description: Option<Text>,
}

pub(crate) struct Reference {
    pub(crate) span: Range<usize>,
    pub(crate) math: Option<Text>,
    pub(crate) python: Option<Text>,
    pub(crate) golden: Option<Text>,
}

pub(crate) struct Tolerance {
    pub(crate) span: Range<usize>,
    pub(crate) absolute: Option<Located<f64>>,
    pub(crate) relative: Option<Located<f64>>,
    pub(crate) matched_ratio: Option<Located<f64>>,
    /// Of single outputs; those have none in turn.
    pub(crate) outputs: Vec<(Key, Self)>,
}

pub(crate) struct Space {
    pub(crate) span: Range<usize>,
    pub(crate) parameters: Vec<(Key, Vec<Located<Value>>)>,
    pub(crate) constraints: Vec<Text>,
    pub(crate) default: Option<Located<Vec<(Key, Value)>>>,
}

pub(crate) struct Launch {
    pub(crate) span: Range<usize>,
    pub(crate) arguments: Vec<Text>,
    pub(crate) grid: Option<Dimensions>,
    pub(crate) block: Option<Dimensions>,
    pub(crate) cluster: Option<Dimensions>,
    pub(crate) shared_memory_bytes: Option<Text>,
    pub(crate) programmatic: Option<Text>,
}

pub(crate) struct Dimensions {
    pub(crate) span: Range<usize>,
    pub(crate) sizes: Vec<Text>,
}

pub(crate) struct Workload {
    pub(crate) span: Range<usize>,
    pub(crate) name: Option<Text>,
    pub(crate) axes: Vec<(Key, i64, Range<usize>)>,
    pub(crate) types: Vec<(Key, Text)>,
    pub(crate) scalars: Vec<(Key, f64, Range<usize>)>,
    pub(crate) role: Option<Text>,
    pub(crate) tolerance: Option<Tolerance>,
}

pub(crate) struct Cost {
    pub(crate) bytes_min: Option<Text>,
    pub(crate) flops: Option<Text>,
}

/// Reads a whole document; what is wrong is reported.
pub(crate) fn read(root: Table<'_>) -> Spec {
    let context = root.context();
    check_schema(&root);
    let section = |name| root.get(name).and_then(|field| field.section());
    let kernel = root.require("kernel").and_then(|field| field.section());
    let axes = named(section("axes"));
    let tensors = |fields: Vec<(Key, Field<'_>)>| {
        fields.into_iter().filter_map(|(key, field)| Some((key, tensor(&field)?))).collect()
    };
    let types = named(section("types"));
    let outputs = section("outputs");
    let spec = Spec {
        kernel: kernel.map(read_kernel).unwrap_or_default(),
        types: types.into_iter().filter_map(|(k, field)| Some((k, field.strings()?))).collect(),
        axes: axes.into_iter().filter_map(|(key, field)| Some((key, axis(&field)?))).collect(),
        inputs: tensors(named(section("inputs"))),
        outputs: tensors(named(outputs)),
        reference: root.require("reference").and_then(|field| field.table()).map(reference),
        tolerance: root.require("tolerance").and_then(|field| field.table()).map(tolerance),
        space: section("space").map(space),
        launch: section("launch").map(launch),
        workloads: workloads(&root, context),
        cost: section("cost").map(cost),
    };
    root.finish();
    spec
}

/// The entries of a table of the author's keys.
fn named(table: Option<Table<'_>>) -> Vec<(Key, Field<'_>)> {
    table.map_or_else(Vec::new, |table| table.fields())
}

/// Reports a schema number that is missing, of another type, or not 1.
fn check_schema(root: &Table<'_>) {
    let Some(field) = root.get("schema") else {
        let hint = "begin the file with `schema = 1`";
        let start = 0..0;
        let context = root.context();
        let message = "the spec lacks `schema`".to_owned();
        context.push(context.at("spec.missing-key", &start, message).hint(hint));
        return;
    };
    if let Some(number) = field.integer()
        && number != 1
    {
        let context = root.context();
        let message = format!("schema {number} is not known here");
        context.push(
            context
                .at("spec.schema", &field.span(), message)
                .hint("this version reads `schema = 1`"),
        );
    }
}

fn string(table: &Table<'_>, name: &'static str) -> Option<Text> {
    table.get(name)?.string()
}

fn required_string(table: &Table<'_>, name: &'static str) -> Option<Text> {
    table.require(name)?.string()
}

fn read_kernel(table: Table<'_>) -> Kernel {
    let kernel = Kernel {
        span: table.span().clone(),
        name: required_string(&table, "name"),
        description: string(&table, "description"),
        language: required_string(&table, "language"),
        source: string(&table, "source"),
        entry: string(&table, "entry"),
        options: table.get("options").and_then(|field| field.strings()),
        tags: table.get("tags").and_then(|field| field.strings()).unwrap_or_default(),
    };
    table.finish();
    kernel
}

/// `"dynamic"`, `"specialized"`, or a table with `kind` or `expression`.
fn axis(field: &Field<'_>) -> Option<Axis> {
    if field.is_string() {
        return Some(Axis { kind: field.string(), expression: None, description: None });
    }
    let table = field.table()?;
    let axis = Axis {
        kind: string(&table, "kind"),
        expression: string(&table, "expression"),
        description: string(&table, "description"),
    };
    if axis.kind.is_some() == axis.expression.is_some() {
        let context = table.context();
        let message = format!("`{}` needs either `kind` or `expression`", field.path());
        context.report("spec.axis", table.span(), message);
    }
    table.finish();
    Some(axis)
}

fn tensor(field: &Field<'_>) -> Option<Tensor> {
    let table = field.table()?;
    let tensor = Tensor {
        shape: table.get("shape").map(|field| field.strings().unwrap_or_default()),
        dtype: required_string(&table, "dtype"),
        default: number(&table, "default"),
        constant: table
            .get("constant")
            .map(|field| (field.boolean().unwrap_or_default(), field.span())),
        description: string(&table, "description"),
    };
    table.finish();
    Some(tensor)
}

/// A number that is there; 1 for one that cannot be read, which is reported.
fn number(table: &Table<'_>, name: &'static str) -> Option<Located<f64>> {
    let field = table.get(name)?;
    Some((field.number().unwrap_or(1.0), field.span()))
}

fn reference(table: Table<'_>) -> Reference {
    let reference = Reference {
        span: table.span().clone(),
        math: string(&table, "math"),
        python: string(&table, "python"),
        golden: string(&table, "golden"),
    };
    table.finish();
    reference
}

fn tolerance(table: Table<'_>) -> Tolerance {
    let outputs = named(table.get("outputs").and_then(|field| field.table()));
    let outputs = outputs.into_iter().filter_map(|(key, field)| {
        let table = field.table()?;
        let own = bounds(&table, Vec::new());
        table.finish();
        Some((key, own))
    });
    let tolerance = bounds(&table, outputs.collect());
    table.finish();
    tolerance
}

fn bounds(table: &Table<'_>, outputs: Vec<(Key, Tolerance)>) -> Tolerance {
    Tolerance {
        span: table.span().clone(),
        absolute: number(table, "absolute"),
        relative: number(table, "relative"),
        matched_ratio: number(table, "matched_ratio"),
        outputs,
    }
}

fn space(table: Table<'_>) -> Space {
    let parameters = table.get("parameters").and_then(|field| field.section());
    let default = table.get("default").and_then(|field| Some((field.span(), field.table()?)));
    let space = Space {
        span: table.span().clone(),
        parameters: parameters
            .map_or_else(Vec::new, |table| table.fields())
            .into_iter()
            .filter_map(|(key, field)| {
                let values = field.array()?;
                let located = |field: &Field<'_>| Some((field.value()?, field.span()));
                Some((key, values.iter().filter_map(located).collect()))
            })
            .collect(),
        constraints: table.get("constraints").and_then(|f| f.strings()).unwrap_or_default(),
        default: default.map(|(span, table)| {
            let entries = table.fields().into_iter();
            (entries.filter_map(|(key, field)| Some((key, field.value()?))).collect(), span)
        }),
    };
    table.finish();
    space
}

fn launch(table: Table<'_>) -> Launch {
    let dimensions =
        |field: Field<'_>| Some(Dimensions { span: field.span(), sizes: field.strings()? });
    let arguments = table.require("arguments").and_then(|field| field.strings());
    let launch = Launch {
        span: table.span().clone(),
        arguments: arguments.unwrap_or_default(),
        grid: table.require("grid").and_then(dimensions),
        block: table.require("block").and_then(dimensions),
        cluster: table.get("cluster").and_then(dimensions),
        shared_memory_bytes: string(&table, "shared_memory_bytes"),
        programmatic: string(&table, "programmatic"),
    };
    table.finish();
    launch
}

fn workloads(root: &Table<'_>, context: &Context) -> Vec<Workload> {
    let Some(field) = root.get("workloads") else {
        let message = "the spec has no workloads".to_owned();
        context.push(
            context
                .at("spec.no-workload", root.span(), message)
                .hint("add `[[workloads]]` with `name`, `axes`, `types` and `role`"),
        );
        return Vec::new();
    };
    let Some(elements) = field.array() else { return Vec::new() };
    if elements.is_empty() {
        let message = "`workloads` is empty".to_owned();
        context.report("spec.no-workload", &field.span(), message);
    }
    elements.iter().filter_map(|element| Some(workload(element.table()?))).collect()
}

fn workload(table: Table<'_>) -> Workload {
    let fields = |name| {
        let field: Option<Field<'_>> = table.get(name);
        field.and_then(|field| field.table()).map_or_else(Vec::new, |table| table.fields())
    };
    let (axes, types, scalars) = (fields("axes"), fields("types"), fields("scalars"));
    let workload = Workload {
        span: table.span().clone(),
        name: required_string(&table, "name"),
        axes: axes
            .into_iter()
            .map(|(key, field)| (key, field.integer().unwrap_or(1), field.span()))
            .collect(),
        types: types.into_iter().filter_map(|(key, f)| Some((key, f.string()?))).collect(),
        scalars: scalars
            .into_iter()
            .map(|(key, field)| (key, field.number().unwrap_or(1.0), field.span()))
            .collect(),
        role: required_string(&table, "role"),
        tolerance: table.get("tolerance").and_then(|field| field.table()).map(tolerance),
    };
    table.finish();
    workload
}

fn cost(table: Table<'_>) -> Cost {
    let cost = Cost { bytes_min: string(&table, "bytes_min"), flops: string(&table, "flops") };
    table.finish();
    cost
}

/// One of some words; anything else is reported with the words to choose from.
pub(crate) fn word<T: Copy>(
    context: &Context,
    code: &str,
    what: &str,
    text: &Text,
    words: &[(&'static str, T)],
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text.value);
    if found.is_none() {
        let mut diagnostic =
            context.at(code, &text.span, format!("`{}` is not a {what}", text.value));
        diagnostic.hint =
            suggestion::hint(&text.value, words.iter().map(|(word, _)| *word).collect::<Vec<_>>());
        context.push(diagnostic);
    }
    found.map(|&(_, value)| value)
}
