//! A TOML document as keys and values with their places, read without stopping at an error.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Text;
use crate::diagnostic::{Diagnostic, SourceLocation};
use crate::expression::Value;
use crate::suggestion;

/// Most diagnostics of one file: more help nobody.
const DIAGNOSTICS_LIMIT: usize = 50;

/// The file, and what was found wrong with it so far.
pub(crate) struct Context {
    file: Arc<str>,
    source: Arc<str>,
    diagnostics: RefCell<Vec<Diagnostic>>,
    /// Whether a section could not be read at all.
    broken: Cell<bool>,
}

impl Context {
    pub(crate) fn new(file: &str, source: &str) -> Self {
        Self {
            file: file.into(),
            source: source.into(),
            diagnostics: RefCell::default(),
            broken: Cell::new(false),
        }
    }

    /// A diagnostic at a byte range of the file.
    pub(crate) fn at(&self, code: &str, span: &Range<usize>, message: String) -> Diagnostic {
        if self.n_diagnostics() >= DIAGNOSTICS_LIMIT {
            // It will not be reported, and finding its place is the work.
            return Diagnostic::new(code, message);
        }
        let place = SourceLocation::of(&self.file, &self.source, span.clone());
        Diagnostic::new(code, message).at(place)
    }

    /// Reports a diagnostic, unless the same was reported already.
    pub(crate) fn push(&self, diagnostic: Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        if diagnostics.len() < DIAGNOSTICS_LIMIT && !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }

    /// Reports what is wrong at a byte range of the file.
    pub(crate) fn report(&self, code: &str, span: &Range<usize>, message: String) {
        self.push(self.at(code, span, message));
    }

    /// The value of a check, or `None` with its diagnostic reported.
    pub(crate) fn accept<T>(&self, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|diagnostic| self.push(diagnostic)).ok()
    }

    /// How much was reported.
    pub(crate) fn n_diagnostics(&self) -> usize {
        self.diagnostics.borrow().len()
    }

    /// Whether a section that others refer to could not be read.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// What was reported, by place in the file.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics.into_inner();
        let place = |d: &Diagnostic| d.location.as_ref().map_or((0, 0), |at| (at.line, at.column));
        diagnostics.sort_by_key(place);
        diagnostics
    }

    fn text(&self, span: Range<usize>, value: &str) -> Text {
        Text::new(&self.file, &self.source, span, value)
    }
}

/// A key of a table and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
}

/// A table, its entries in the order of the file.
pub(crate) struct Table<'a> {
    context: &'a Context,
    /// How messages name it: `[kernel]`, or nothing for the whole file.
    path: String,
    span: Range<usize>,
    entries: Vec<Entry<'a>>,
    asked: RefCell<Vec<&'static str>>,
}

struct Entry<'a> {
    key: &'a Spanned<std::borrow::Cow<'a, str>>,
    value: &'a Spanned<DeValue<'a>>,
    used: Cell<bool>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(
        context: &'a Context,
        path: &str,
        span: Range<usize>,
        table: &'a DeTable<'a>,
    ) -> Self {
        let mut entries: Vec<Entry<'a>> =
            table.iter().map(|(key, value)| Entry { key, value, used: Cell::new(false) }).collect();
        entries.sort_by_key(|entry| entry.key.span().start);
        Self { context, path: path.to_owned(), span, entries, asked: RefCell::default() }
    }

    pub(crate) fn context(&self) -> &'a Context {
        self.context
    }

    /// Where it stands: its header, or its braces.
    pub(crate) fn span(&self) -> &Range<usize> {
        &self.span
    }

    /// The field of that name, if it is there.
    pub(crate) fn get(&self, name: &'static str) -> Option<Field<'a>> {
        self.asked.borrow_mut().push(name);
        let entry = self.entries.iter().find(|entry| entry.key.get_ref().as_ref() == name)?;
        entry.used.set(true);
        Some(self.field(entry))
    }

    /// The field of that name; reported where it is missing.
    pub(crate) fn require(&self, name: &'static str) -> Option<Field<'a>> {
        let field = self.get(name);
        if field.is_none() {
            let inside = if self.path.is_empty() {
                "the spec".to_owned()
            } else {
                format!("`{}`", self.path)
            };
            let message = format!("{inside} lacks `{name}`");
            self.context.report("spec.missing-key", &self.span, message);
        }
        field
    }

    /// Every entry, for a table whose keys are the author's.
    pub(crate) fn fields(&self) -> Vec<(Key, Field<'a>)> {
        let entry = |entry: &Entry<'a>| {
            entry.used.set(true);
            let field = self.field(entry);
            (Key { name: entry.key.get_ref().to_string(), span: entry.key.span() }, field)
        };
        self.entries.iter().map(entry).collect()
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        let asked = self.asked.into_inner();
        for entry in self.entries.iter().filter(|entry| !entry.used.get()) {
            let name = entry.key.get_ref().as_ref();
            let inside =
                if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
            let mut diagnostic = self.context.at(
                "spec.unknown-key",
                &entry.key.span(),
                format!("there is no key `{name}`{inside}"),
            );
            diagnostic.hint = suggestion::hint(name, asked.iter().copied());
            self.context.push(diagnostic);
        }
    }

    fn field(&self, entry: &Entry<'a>) -> Field<'a> {
        let name = entry.key.get_ref();
        let path =
            if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Field { context: self.context, path, key_span: entry.key.span(), value: entry.value }
    }
}

/// A value and how messages name it.
pub(crate) struct Field<'a> {
    context: &'a Context,
    path: String,
    key_span: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Field<'a> {
    pub(crate) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn is_string(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(crate) fn string(&self) -> Option<Text> {
        match self.value.get_ref().as_str() {
            Some(value) => Some(self.context.text(self.value.span(), value)),
            None => self.wrong_type("a string"),
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        let DeValue::Integer(integer) = self.value.get_ref() else {
            return self.wrong_type("an integer");
        };
        let value = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        if value.is_none() {
            let message = format!("`{}` does not fit in 64 bits: `{integer}`", self.path);
            self.context.report("spec.wrong-type", &self.value.span(), message);
        }
        value
    }

    /// A finite number; integers count.
    pub(crate) fn number(&self) -> Option<f64> {
        let value = match self.value.get_ref() {
            DeValue::Integer(_) => {
                #[expect(clippy::cast_precision_loss, reason = "a number in a spec is a binary64")]
                let value = self.integer()? as f64;
                Some(value)
            }
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            _ => return self.wrong_type("a number"),
        };
        let value = value.filter(|value| value.is_finite());
        if value.is_none() {
            let message = format!("`{}` must be a finite number", self.path);
            self.context.report("spec.wrong-type", &self.value.span(), message);
        }
        value
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => self.wrong_type("`true` or `false`"),
        }
    }

    /// A parameter's value: an integer, a string, or a boolean as 0 or 1.
    pub(crate) fn value(&self) -> Option<Value> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Some(Value::Integer(i64::from(*value))),
            DeValue::Integer(_) => self.integer().map(Value::Integer),
            DeValue::String(text) => Some(Value::Text(text.to_string())),
            _ => self.wrong_type("an integer, a string or a boolean"),
        }
    }

    pub(crate) fn array(&self) -> Option<Vec<Self>> {
        let Some(array) = self.value.get_ref().as_array() else {
            return self.wrong_type("an array");
        };
        let element = |(i, value): (usize, &'a Spanned<DeValue<'a>>)| Field {
            context: self.context,
            path: format!("{}[{i}]", self.path),
            key_span: value.span(),
            value,
        };
        Some(array.iter().enumerate().map(element).collect())
    }

    /// An array of strings; elements of other types are reported and left out.
    pub(crate) fn strings(&self) -> Option<Vec<Text>> {
        Some(self.array()?.iter().filter_map(Self::string).collect())
    }

    pub(crate) fn table(&self) -> Option<Table<'a>> {
        match self.value.get_ref() {
            DeValue::Table(table) => {
                // A table in several parts has an empty span or one that says little: its key's
                // place is what the author knows.
                let span = self.key_span.clone();
                Some(Table::new(self.context, &self.path, span, table))
            }
            _ => self.wrong_type("a table"),
        }
    }

    /// A table that much of the spec refers to: without it, the rest is not checked.
    pub(crate) fn section(&self) -> Option<Table<'a>> {
        let table = self.table();
        if table.is_none() {
            self.context.broken.set(true);
        }
        table
    }

    fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        let article = match self.value.get_ref() {
            DeValue::Integer(_) | DeValue::Array(_) => "an",
            _ => "a",
        };
        let found = self.value.get_ref().type_str();
        let message = format!("`{}` must be {expected}, and is {article} {found}", self.path);
        self.context.report("spec.wrong-type", &self.value.span(), message);
        None
    }
}
