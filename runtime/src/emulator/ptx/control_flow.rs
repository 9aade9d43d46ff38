//! Control flow of a function: basic blocks, reconvergence points, natural loops.
//!
//! Nodes are basic blocks and one exit. Two questions are answered:
//!
//! - *Where do lanes that diverge at a branch meet again?* The immediate post-dominator, computed
//!   on the reversed graph. Edges by which some lanes merely leave (`@p ret`, a branch to a bare
//!   `ret`) are left out when the block has another successor: lanes that are gone need no waiting
//!   for, and ptxas takes them out of its convergence barriers too. Without that, one early return
//!   inside an `if` would keep the warp split to the end of the kernel. A region that never reaches
//!   the exit gets one edge to it, from its last block, so that branches in it reconverge.
//! - *Which loop is this?* A back edge goes to a block that dominates its source.

use petgraph::algo::dominators::{self, Dominators};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::instruction::{Instruction, Operand};
use super::modifier::Modifier;
use super::module::Function;
use super::opcode::Opcode;

/// A maximal run of instructions entered at its first and left at its last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// First instruction.
    pub start: u32,
    /// One past the last instruction; blocks are never empty.
    pub end: u32,
    /// Blocks control may go to next, each once: the taken ones first, the one that follows last.
    pub successors: Vec<u32>,
    /// Whether control may leave the function at the end of the block.
    pub exits: bool,
}

/// Where lanes meet again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconvergence {
    /// Before this instruction.
    Instruction(u32),
    /// Only when they have left the function.
    Exit,
}

/// A branch that can send the lanes of a warp to different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// The branch instruction.
    pub instruction: u32,
    /// Where its lanes meet again.
    pub reconvergence: Reconvergence,
}

/// A natural loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loop {
    /// First instruction of the block every iteration begins with.
    pub header: u32,
    /// The branches that start another iteration, ascending.
    pub back_edges: Vec<u32>,
    /// Blocks of the loop, ascending.
    pub blocks: Vec<u32>,
    /// Source file indices and lines the loop is known by: of the instructions that have a line in
    /// the author's files, the first that the fewest calls were inlined for, which is the loop's own
    /// and not one of what it calls. Then where that was called from, outwards; empty where no
    /// instruction has a line.
    pub lines: Vec<(u32, u32)>,
}

/// The control flow of one function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ControlFlow {
    /// Blocks, by ascending instruction.
    pub blocks: Vec<Block>,
    /// Branches that may diverge, by ascending instruction.
    pub branches: Vec<Branch>,
    /// Natural loops, by ascending header.
    pub loops: Vec<Loop>,
}

impl ControlFlow {
    /// Analyses a function.
    #[must_use]
    pub fn new(function: &Function) -> Self {
        let blocks = blocks(function);
        if blocks.is_empty() {
            return ControlFlow::default();
        }
        let branches = branches(function, &blocks);
        let loops = loops(function, &blocks);
        ControlFlow { blocks, branches, loops }
    }

    /// The block an instruction is in.
    #[must_use]
    pub fn block_of(&self, instruction: u32) -> Option<u32> {
        let position =
            self.blocks.partition_point(|block| block.start <= instruction).checked_sub(1)?;
        let inside = instruction < self.blocks[position].end;
        u32::try_from(position).ok().filter(|_| inside)
    }

    /// Where the lanes of a branch meet again; `None` for an instruction that cannot diverge.
    #[must_use]
    pub fn reconvergence(&self, instruction: u32) -> Option<Reconvergence> {
        let position =
            self.branches.binary_search_by_key(&instruction, |branch| branch.instruction).ok()?;
        Some(self.branches[position].reconvergence)
    }

    /// The innermost loop an instruction is in.
    #[must_use]
    pub fn loop_of(&self, instruction: u32) -> Option<&Loop> {
        let block = self.block_of(instruction)?;
        let holding = self.loops.iter().filter(|one| one.blocks.binary_search(&block).is_ok());
        holding.min_by_key(|one| one.blocks.len())
    }
}

/// Whether control never continues after the instruction in the same function.
fn leaves(instruction: &Instruction) -> bool {
    matches!(instruction.opcode, Opcode::Ret | Opcode::Exit | Opcode::Trap)
}

fn ends_block(instruction: &Instruction) -> bool {
    leaves(instruction) || matches!(instruction.opcode, Opcode::Bra | Opcode::Brx)
}

/// Instructions a branch may jump to.
fn targets(function: &Function, instruction: &Instruction) -> Vec<u32> {
    let mut found = Vec::new();
    if !matches!(instruction.opcode, Opcode::Bra | Opcode::Brx) {
        return found;
    }
    for operand in &instruction.operands {
        match operand {
            Operand::Label(target) => found.push(*target),
            Operand::BranchTable(index) => {
                if let Some(table) = function.branch_tables.get(*index as usize) {
                    found.extend(&table.targets);
                }
            }
            _ => {}
        }
    }
    found
}

fn index(value: usize) -> u32 {
    // Instruction counts are bounded by the length of the text, under 4 GiB.
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn blocks(function: &Function) -> Vec<Block> {
    let count = function.instructions.len();
    let mut is_leader = vec![false; count + 1];
    is_leader[0] = true;
    for (position, instruction) in function.instructions.iter().enumerate() {
        if ends_block(instruction) {
            is_leader[position + 1] = true;
        }
        for target in targets(function, instruction) {
            if let Some(slot) = is_leader.get_mut(target as usize) {
                *slot = true;
            }
        }
    }
    let starts: Vec<u32> = (0..count).filter(|at| is_leader[*at]).map(index).collect();
    let mut blocks = Vec::with_capacity(starts.len());
    for (position, start) in starts.iter().enumerate() {
        let end = starts.get(position + 1).copied().unwrap_or(index(count));
        let last = &function.instructions[end as usize - 1];
        let mut successors = Vec::new();
        let mut exits = leaves(last);
        for target in targets(function, last) {
            match starts.binary_search(&target) {
                Ok(block) if !successors.contains(&index(block)) => successors.push(index(block)),
                Ok(_) => {}
                // A label at the very end: falling off it leaves the function.
                Err(_) => exits = true,
            }
        }
        if !ends_block(last) || last.guard.is_some() {
            match starts.get(position + 1) {
                Some(_) if !successors.contains(&index(position + 1)) => {
                    successors.push(index(position + 1))
                }
                Some(_) => {}
                None => exits = true,
            }
        }
        blocks.push(Block { start: *start, end, successors, exits });
    }
    blocks
}

/// Whether every lane that enters the block is gone for good with nothing done that others could
/// wait for: a bare return, or a trap before which nothing is waited for.
fn only_leaves(function: &Function, block: &Block) -> bool {
    let instructions = &function.instructions[block.start as usize..block.end as usize];
    let Some(last) = instructions.last() else { return false };
    last.guard.is_none()
        && match last.opcode {
            Opcode::Ret | Opcode::Exit => block.end == block.start + 1,
            Opcode::Trap => !instructions.iter().any(waits_for_others),
            _ => false,
        }
}

/// Whether lanes or warps wait for each other at the instruction.
fn waits_for_others(instruction: &Instruction) -> bool {
    matches!(
        instruction.opcode,
        Opcode::Bar
            | Opcode::BarWarp
            | Opcode::Barrier
            | Opcode::BarrierCluster
            | Opcode::Elect
            | Opcode::Match
            | Opcode::Redux
            | Opcode::Shfl
            | Opcode::Vote
    )
}

fn branches(function: &Function, blocks: &[Block]) -> Vec<Branch> {
    let exit = blocks.len();
    let successors: Vec<Vec<usize>> =
        blocks.iter().map(|block| waiting_successors(function, blocks, block)).collect();
    let mut reversed = DiGraph::<(), ()>::with_capacity(exit + 1, exit * 2);
    for _ in 0..=exit {
        reversed.add_node(());
    }
    for (source, targets) in successors.iter().enumerate() {
        for target in targets {
            reversed.add_edge(NodeIndex::new(*target), NodeIndex::new(source), ());
        }
    }
    connect_endless(&mut reversed, &successors);
    let tree = dominators::simple_fast(&reversed, NodeIndex::new(exit));
    let mut found = Vec::new();
    for (position, block) in blocks.iter().enumerate() {
        let last = &function.instructions[block.end as usize - 1];
        let jumps = matches!(last.opcode, Opcode::Bra | Opcode::Brx) && !last.has(Modifier::Uni);
        let ways = block.successors.len() + usize::from(block.exits);
        if !jumps || ways < 2 {
            continue;
        }
        let meeting = tree.immediate_dominator(NodeIndex::new(position));
        let reconvergence = match meeting.and_then(|node| blocks.get(node.index())) {
            Some(block) => Reconvergence::Instruction(block.start),
            None => Reconvergence::Exit,
        };
        found.push(Branch { instruction: block.end - 1, reconvergence });
    }
    found
}

/// Successors lanes may wait for each other in: without the exit where another way is open.
fn waiting_successors(function: &Function, blocks: &[Block], block: &Block) -> Vec<usize> {
    let staying: Vec<usize> = block
        .successors
        .iter()
        .map(|successor| *successor as usize)
        .filter(|successor| !only_leaves(function, &blocks[*successor]))
        .collect();
    if !staying.is_empty() {
        return staying;
    }
    let mut all: Vec<usize> =
        block.successors.iter().map(|successor| *successor as usize).collect();
    if all.is_empty() {
        all.push(blocks.len());
    }
    all
}

/// Gives each region that cannot reach the exit an edge to it, from its last block.
fn connect_endless(reversed: &mut DiGraph<(), ()>, successors: &[Vec<usize>]) {
    let exit = NodeIndex::new(successors.len());
    let mut reaches = vec![false; successors.len() + 1];
    let mark = |reversed: &DiGraph<(), ()>, reaches: &mut Vec<bool>, from: NodeIndex| {
        let mut stack = vec![from];
        while let Some(node) = stack.pop() {
            if !std::mem::replace(&mut reaches[node.index()], true) {
                stack.extend(reversed.neighbors(node));
            }
        }
    };
    mark(reversed, &mut reaches, exit);
    if reaches.iter().all(|reached| *reached) {
        return;
    }
    // Components come in reverse topological order of the reversed graph; walking them backwards
    // meets the components that control ends up in first.
    for component in kosaraju_scc(&*reversed).into_iter().rev() {
        let last = component.iter().copied().max();
        if let Some(last) = last.filter(|last| !reaches[last.index()]) {
            reversed.add_edge(exit, last, ());
            mark(reversed, &mut reaches, last);
        }
    }
}

fn loops(function: &Function, blocks: &[Block]) -> Vec<Loop> {
    let mut forward = DiGraph::<(), ()>::with_capacity(blocks.len(), blocks.len() * 2);
    for _ in blocks {
        forward.add_node(());
    }
    for (source, block) in blocks.iter().enumerate() {
        for target in &block.successors {
            forward.add_edge(NodeIndex::new(source), NodeIndex::new(*target as usize), ());
        }
    }
    let spans = TreeSpans::new(&dominators::simple_fast(&forward, NodeIndex::new(0)), blocks.len());
    let mut found: Vec<Loop> = Vec::new();
    for (source, block) in blocks.iter().enumerate() {
        for target in &block.successors {
            if spans.dominates(*target as usize, source) {
                add_back_edge(&mut found, blocks, source, *target);
            }
        }
    }
    for one in &mut found {
        collect_loop(&forward, blocks, one);
        one.lines = lines_of(function, blocks, one);
    }
    found.sort_by_key(|one| one.header);
    found
}

/// For each node of a dominator tree, when a walk enters and leaves it: one node dominates another
/// exactly when its span holds the other's.
struct TreeSpans(Vec<(u32, u32)>);

impl TreeSpans {
    fn new(tree: &Dominators<NodeIndex>, count: usize) -> Self {
        let mut children = vec![Vec::new(); count];
        for node in 0..count {
            if let Some(parent) = tree.immediate_dominator(NodeIndex::new(node)) {
                children[parent.index()].push(node);
            }
        }
        let mut spans = vec![(u32::MAX, 0); count];
        let mut clock = 0;
        let mut stack = vec![(tree.root().index(), false)];
        while let Some((node, done)) = stack.pop() {
            if done {
                spans[node].1 = clock;
                continue;
            }
            spans[node].0 = clock;
            clock += 1;
            stack.push((node, true));
            stack.extend(children[node].iter().map(|child| (*child, false)));
        }
        TreeSpans(spans)
    }

    fn dominates(&self, above: usize, below: usize) -> bool {
        let (enter, leave) = self.0[above];
        let (inner, _) = self.0[below];
        enter <= inner && inner < leave
    }
}

fn add_back_edge(found: &mut Vec<Loop>, blocks: &[Block], source: usize, header: u32) {
    let start = blocks[header as usize].start;
    let branch = blocks[source].end - 1;
    match found.iter_mut().find(|one| one.header == start) {
        Some(known) => known.back_edges.push(branch),
        None => found.push(Loop {
            header: start,
            back_edges: vec![branch],
            blocks: Vec::new(),
            lines: Vec::new(),
        }),
    }
}

/// The blocks from which a back edge is reached without passing the header.
fn collect_loop(forward: &DiGraph<(), ()>, blocks: &[Block], one: &mut Loop) {
    let block_at =
        |instruction: u32| blocks.partition_point(|block| block.start <= instruction) - 1;
    let mut inside = vec![false; blocks.len()];
    inside[block_at(one.header)] = true;
    let mut stack: Vec<usize> = one.back_edges.iter().map(|branch| block_at(*branch)).collect();
    while let Some(block) = stack.pop() {
        if !std::mem::replace(&mut inside[block], true) {
            let before =
                forward.neighbors_directed(NodeIndex::new(block), petgraph::Direction::Incoming);
            stack.extend(before.map(NodeIndex::index));
        }
    }
    one.blocks = (0..blocks.len()).filter(|block| inside[*block]).map(index).collect();
}

fn lines_of(function: &Function, blocks: &[Block], one: &Loop) -> Vec<(u32, u32)> {
    let blocks = one.blocks.iter().map(|block| &blocks[*block as usize]);
    let chains = blocks
        .flat_map(|block| &function.instructions[block.start as usize..block.end as usize])
        .map(|instruction| function.own_chain(instruction).collect::<Vec<_>>());
    let shortest = chains.filter(|chain| !chain.is_empty()).min_by_key(Vec::len);
    shortest.unwrap_or_default().iter().map(|one| (one.file, one.line)).collect()
}
