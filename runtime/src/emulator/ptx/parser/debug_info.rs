//! `.file`, `.loc`, `.section` and the names of inlined functions.

use std::collections::BTreeMap;

use super::super::debug::{FileEntry, Location, LocationId, is_toolkit};
use super::super::error::{PtxError, PtxErrorCode};
use super::super::lexer::Token;
use super::Parser;

/// The string section, and the locations that name functions in it.
#[derive(Default)]
pub(super) struct DebugStrings<'a> {
    bytes: Vec<u8>,
    labels: BTreeMap<&'a str, usize>,
    pending: Vec<PendingName<'a>>,
}

struct PendingName<'a> {
    function: usize,
    location: LocationId,
    label: &'a str,
    offset: i64,
}

/// The locations of the function being read.
#[derive(Default)]
pub(super) struct LocationTable {
    pub(super) locations: Vec<Location>,
    /// The latest location of each place: what an `inlined_at` means by it.
    by_place: BTreeMap<(u32, u32, u32), LocationId>,
    /// The one in force.
    pub(super) current: Option<LocationId>,
}

impl LocationTable {
    fn push(&mut self, location: Location) -> LocationId {
        if let Some(current) = self.current
            && self.locations.get(current.0 as usize) == Some(&location)
        {
            return current;
        }
        // The text is shorter than 4 GiB, so the count fits.
        let id = LocationId(u32::try_from(self.locations.len()).unwrap_or(u32::MAX));
        self.locations.push(location);
        self.by_place.insert((location.file, location.line, location.column), id);
        id
    }
}

impl<'a> Parser<'a> {
    /// `1 "name"`, and perhaps a time stamp and a size, after `.file`.
    pub(super) fn file(&mut self) -> Result<(), PtxError> {
        let index = self.small_integer("a file index")?;
        let Token::Text(name) = self.token else { return Err(self.expected("a file name")) };
        self.advance()?;
        while self.take(b',')? {
            self.constant()?;
        }
        if self.module.files.iter().any(|file| file.index == index) {
            let message = format!("file `{index}` is already declared");
            return Err(self.error(PtxErrorCode::Redeclared, message));
        }
        self.module.files.push(FileEntry { index, name: name.to_owned() });
        Ok(())
    }

    fn place(&mut self) -> Result<(u32, u32, u32), PtxError> {
        Ok((
            self.small_integer("a file index")?,
            self.small_integer("a line")?,
            self.small_integer("a column")?,
        ))
    }

    /// `file line column[, function_name label[+n], inlined_at file line column]`, after `.loc`.
    pub(super) fn location(
        &mut self,
        table: &mut LocationTable,
        function: usize,
    ) -> Result<(), PtxError> {
        let (file, line, column) = self.place()?;
        let plain = |(file, line, column)| Location {
            file,
            line,
            column,
            function: None,
            inlined_at: None,
            is_toolkit: false,
        };
        let mut location = plain((file, line, column));
        let mut named = None;
        while self.take(b',')? {
            match self.word("`function_name` or `inlined_at`")? {
                "function_name" => {
                    let label = self.word("a label")?;
                    let offset = match self.token {
                        Token::Mark(b'+' | b'-') => self.integer_expression(0)?,
                        _ => 0,
                    };
                    named = Some((label, offset));
                }
                "inlined_at" => {
                    let place = self.place()?;
                    location.inlined_at = Some(match table.by_place.get(&place) {
                        Some(id) => *id,
                        None => table.push(plain(place)),
                    });
                }
                _ => return Err(self.expected("`function_name` or `inlined_at`")),
            }
        }
        let id = table.push(location);
        table.current = Some(id);
        if let Some((label, offset)) = named {
            self.strings.pending.push(PendingName { function, location: id, label, offset });
        }
        Ok(())
    }

    /// A `.loc` outside functions says nothing about instructions.
    pub(super) fn skip_location(&mut self) -> Result<(), PtxError> {
        self.location(&mut LocationTable::default(), usize::MAX)
    }

    /// `.debug_str { … }`, after `.section`; other sections are skipped.
    pub(super) fn section(&mut self) -> Result<(), PtxError> {
        let Token::Directive(name) = self.token else {
            return Err(self.expected("a section name"));
        };
        let is_strings = name == "debug_str";
        self.advance()?;
        self.expect(b'{')?;
        let mut values = false;
        loop {
            match self.token {
                Token::Mark(b'}') => return self.advance(),
                Token::End => return Err(self.expected("`}`")),
                Token::Directive(word) => values = word == "b8",
                Token::Word(label) if is_strings && self.lexer.peek_after_blanks() == b':' => {
                    self.strings.labels.insert(label, self.strings.bytes.len());
                }
                Token::Integer(value) if is_strings && values => {
                    let byte = u8::try_from(value).map_err(|_| {
                        self.error(PtxErrorCode::Range, format!("`{value}` is not a byte"))
                    })?;
                    self.strings.bytes.push(byte);
                }
                _ => {}
            }
            self.advance()?;
        }
    }

    /// Marks the locations in files of the toolkit, now that the files are known.
    pub(super) fn mark_toolkit(&mut self) {
        let files = self.module.files.iter().filter(|file| is_toolkit(&file.name));
        let toolkit: Vec<u32> = files.map(|file| file.index).collect();
        let functions = self.module.functions.iter_mut();
        for location in functions.flat_map(|function| &mut function.locations) {
            location.is_toolkit = toolkit.contains(&location.file);
        }
    }

    /// Gives inlined locations the names of their functions, now that the strings are known.
    pub(super) fn name_inlined_functions(&mut self) -> Result<(), PtxError> {
        let strings = std::mem::take(&mut self.strings);
        let mut known = BTreeMap::new();
        for pending in &strings.pending {
            let Some(start) = strings.labels.get(pending.label) else { continue };
            let Some(start) =
                usize::try_from(pending.offset).ok().and_then(|offset| start.checked_add(offset))
            else {
                continue;
            };
            let id = match known.get(&start) {
                Some(id) => *id,
                None => {
                    let Some(bytes) = strings.bytes.get(start..) else { continue };
                    let text = bytes.split(|byte| *byte == 0).next().unwrap_or(&[]);
                    let id = self.push_name(String::from_utf8_lossy(text).into_owned())?;
                    known.insert(start, id);
                    id
                }
            };
            if let Some(function) = self.module.functions.get_mut(pending.function)
                && let Some(location) = function.locations.get_mut(pending.location.0 as usize)
            {
                location.function = Some(id);
            }
        }
        Ok(())
    }
}
