//! What a node is in the generated Python.

/// A node's value: a Python expression without operators around it, and what kind of thing it is.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// A variable's name, or a literal.
    pub(super) text: String,
    pub(super) form: Form,
    /// The axes of its dimensions, in order; of a number none.
    pub(super) axes: Vec<String>,
    /// Whether it may be a view of an input's memory.
    pub(super) is_view: bool,
}

/// What kind of thing a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// A tensor of real numbers.
    Real,
    /// A tensor of 64-bit integers.
    Integer,
    /// A tensor of booleans.
    Truth,
    /// A number known when the code is generated.
    Constant(f64),
    /// A Python number.
    Number,
}

impl Form {
    /// Whether it has no dimensions and no device.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Constant(_) | Self::Number)
    }
}

impl Value {
    pub(super) fn tensor(text: String, form: Form, axes: &[String]) -> Self {
        Self { text, form, axes: axes.to_vec(), is_view: false }
    }

    pub(super) fn constant(value: f64) -> Self {
        let form = Form::Constant(value);
        Self { text: real_literal(value), form, axes: Vec::new(), is_view: false }
    }

    /// As real numbers; a number stays one.
    pub(super) fn real(&self) -> String {
        match self.form {
            Form::Real | Form::Number => self.text.clone(),
            Form::Constant(value) => real_literal(value),
            Form::Integer | Form::Truth => format!("{}.to(real)", self.text),
        }
    }

    /// As integers; `None` for what may have fractions.
    pub(super) fn integer(&self) -> Option<String> {
        match self.form {
            Form::Integer => Some(self.text.clone()),
            Form::Truth => Some(format!("{}.to(torch.int64)", self.text)),
            Form::Constant(value) => integer_literal(value),
            Form::Real | Form::Number => None,
        }
    }

    /// As truth values.
    pub(super) fn truth(&self) -> String {
        match self.form {
            Form::Truth => self.text.clone(),
            Form::Real | Form::Integer => format!("({} != 0)", self.text),
            Form::Constant(_) | Form::Number => format!("({} != 0)", self.lifted()),
        }
    }

    /// As real numbers in a tensor: a number becomes one without dimensions. Binary64 without
    /// dimensions does not widen a tensor that has some.
    pub(super) fn lifted(&self) -> String {
        if self.form.is_number() { format!("number({})", self.real()) } else { self.real() }
    }

    /// The dimensions in the order of `axes`, and a new one where `axes` has more. Leading new ones
    /// are left out: torch adds them.
    pub(super) fn aligned(&self, text: String, axes: &[String]) -> String {
        if self.form.is_number() || self.axes.is_empty() {
            return text;
        }
        let places: Vec<usize> =
            axes.iter().filter_map(|axis| self.axes.iter().position(|own| own == axis)).collect();
        let mut text = text;
        if !places.iter().copied().eq(0..places.len()) {
            let places: Vec<String> = places.iter().map(usize::to_string).collect();
            text = format!("{text}.permute({})", places.join(", "));
        }
        let present = axes.iter().map(|axis| self.axes.contains(axis));
        let subscript: Vec<&str> = present
            .skip_while(|present| !present)
            .map(|present| if present { ":" } else { "None" })
            .collect();
        if subscript.contains(&"None") {
            text = format!("{text}[{}]", subscript.join(", "));
        }
        text
    }
}

/// A number as Python reads it.
fn real_literal(value: f64) -> String {
    if value.is_nan() {
        "float(\"nan\")".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "float(\"inf\")" } else { "float(\"-inf\")" }.to_owned()
    } else if value < 0.0 {
        format!("({value:?})")
    } else {
        format!("{value:?}")
    }
}

/// A whole number that binary64 holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 2^53")]
fn integer_literal(value: f64) -> Option<String> {
    let is_whole =
        value.fract().abs() < f64::MIN_POSITIVE && value.abs() <= 9_007_199_254_740_992.0;
    let text = (value as i64).to_string();
    is_whole.then(|| if value < 0.0 { format!("({text})") } else { text })
}
