//! One statement for each node of the graph.

use std::collections::{BTreeMap, BTreeSet};

use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{DtypeRef, KernelSpec};
use ridge_spec::math::{
    Binary, CastTarget, Node, NodeIndex, Op, Output, Program, Reduction, Unary, ValueKind,
};

use super::value::{Form, Value};
use super::{Extent, dtypes, extent, tensors, torch_dtype};
use crate::expression;
use crate::interface::{is_python_keyword, python_name};

/// Names that the generated function uses itself.
const OWN_NAMES: [&str; 4] = ["torch", "real", "number", "device"];

/// Writes the statements of `run`.
pub(super) struct Emitter<'a> {
    pub(super) spec: &'a KernelSpec,
    pub(super) program: &'a Program,
    values: Vec<Value>,
    lines: Vec<String>,
    taken: BTreeSet<String>,
    /// The variable that holds the extent of an axis, and the statement that sets it.
    extents: BTreeMap<String, String>,
    extent_lines: Vec<String>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(spec: &'a KernelSpec, program: &'a Program) -> Self {
        let taken = spec.inputs.keys().map(|name| python_name(name));
        let taken = taken.chain(OWN_NAMES.map(str::to_owned)).collect();
        let (values, lines, extent_lines) = (Vec::new(), Vec::new(), Vec::new());
        Self { spec, program, values, lines, taken, extents: BTreeMap::new(), extent_lines }
    }

    /// The statements, those for extents and types first; `returned` comes behind them.
    pub(super) fn finish(&self, returned: &str) -> String {
        let mut setup = self.extent_lines.clone();
        let lines = || self.lines.iter().map(String::as_str).chain([returned]);
        let uses = |word: &str| lines().any(|line| line.contains(word));
        if uses("real") || uses("number(") {
            setup.push(self.real_dtype());
        }
        if uses("device=device") || uses("number(") {
            let first = tensors(self.spec).next().map_or("", |(name, ..)| name);
            setup.push(format!("device = {}.device", python_name(first)));
        }
        if uses("number(") {
            setup.push(String::new());
            setup.push("def number(value):".to_owned());
            let made = "torch.full((), value, dtype=torch.float64, device=device)";
            setup.push(format!("    return {made}"));
            setup.push(String::new());
        }
        setup.iter().chain(&self.lines).map(indented).collect()
    }

    /// The statement that says what real numbers are computed in.
    fn real_dtype(&self) -> String {
        let declared = self.spec.inputs.values().chain(self.spec.outputs.values());
        let wide: Vec<&DtypeRef> = declared
            .map(|declaration| &declaration.dtype)
            .filter(|dtype| dtypes(self.spec, dtype).contains(&Dtype::F64))
            .collect();
        if wide.iter().any(|dtype| matches!(dtype, DtypeRef::Fixed(_))) {
            return "real = torch.float64".to_owned();
        }
        let mut names: Vec<String> =
            wide.iter().filter_map(|dtype| torch_dtype(self.spec, dtype)).collect();
        names.dedup();
        if names.is_empty() {
            return "real = torch.float32".to_owned();
        }
        format!(
            "real = torch.float64 if torch.float64 in ({},) else torch.float32",
            names.join(", ")
        )
    }

    pub(super) fn value(&self, node: NodeIndex) -> &Value {
        &self.values[node.index()]
    }

    /// Adds the statement of a node; `None` where torch has none for it.
    pub(super) fn node(&mut self, index: NodeIndex) -> Option<()> {
        let node = &self.program.graph()[index];
        let operands: Vec<Value> =
            self.program.operands(index).into_iter().map(|at| self.value(at).clone()).collect();
        let value = match &node.op {
            Op::Input(name) => self.input(name, node)?,
            Op::Constant(value) => Value::constant(*value),
            Op::Extent(axis) => Value {
                text: self.extent(axis)?,
                form: Form::Number,
                axes: Vec::new(),
                is_view: false,
            },
            Op::Index(axis) => {
                let extent = self.extent(axis)?;
                let text = format!("torch.arange({extent}, device=device)");
                self.assign(node, Form::Integer, text)
            }
            Op::Unary(function) => self.unary(node, *function, &operands[0]),
            Op::Binary(function) => self.binary(node, *function, &operands[0], &operands[1]),
            Op::Where => self.choice(node, &operands),
            Op::Cast(target) => self.cast(node, target, &operands[0])?,
            Op::Reduce { function, axes } => self.reduce(node, *function, axes, &operands[0]),
            Op::Take { .. }
            | Op::Slice { .. }
            | Op::Select { .. }
            | Op::Rename { .. }
            | Op::Concat { .. }
            | Op::Broadcast { .. } => self.moved(node, &operands)?,
        };
        self.values.push(value);
        Some(())
    }

    /// The expression for an output: its dimensions in the declared order, its dtype, its own
    /// memory.
    pub(super) fn output(&self, output: &Output) -> Option<String> {
        let value = self.value(output.node).clone();
        let declaration = self.spec.outputs.get(&output.name)?;
        let dtype = torch_dtype(self.spec, &declaration.dtype)?;
        let plain = dtypes(self.spec, &declaration.dtype)
            .iter()
            .all(|dtype| matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16));
        let tensor = value.lifted_any();
        let aligned = value.aligned(tensor, &output.axes);
        let text = if plain {
            format!("{aligned}.to({dtype})")
        } else {
            format!("_cast({aligned}, {dtype})")
        };
        let ending = if value.is_view {
            ".clone(memory_format=torch.contiguous_format)"
        } else {
            ".contiguous()"
        };
        Some(format!("{text}{ending}"))
    }

    fn input(&mut self, name: &str, node: &Node) -> Option<Value> {
        let declaration = self.spec.inputs.get(name)?;
        let own = python_name(name);
        if declaration.shape.is_none() {
            return Some(Value { text: own, form: Form::Number, axes: Vec::new(), is_view: false });
        }
        let only = dtypes(self.spec, &declaration.dtype);
        let (form, text) = match node.kind {
            ValueKind::Real => (Form::Real, format!("{own}.to(real)")),
            ValueKind::Integer => (Form::Integer, format!("{own}.to(torch.int64)")),
            ValueKind::Boolean if only.iter().all(|dtype| *dtype == Dtype::Bool) => {
                (Form::Truth, own)
            }
            ValueKind::Boolean => (Form::Truth, format!("({own} != 0)")),
        };
        // A loaded input keeps its name with what it became.
        let value =
            Value { is_view: true, ..self.assign_as(&format!("{name}_values"), node, form, text) };
        Some(value)
    }

    fn unary(&mut self, node: &Node, function: Unary, operand: &Value) -> Value {
        if let Form::Constant(value) = operand.form {
            return Value::constant(function.apply(value));
        }
        if function == Unary::Not {
            let text = match operand.form {
                Form::Truth => format!("~{}", operand.text),
                _ => format!("({} == 0)", operand.lifted_any()),
            };
            return self.assign(node, Form::Truth, text);
        }
        let keeps_whole =
            matches!(function, Unary::Neg | Unary::Abs | Unary::Floor | Unary::Ceil | Unary::Round);
        if let (true, Some(whole)) = (keeps_whole, operand.integer()) {
            let text = match function {
                Unary::Neg => format!("-{whole}"),
                Unary::Abs => format!("{whole}.abs()"),
                _ => whole,
            };
            return self.assign(node, Form::Integer, text);
        }
        if function == Unary::Neg && operand.form == Form::Number {
            return self.assign(node, Form::Number, format!("-{}", operand.text));
        }
        let x = operand.lifted();
        let text = match function {
            Unary::Neg => format!("-{x}"),
            _ => format!("torch.{}({x})", function.name()),
        };
        self.assign(node, Form::Real, text)
    }

    fn binary(&mut self, node: &Node, function: Binary, a: &Value, b: &Value) -> Value {
        if let (Form::Constant(a), Form::Constant(b)) = (a.form, b.form) {
            return Value::constant(function.apply(a, b));
        }
        let axes = &node.axes;
        if matches!(function, Binary::And | Binary::Or) {
            let sign = if function == Binary::And { "&" } else { "|" };
            let (a, b) = (a.aligned(a.truth(), axes), b.aligned(b.truth(), axes));
            return self.assign(node, Form::Truth, format!("{a} {sign} {b}"));
        }
        let numbers = a.form.is_number() && b.form.is_number();
        let simple = matches!(function, Binary::Add | Binary::Subtract | Binary::Multiply);
        if numbers && simple {
            let text = format!("{} {} {}", a.real(), function.name(), b.real());
            return self.assign(node, Form::Number, text);
        }
        let whole = match (node.kind, function.is_truth(), a.integer(), b.integer()) {
            (ValueKind::Integer, _, Some(a), Some(b)) | (_, true, Some(a), Some(b)) => Some((a, b)),
            _ => None,
        };
        let is_whole = whole.is_some();
        let needs_tensors = matches!(function, Binary::Min | Binary::Max) || numbers;
        let (left, right) = whole.unwrap_or_else(|| {
            if needs_tensors { (a.lifted(), b.lifted()) } else { (a.real(), b.real()) }
        });
        let (left, right) = (a.aligned(left, axes), b.aligned(right, axes));
        let text = match function {
            Binary::Min | Binary::Max => extreme(function, is_whole, [a, b], &left, &right),
            Binary::Pow => format!("torch.pow({left}, {right})"),
            _ => format!("{left} {} {right}", function.name()),
        };
        let form = match (function.is_truth(), is_whole) {
            (true, _) => Form::Truth,
            (false, true) => Form::Integer,
            (false, false) => Form::Real,
        };
        self.assign(node, form, text)
    }

    fn choice(&mut self, node: &Node, operands: &[Value]) -> Value {
        let [condition, a, b] = operands else { return Value::constant(f64::NAN) };
        let axes = &node.axes;
        let whole = match (node.kind, a.integer(), b.integer()) {
            (ValueKind::Integer | ValueKind::Boolean, Some(a), Some(b)) => Some((a, b)),
            // An extent is whole too, and `where` takes a Python number.
            (ValueKind::Integer, Some(a), None) if b.form == Form::Number => {
                Some((a, b.text.clone()))
            }
            (ValueKind::Integer, None, Some(b)) if a.form == Form::Number => {
                Some((a.text.clone(), b))
            }
            _ => None,
        };
        let constants = a.form.is_number() && b.form.is_number();
        let form = if whole.is_some() && !constants { Form::Integer } else { Form::Real };
        let (left, right) = match whole {
            Some(whole) if !constants => whole,
            _ if constants => (a.lifted(), b.lifted()),
            _ => (a.real(), b.real()),
        };
        let text = format!(
            "torch.where({}, {}, {})",
            condition.aligned(condition.truth(), axes),
            a.aligned(left, axes),
            b.aligned(right, axes)
        );
        let text = if constants { format!("{text}.to(real)") } else { text };
        self.assign(node, form, text)
    }

    fn cast(&mut self, node: &Node, target: &CastTarget, operand: &Value) -> Option<Value> {
        let dtype = match target {
            CastTarget::Dtype(dtype) => DtypeRef::Fixed(*dtype),
            CastTarget::Variable(name) => DtypeRef::Variable(name.clone()),
        };
        let possible = dtypes(self.spec, &dtype);
        let name = torch_dtype(self.spec, &dtype)?;
        let operand = operand.lifted_any();
        let plain = possible
            .iter()
            .all(|dtype| matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16));
        let rounded = if plain {
            format!("{operand}.to({name})")
        } else {
            format!("_cast({operand}, {name})")
        };
        let whole = possible.iter().all(|dtype| !dtype.is_float());
        let (form, back) =
            if whole { (Form::Integer, "torch.int64") } else { (Form::Real, "real") };
        Some(self.assign(node, form, format!("{rounded}.to({back})")))
    }

    fn reduce(
        &mut self,
        node: &Node,
        function: Reduction,
        axes: &[String],
        operand: &Value,
    ) -> Value {
        let places: Vec<String> = axes
            .iter()
            .filter_map(|axis| operand.axes.iter().position(|own| own == axis))
            .map(|place| place.to_string())
            .collect();
        let places = match places.as_slice() {
            [one] => one.clone(),
            many => format!("({})", many.join(", ")),
        };
        let whole = operand.integer().filter(|_| function != Reduction::Mean);
        let form = if whole.is_some() { Form::Integer } else { Form::Real };
        let x = whole.unwrap_or_else(|| operand.lifted());
        let method = match function {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::Max => "amax",
            Reduction::Min => "amin",
        };
        self.assign(node, form, format!("{x}.{method}(dim={places})"))
    }

    /// A statement for the node, under its own name where it has one.
    pub(super) fn assign(&mut self, node: &Node, form: Form, text: String) -> Value {
        let base = node.name.clone().unwrap_or_else(|| "t".to_owned());
        self.assign_as(&base, node, form, text)
    }

    fn assign_as(&mut self, base: &str, node: &Node, form: Form, text: String) -> Value {
        let name = self.fresh(base);
        self.lines.push(format!("{name} = {text}"));
        Value::tensor(name, form, &node.axes)
    }

    /// A name that nothing else has.
    fn fresh(&mut self, base: &str) -> String {
        let plain = base != "t" && !is_python_keyword(base);
        if plain && self.taken.insert(base.to_owned()) {
            return base.to_owned();
        }
        let mut number = 1_usize;
        loop {
            let name = format!("{}{number}", base.trim_end_matches(|c: char| c.is_ascii_digit()));
            if self.taken.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    }

    /// The variable that holds the extent of an axis; `None` where no input tells it.
    pub(super) fn extent(&mut self, axis: &str) -> Option<String> {
        if let Some(name) = self.extents.get(axis) {
            return Some(name.clone());
        }
        let text = match extent(self.spec, axis)? {
            Extent::Of(tensor, place) => format!("{}.shape[{place}]", python_name(tensor)),
            Extent::Derived(expression) => self.positions(expression)?,
        };
        let name = self.fresh(&format!("n_{axis}"));
        self.extent_lines.push(format!("{name} = {text}"));
        self.extents.insert(axis.to_owned(), name.clone());
        Some(name)
    }

    /// Says what the extent of an axis is that the program made itself.
    pub(super) fn set_extent(&mut self, axis: &str, text: String) {
        if !self.extents.contains_key(axis) && extent(self.spec, axis).is_none() {
            self.extents.insert(axis.to_owned(), text);
        }
    }

    /// An integer expression over axes, as Python.
    pub(super) fn positions(
        &mut self,
        expression: &ridge_spec::expression::IntegerExpression,
    ) -> Option<String> {
        let mut names = BTreeMap::new();
        for name in expression.variables() {
            names.insert(name.to_owned(), self.extent(name)?);
        }
        Some(expression::python_named(expression, &names))
    }
}

/// The greater or lesser of two; NaN where one is.
fn extreme(
    function: Binary,
    is_whole: bool,
    [a, b]: [&Value; 2],
    left: &str,
    right: &str,
) -> String {
    let bound = if function == Binary::Max { "min" } else { "max" };
    let name = if function == Binary::Max { "maximum" } else { "minimum" };
    match (a.form, b.form) {
        // A bound that is a number needs no tensor.
        (_, Form::Constant(_)) if !a.form.is_number() => {
            format!("{left}.clamp({bound}={})", if is_whole { right.to_owned() } else { b.real() })
        }
        (Form::Constant(_), _) if !b.form.is_number() => {
            format!("{right}.clamp({bound}={})", if is_whole { left.to_owned() } else { a.real() })
        }
        _ => format!("torch.{name}({left}, {right})"),
    }
}

impl Value {
    /// As a tensor of whatever kind it is.
    pub(super) fn lifted_any(&self) -> String {
        if self.form.is_number() { self.lifted() } else { self.text.clone() }
    }
}

/// A line of the function; an empty one stays empty.
fn indented(line: &String) -> String {
    if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }
}
