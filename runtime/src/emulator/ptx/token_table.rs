//! A read-only table from text to a small index, for the fixed vocabularies of PTX.
//!
//! A PTX file of three thousand lines holds some ten thousand mnemonics and modifiers; one probe
//! each keeps reading it near a millisecond.

/// An open-addressed table over a static list of texts.
pub(super) struct TokenTable {
    texts: &'static [&'static str],
    slots: Vec<u16>,
    mask: usize,
}

const EMPTY: u16 = u16::MAX;

impl TokenTable {
    /// Builds the table; `texts` are distinct and fewer than 65535.
    pub(super) fn new(texts: &'static [&'static str]) -> Self {
        let size = (texts.len() * 4).next_power_of_two();
        let mut table = TokenTable { texts, slots: vec![EMPTY; size], mask: size - 1 };
        for (index, text) in texts.iter().enumerate() {
            let mut slot = hash(text) & table.mask;
            while table.slots[slot] != EMPTY {
                slot = (slot + 1) & table.mask;
            }
            table.slots[slot] = u16::try_from(index).unwrap_or(EMPTY);
        }
        table
    }

    /// Position of `text` in the list the table was built from.
    pub(super) fn find(&self, text: &str) -> Option<usize> {
        let mut slot = hash(text) & self.mask;
        loop {
            let index = self.slots[slot];
            if index == EMPTY {
                return None;
            }
            if self.texts[usize::from(index)] == text {
                return Some(usize::from(index));
            }
            slot = (slot + 1) & self.mask;
        }
    }
}

/// FNV-1a, folded to a word.
fn hash(text: &str) -> usize {
    let mut state: u32 = 0x811c_9dc5;
    for byte in text.bytes() {
        state = (state ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    (state ^ (state >> 15)) as usize
}
