//! Where a piece of text came from, so that an error in it points into the file around it.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::SourceLocation;

/// Places a text (an expression, a program) inside the file it was written in.
///
/// The text need not be a verbatim slice of the file: a TOML string with escapes maps through a
/// list of break points. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Origin {
    file: Arc<str>,
    source: Arc<str>,
    /// Pairs (offset in the text, offset in the source) from which both advance together; sorted,
    /// never empty.
    breaks: Arc<[(usize, usize)]>,
}

impl Origin {
    /// A text that is a verbatim slice of `source`, beginning at byte `offset`.
    pub fn new(file: impl Into<Arc<str>>, source: impl Into<Arc<str>>, offset: usize) -> Self {
        Self { file: file.into(), source: source.into(), breaks: Arc::from([(0, offset)]) }
    }

    /// A text that stands alone, such as one given on the command line; `file` names it in errors.
    pub fn standalone(file: &str, text: &str) -> Self {
        Self::new(file, text, 0)
    }

    /// A text whose bytes map to `source` through break points (text offset, source offset): from
    /// each on, both advance together up to the next. An empty list maps from the start.
    pub fn mapped(file: Arc<str>, source: Arc<str>, mut breaks: Vec<(usize, usize)>) -> Self {
        breaks.sort_unstable();
        if breaks.first().is_none_or(|&(text, _)| text != 0) {
            let source_start = breaks.first().map_or(0, |&(text, at)| at.saturating_sub(text));
            breaks.insert(0, (0, source_start));
        }
        Self { file, source, breaks: breaks.into() }
    }

    /// The same file, with the text's start moved to `offset` of this text.
    #[must_use]
    pub fn advanced(&self, offset: usize) -> Self {
        let mut breaks = vec![(0, self.source_offset(offset))];
        breaks.extend(
            self.breaks.iter().filter(|&&(text, _)| text > offset).map(|&(t, s)| (t - offset, s)),
        );
        Self { file: self.file.clone(), source: self.source.clone(), breaks: breaks.into() }
    }

    /// Name of the file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The location in the file of a byte range of the text.
    pub fn locate(&self, range: Range<usize>) -> SourceLocation {
        let start = self.source_offset(range.start);
        let end = self.source_offset(range.end.max(range.start));
        SourceLocation::of(&self.file, &self.source, start..end.max(start))
    }

    fn source_offset(&self, at: usize) -> usize {
        let next = self.breaks.partition_point(|&(text, _)| text <= at);
        let (text, source) = self.breaks[next.saturating_sub(1)];
        source.saturating_add(at - text.min(at))
    }
}
