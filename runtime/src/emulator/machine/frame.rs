//! Call frames and the values that their rows start with.

use ridge_spec::launch::LaunchConfig;

use crate::emulator::alu::registers::{LANES, Registers, lanes};
use crate::emulator::decode::builder::{Fill, Rows};
use crate::emulator::decode::program::Program;
use crate::emulator::ptx::SpecialRegister;

/// Index that stands for none.
pub(crate) const NONE: u32 = u32::MAX;

/// The frame of one call of one warp.
pub(crate) struct Frame {
    /// Registers, constants, special registers.
    pub(crate) registers: Registers,
    /// The function's place in the program.
    pub(crate) function: u32,
    /// The frame that called; [`NONE`] for the kernel's.
    pub(crate) parent: u32,
    /// The join at which the callers' lanes meet; [`NONE`] for the kernel's.
    pub(crate) return_join: u32,
    /// The instruction that called.
    pub(crate) call_pc: u32,
    /// Calls above this one.
    pub(crate) depth: u32,
    /// Start of the frame in the thread's stack, bytes.
    pub(crate) local_base: u64,
    /// The parameter area, a row for each 4 bytes.
    pub(crate) parameters: Vec<[u32; LANES]>,
}

/// What the rows of a launch are filled from.
pub(crate) struct LaunchValues {
    /// The launch.
    pub(crate) launch: LaunchConfig,
    /// Blocks of a cluster, x y z; every block is one of its own without clusters.
    pub(crate) cluster: [u32; 3],
    /// Whether the launch or the kernel asked for clusters.
    pub(crate) is_explicit_cluster: bool,
    /// The kernel's parameters.
    pub(crate) parameters: Vec<u8>,
    /// Address of each variable of the module; 0 for those out of reach.
    pub(crate) variables: Vec<u64>,
    /// Static and dynamic shared memory, bytes.
    pub(crate) shared_bytes: u32,
    /// Constant byte strings of the module and their addresses, for the texts of assertions.
    pub(crate) strings: Vec<(u64, Vec<u8>)>,
}

/// Which warp of which block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WarpPlace {
    /// The block, x y z.
    pub(crate) block: [u32; 3],
    /// The warp in the block.
    pub(crate) warp: u32,
}

impl Frame {
    /// A frame for a function; every register 0, constants filled, special registers not.
    pub(crate) fn new(program: &Program, function: u32, values: &LaunchValues) -> Self {
        let decoded = &program.functions[function as usize];
        let rows = &decoded.rows;
        let n_words = rows.n_word_registers as usize + rows.word_fills.len();
        let n_longs = rows.n_long_registers as usize + rows.long_fills.len();
        let mut predicates = vec![0; rows.n_predicates as usize];
        predicates[0] = u32::MAX;
        let registers = Registers {
            words: vec![[0; LANES]; n_words],
            longs: vec![[0; LANES]; n_longs],
            predicates,
        };
        let parameters = vec![[0; LANES]; decoded.frame.parameter_bytes.div_ceil(4) as usize];
        let mut frame = Self {
            registers,
            function,
            parent: NONE,
            return_join: NONE,
            call_pc: 0,
            depth: 0,
            local_base: 0,
            parameters,
        };
        frame.fill(rows, |fill| values.constant(fill).map(|value| [value; LANES]));
        frame
    }

    /// Zeroes the registers, so that what a block computes depends on nothing before it.
    pub(crate) fn clear(&mut self, rows: &Rows) {
        self.registers.words[..rows.n_word_registers as usize].fill([0; LANES]);
        self.registers.longs[..rows.n_long_registers as usize].fill([0; LANES]);
        self.registers.predicates[1..].fill(0);
    }

    /// Fills the rows that depend on the thread, the block or the stack.
    pub(crate) fn fill_place(&mut self, rows: &Rows, values: &LaunchValues, place: WarpPlace) {
        let base = self.local_base;
        self.fill(rows, |fill| match fill {
            Fill::Special(register) => Some(values.special(register, place)),
            Fill::Stack(offset) => Some([base.wrapping_add(offset as u64); LANES]),
            _ => None,
        });
    }

    fn fill(&mut self, rows: &Rows, value: impl Fn(Fill) -> Option<[u64; LANES]>) {
        let first = rows.n_word_registers as usize;
        for (row, fill) in self.registers.words[first..].iter_mut().zip(&rows.word_fills) {
            if let Some(values) = value(*fill) {
                *row = values.map(|value| value as u32);
            }
        }
        let first = rows.n_long_registers as usize;
        for (row, fill) in self.registers.longs[first..].iter_mut().zip(&rows.long_fills) {
            if let Some(values) = value(*fill) {
                *row = values;
            }
        }
    }
}

impl LaunchValues {
    /// Blocks of a cluster, 1 without clusters.
    pub(crate) fn cluster_blocks(&self) -> u64 {
        self.cluster.iter().map(|&extent| u64::from(extent)).product()
    }

    /// The text at an address, up to its zero.
    pub(crate) fn text_at(&self, address: u64) -> Option<String> {
        let (start, bytes) = self
            .strings
            .iter()
            .find(|(start, bytes)| (*start..*start + bytes.len() as u64).contains(&address))?;
        let text = bytes.get((address - start) as usize..)?;
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        Some(String::from_utf8_lossy(&text[..end]).into_owned())
    }

    /// The value of a fill that is alike in every thread of the launch.
    fn constant(&self, fill: Fill) -> Option<u64> {
        match fill {
            Fill::Constant(value) => Some(value),
            Fill::Variable { global, addend } => {
                let address = self.variables.get(global as usize).copied().unwrap_or(0);
                Some(address.wrapping_add(addend as u64))
            }
            Fill::Parameter { offset, width, signed } => {
                let start = offset as usize;
                let bytes = self.parameters.get(start..start + width as usize).unwrap_or(&[]);
                let mut wide = [0; 8];
                wide[..bytes.len()].copy_from_slice(bytes);
                let value = u64::from_le_bytes(wide);
                let shift = 64 - 8 * width.clamp(1, 8);
                let extended = ((value << shift) as i64 >> shift) as u64;
                Some(if signed { extended } else { value })
            }
            Fill::Stack(_) | Fill::Special(_) => None,
        }
    }

    /// The lanes of a special register.
    fn special(&self, register: SpecialRegister, place: WarpPlace) -> [u64; LANES] {
        use SpecialRegister as S;
        let [bx, by, _] = self.launch.block;
        let thread = |lane: usize| place.warp * 32 + lane as u32;
        let by_lane = |f: &dyn Fn(u32) -> u32| lanes(|lane| u64::from(f(lane as u32)));
        let warps = self.launch.threads_per_block().div_ceil(32);
        let all = |value: u32| [u64::from(value); LANES];
        match register {
            S::TidX => lanes(|lane| u64::from(thread(lane) % bx)),
            S::TidY => lanes(|lane| u64::from(thread(lane) / bx % by)),
            S::TidZ => lanes(|lane| u64::from(thread(lane) / bx / by)),
            S::NtidX => all(bx),
            S::NtidY => all(by),
            S::NtidZ => all(self.launch.block[2]),
            S::CtaidX => all(place.block[0]),
            S::CtaidY => all(place.block[1]),
            S::CtaidZ => all(place.block[2]),
            S::NctaidX => all(self.launch.grid[0]),
            S::NctaidY => all(self.launch.grid[1]),
            S::NctaidZ => all(self.launch.grid[2]),
            S::Laneid => by_lane(&|lane| lane),
            S::Warpid => all(place.warp),
            S::Nwarpid => all(warps as u32),
            S::Nsmid => all(1),
            S::LanemaskEq => by_lane(&|lane| 1 << lane),
            S::LanemaskLt => by_lane(&|lane| (1 << lane) - 1),
            S::LanemaskLe => by_lane(&|lane| u32::MAX >> (31 - lane)),
            S::LanemaskGt => by_lane(&|lane| !(u32::MAX >> (31 - lane))),
            S::LanemaskGe => by_lane(&|lane| u32::MAX << lane),
            S::TotalSmemSize | S::AggrSmemSize => all(self.shared_bytes),
            S::DynamicSmemSize => all(self.launch.shared_memory_bytes),
            other => all(self.cluster_special(other, place.block)),
        }
    }

    /// The special registers that place a block in its cluster; 0 for those with no meaning here.
    fn cluster_special(&self, register: SpecialRegister, block: [u32; 3]) -> u32 {
        use SpecialRegister as S;
        let [x, y, z] = self.cluster;
        let id = |axis: usize| block[axis] / self.cluster[axis];
        let count = |axis: usize| self.launch.grid[axis] / self.cluster[axis];
        let inside = |axis: usize| block[axis] % self.cluster[axis];
        match register {
            S::ClusteridX => id(0),
            S::ClusteridY => id(1),
            S::ClusteridZ => id(2),
            S::NclusteridX => count(0),
            S::NclusteridY => count(1),
            S::NclusteridZ => count(2),
            S::ClusterCtaidX => inside(0),
            S::ClusterCtaidY => inside(1),
            S::ClusterCtaidZ => inside(2),
            S::ClusterNctaidX => x,
            S::ClusterNctaidY => y,
            S::ClusterNctaidZ => z,
            S::ClusterCtarank => inside(0) + x * (inside(1) + y * inside(2)),
            S::ClusterNctarank => x * y * z,
            S::IsExplicitCluster => u32::from(self.is_explicit_cluster),
            _ => 0,
        }
    }
}
