//! Damages a text in the ways that people, editors and disks do; the same for a seed.

/// A stream of numbers: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is at least 1.
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap()
    }
}

/// What is put where it does not belong.
const WORDS: [&str; 44] = [
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    "==",
    "\\",
    "\n",
    "\r\n",
    "\0",
    ",",
    ".",
    "é",
    "😀",
    "-",
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "1e999",
    "nan",
    "device.warp_size",
    "sizeof(T)",
    "sizeof(",
    "((((((((",
    "ceil_div(",
    "% 0",
    "/ (rows - rows)",
    "rows",
    "cols",
    "T",
    "schema = 1",
    "[kernel]",
    "[launch]",
    "[[workloads]]",
    "mean(x, cols)",
    "true",
    "null",
    "\u{feff}",
    "\\u0041",
];

/// A copy of the text with one to four damages.
pub(crate) fn damaged(text: &str, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + numbers.below(24)).min(bytes.len());
        match numbers.below(9) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let word = WORDS[numbers.below(WORDS.len())];
                bytes.splice(at..at, word.bytes());
            }
            2 => {
                let word = WORDS[numbers.below(WORDS.len())];
                bytes.splice(at..end, word.bytes());
            }
            3 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            4 => {
                let copy = bytes[at..end].to_vec();
                let to = numbers.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            5 => move_line(&mut bytes, numbers),
            6 => replace_number(&mut bytes, numbers),
            7 if numbers.below(8) == 0 => bytes.truncate(at),
            _ => {
                if at < bytes.len() {
                    bytes[at] = u8::try_from(numbers.below(256)).unwrap();
                }
            }
        }
    }
    bytes
}

/// Moves, drops or repeats a line.
fn move_line(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    let mut lines: Vec<Vec<u8>> =
        bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let line = lines.remove(numbers.below(lines.len()));
    for _ in 0..numbers.below(3) {
        lines.insert(numbers.below(lines.len() + 1), line.clone());
    }
    *bytes = lines.concat();
}

/// Replaces a run of digits by a number at an edge.
fn replace_number(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    const EDGES: [&str; 10] =
        ["0", "-1", "1", "65536", "4294967296", "9223372036854775807", "1.5", "1e-6", "inf", "x"];
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|&i| bytes[i].is_ascii_digit() && (i == 0 || !bytes[i - 1].is_ascii_digit()))
        .collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[numbers.below(starts.len())];
    let length = bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
    let edge = EDGES[numbers.below(EDGES.len())];
    bytes.splice(start..start + length, edge.bytes());
}
