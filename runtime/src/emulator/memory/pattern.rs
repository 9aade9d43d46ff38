//! The shape of a warp's addresses, and the way between register rows and bytes.

use super::access::{Addresses, LANES, Row};

/// How the addresses of the active lanes lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Neighbouring lanes access neighbouring elements: `lanes` of them, from lane `first` at
    /// `address`.
    Run { address: u64, first: usize, lanes: usize },
    /// All active lanes access one element.
    Uniform { address: u64 },
    /// Anything else.
    Scattered,
}

/// Classifies the addresses of at least one active lane.
pub(super) fn classify(addresses: &Addresses, mask: u32, width: u32) -> Pattern {
    #[cfg(test)]
    if tests::ALWAYS_SCATTERED.get() {
        return Pattern::Scattered;
    }
    let first = mask.trailing_zeros() as usize & (LANES - 1);
    let address = addresses[first];
    let lanes = mask.count_ones() as usize;
    if lanes == 1 {
        return Pattern::Run { address, first, lanes };
    }
    if (mask >> first).wrapping_add(1).is_power_of_two() || mask == u32::MAX {
        let last = addresses[first + lanes - 1];
        let span = (lanes as u64 - 1) * u64::from(width);
        if last.wrapping_sub(address) == span && is_run(addresses, first, lanes, width) {
            return Pattern::Run { address, first, lanes };
        }
    }
    let is_uniform = if mask == u32::MAX {
        addresses.iter().fold(0, |differ, &a| differ | (a ^ address)) == 0
    } else {
        super::clocks::bits(mask).all(|lane| addresses[lane] == address)
    };
    if is_uniform { Pattern::Uniform { address } } else { Pattern::Scattered }
}

fn is_run(addresses: &Addresses, first: usize, lanes: usize, width: u32) -> bool {
    let width = u64::from(width);
    let mut expected = addresses[first];
    let mut differ = 0;
    for &address in &addresses[first..first + lanes] {
        differ |= address ^ expected;
        expected = expected.wrapping_add(width);
    }
    differ == 0
}

/// The most bytes one access can move: 32 lanes of 32 bytes.
pub(super) const BYTES_MAX: usize = 1024;

/// Bytes of `lanes` neighbouring lanes from lane `first` on, out of rows.
pub(super) fn gather(rows: &[Row], first: usize, lanes: usize, width: usize, bytes: &mut [u8]) {
    match width {
        1 => {
            for (byte, word) in bytes.iter_mut().zip(&rows[0][first..first + lanes]) {
                *byte = word.to_le_bytes()[0];
            }
        }
        2 => {
            for (half, word) in bytes.chunks_exact_mut(2).zip(&rows[0][first..first + lanes]) {
                half.copy_from_slice(&word.to_le_bytes()[..2]);
            }
        }
        4 => gather_words::<4>(rows, first, lanes, bytes),
        8 => gather_words::<8>(rows, first, lanes, bytes),
        16 => gather_words::<16>(rows, first, lanes, bytes),
        _ => gather_words::<32>(rows, first, lanes, bytes),
    }
}

fn gather_words<const W: usize>(rows: &[Row], first: usize, lanes: usize, bytes: &mut [u8]) {
    for (k, row) in rows.iter().enumerate().take(W / 4) {
        for (element, word) in bytes.chunks_exact_mut(W).zip(&row[first..first + lanes]) {
            element[4 * k..4 * k + 4].copy_from_slice(&word.to_le_bytes());
        }
    }
}

/// The other way.
pub(super) fn scatter(rows: &mut [Row], first: usize, lanes: usize, width: usize, bytes: &[u8]) {
    match width {
        1 => {
            for (word, &byte) in rows[0][first..first + lanes].iter_mut().zip(bytes) {
                *word = u32::from(byte);
            }
        }
        2 => {
            let halves = bytes.chunks_exact(2);
            for (word, half) in rows[0][first..first + lanes].iter_mut().zip(halves) {
                *word = u32::from(u16::from_le_bytes([half[0], half[1]]));
            }
        }
        4 => scatter_words::<4>(rows, first, lanes, bytes),
        8 => scatter_words::<8>(rows, first, lanes, bytes),
        16 => scatter_words::<16>(rows, first, lanes, bytes),
        _ => scatter_words::<32>(rows, first, lanes, bytes),
    }
}

fn scatter_words<const W: usize>(rows: &mut [Row], first: usize, lanes: usize, bytes: &[u8]) {
    for (k, row) in rows.iter_mut().enumerate().take(W / 4) {
        for (word, element) in row[first..first + lanes].iter_mut().zip(bytes.chunks_exact(W)) {
            let at = 4 * k;
            *word = u32::from_le_bytes([
                element[at],
                element[at + 1],
                element[at + 2],
                element[at + 3],
            ]);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    //! A switch, so that a test can compare the paths of an access.

    thread_local! {
        /// Whether every access takes the path that assumes nothing.
        pub(crate) static ALWAYS_SCATTERED: std::cell::Cell<bool> =
            const { std::cell::Cell::new(false) };
    }
}
