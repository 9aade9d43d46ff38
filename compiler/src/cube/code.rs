//! Writing CubeCL IR: scopes, locals and instructions.

use cubecl_ir::{
    Arithmetic, BinaryOperator, Branch, Builtin, Comparison, ConstantValue, ElemType, FastMath,
    FloatKind, If, IfElse, IndexAssignOperator, IndexOperator, Instruction, IntKind, Operation,
    Operator, Plane, RangeLoop, Scope, Select, Synchronization, Type, UIntKind, UnaryOperator,
    Variable, VariableKind, VectorInitOperator,
};

/// Unsigned 64-bit: positions in memory.
pub(super) const POSITION: ElemType = ElemType::UInt(UIntKind::U64);
/// Unsigned 32-bit: threads, blocks and rows.
pub(super) const COUNT: ElemType = ElemType::UInt(UIntKind::U32);
/// Signed 64-bit: whole numbers of the math.
pub(super) const INTEGER: ElemType = ElemType::Int(IntKind::I64);
/// Binary32.
pub(super) const SINGLE: ElemType = ElemType::Float(FloatKind::F32);

/// A number that the hardware gives each thread.
pub(super) fn builtin(which: Builtin) -> Variable {
    Variable::builtin(which, COUNT.into())
}

/// A kernel's body while it is written: the innermost scope is written to.
pub(super) struct Code {
    scopes: Vec<Scope>,
}

impl Code {
    pub(super) fn new() -> Self {
        // Not through `KernelBuilder`: that one reads configuration files.
        Self { scopes: vec![Scope::root(false)] }
    }

    /// The finished body.
    pub(super) fn finish(mut self) -> Scope {
        assert_eq!(self.scopes.len(), 1, "every scope that was opened is closed");
        self.scopes.remove(0)
    }

    /// How many scopes are open.
    pub(super) fn depth(&self) -> usize {
        self.scopes.len()
    }

    fn top(&mut self) -> &mut Scope {
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// Begins a scope within the innermost one.
    pub(super) fn open(&mut self) {
        let child = self.top().child();
        self.scopes.push(child);
    }

    fn close(&mut self) -> Scope {
        assert!(self.scopes.len() > 1, "the root is never closed");
        self.scopes.remove(self.scopes.len() - 1)
    }

    /// Ends the scope, whose code runs where `condition` holds.
    pub(super) fn close_if(&mut self, condition: Variable) {
        let scope = self.close();
        self.register(Branch::If(Box::new(If { cond: condition, scope })));
    }

    /// Ends two scopes, the second for where `condition` does not hold.
    pub(super) fn close_if_else(&mut self, condition: Variable) {
        let scope_else = self.close();
        let scope_if = self.close();
        let branch = IfElse { cond: condition, scope_if, scope_else };
        self.register(Branch::IfElse(Box::new(branch)));
    }

    /// Ends the scope of a branch that another follows, keeping it for [`Self::close_if_else`].
    pub(super) fn open_else(&mut self) {
        // The second branch is a child of what the first is a child of.
        let at = self.scopes.len() - 2;
        let child = self.scopes[at].child();
        self.scopes.push(child);
    }

    /// Ends the scope, which is run for `i` from `start` below `end` by `step`.
    pub(super) fn close_loop(
        &mut self,
        i: Variable,
        start: Variable,
        end: Variable,
        step: Variable,
    ) {
        let scope = self.close();
        let range = RangeLoop { i, start, end, step: Some(step), inclusive: false, scope };
        self.register(Branch::RangeLoop(Box::new(range)));
    }

    fn register(&mut self, instruction: impl Into<Instruction>) {
        self.top().register(instruction);
    }

    /// A name that is given a value once.
    pub(super) fn local(&mut self, ty: impl Into<Type>) -> Variable {
        *self.top().create_local(ty.into())
    }

    /// A variable that a loop counts with.
    pub(super) fn counter(&mut self) -> Variable {
        *self.top().create_local_restricted(COUNT.into())
    }

    /// A variable that may change, declared where the scope at `depth` begins.
    pub(super) fn mutable(&mut self, depth: usize, ty: impl Into<Type>) -> Variable {
        let scope = &mut self.scopes[depth - 1];
        // Not from the allocator's pool: that hands them out in the order of a hash map.
        let variable = *scope.create_local_restricted(ty.into());
        scope.add_local_mut(variable);
        variable
    }

    /// An array in the block's shared memory.
    pub(super) fn shared(&mut self, ty: impl Into<Type>, length: usize) -> Variable {
        *self.top().create_shared_array(ty.into(), length, Some(16))
    }

    /// An operation with a value.
    pub(super) fn emit(
        &mut self,
        operation: impl Into<Operation>,
        ty: impl Into<Type>,
    ) -> Variable {
        let out = self.local(ty);
        self.register(Instruction::new(operation, out));
        out
    }

    /// Puts a value into a variable that may change.
    pub(super) fn assign(&mut self, out: Variable, value: Variable) {
        self.register(Instruction::new(Operation::Copy(value), out));
    }

    /// A value under a name of its own.
    pub(super) fn copy(&mut self, value: Variable) -> Variable {
        self.emit(Operation::Copy(value), value.ty)
    }

    /// A value as another type.
    pub(super) fn cast(&mut self, input: Variable, ty: ElemType) -> Variable {
        if input.ty == Type::from(ty) {
            return input;
        }
        if let VariableKind::Constant(value) = input.kind
            && ty != ElemType::Bool
        {
            return Variable::constant(value, ty);
        }
        self.emit(Operator::Cast(UnaryOperator { input }), ty)
    }

    pub(super) fn unary(
        &mut self,
        function: fn(UnaryOperator) -> Arithmetic,
        input: Variable,
    ) -> Variable {
        self.emit(function(UnaryOperator { input }), input.ty)
    }

    pub(super) fn binary(
        &mut self,
        function: fn(BinaryOperator) -> Arithmetic,
        lhs: Variable,
        rhs: Variable,
    ) -> Variable {
        self.emit(function(BinaryOperator { lhs, rhs }), lhs.ty)
    }

    pub(super) fn compare(
        &mut self,
        function: fn(BinaryOperator) -> Comparison,
        lhs: Variable,
        rhs: Variable,
    ) -> Variable {
        self.emit(function(BinaryOperator { lhs, rhs }), ElemType::Bool)
    }

    pub(super) fn both(&mut self, lhs: Variable, rhs: Variable) -> Variable {
        self.emit(Operator::And(BinaryOperator { lhs, rhs }), ElemType::Bool)
    }

    pub(super) fn either(&mut self, lhs: Variable, rhs: Variable) -> Variable {
        self.emit(Operator::Or(BinaryOperator { lhs, rhs }), ElemType::Bool)
    }

    pub(super) fn not(&mut self, input: Variable) -> Variable {
        self.emit(Operator::Not(UnaryOperator { input }), ElemType::Bool)
    }

    pub(super) fn select(&mut self, cond: Variable, then: Variable, or_else: Variable) -> Variable {
        self.emit(Operator::Select(Select { cond, then, or_else }), then.ty)
    }

    /// An element of an array or a vector.
    pub(super) fn element(&mut self, list: Variable, index: Variable, ty: Type) -> Variable {
        let operator = IndexOperator { list, index, vector_size: 0, unroll_factor: 1 };
        self.emit(Operator::UncheckedIndex(operator), ty)
    }

    /// Puts an element of an array into a variable that may change.
    pub(super) fn element_into(&mut self, out: Variable, list: Variable, index: Variable) {
        let operator = IndexOperator { list, index, vector_size: 0, unroll_factor: 1 };
        self.register(Instruction::new(Operator::UncheckedIndex(operator), out));
    }

    /// Writes an element of an array.
    pub(super) fn store(&mut self, list: Variable, index: Variable, value: Variable) {
        let operator = IndexAssignOperator { index, value, vector_size: 0, unroll_factor: 1 };
        self.register(Instruction::new(Operator::UncheckedIndexAssign(operator), list));
    }

    /// A vector of elements of one type.
    pub(super) fn vector(&mut self, inputs: Vec<Variable>, elem: ElemType) -> Variable {
        let ty = vector_type(elem, inputs.len());
        if let [only] = inputs[..] {
            return only;
        }
        self.emit(Operator::InitVector(VectorInitOperator { inputs }), ty)
    }

    /// The value of the thread whose place in the warp differs by the bits of `mask`.
    pub(super) fn exchange(&mut self, value: Variable, mask: usize) -> Variable {
        let operator = BinaryOperator { lhs: value, rhs: count(mask) };
        self.emit(Plane::ShuffleXor(operator), value.ty)
    }

    /// Waits for every thread of the block.
    pub(super) fn barrier(&mut self) {
        self.register(Synchronization::SyncCube);
    }

    /// Whether what follows may use the hardware's approximations.
    pub(super) fn approximate(&mut self, on: bool) {
        let modes = self.top().modes.clone();
        modes.borrow_mut().fp_math_mode =
            if on { FastMath::all() } else { cubecl_ir::InstructionModes::default().fp_math_mode };
    }
}

/// The type of a vector, which is an element's for one.
pub(super) fn vector_type(elem: ElemType, width: usize) -> Type {
    let scalar = Type::from(elem);
    if width > 1 { scalar.with_vector_size(width) } else { scalar }
}

/// A number of threads, blocks or rows.
pub(super) fn count(value: usize) -> Variable {
    Variable::constant(ConstantValue::UInt(value as u64), COUNT)
}

/// A position in memory.
pub(super) fn position(value: u64) -> Variable {
    Variable::constant(ConstantValue::UInt(value), POSITION)
}
