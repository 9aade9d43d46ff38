//! Reading and writing tensors: from a place to an address, in accesses as wide as are aligned.

use cubecl_ir::{Arithmetic, Builtin, ConstantValue, Variable};
use ridge_spec::kernel::TensorSpec;
use ridge_spec::outcome::Rejection;

use super::code::{COUNT, POSITION, position, vector_type};
use super::kernel::{Coordinate, Kernel, Key, Place, Plain, Scalar, Value, element_type};
use super::refused;
use super::schedule::Hold;

/// Widest access of one thread, bytes.
const ACCESS_BYTES_MAX: u64 = 16;

/// Where a vector begins, in elements: a sum of terms.
struct Address {
    /// Variables with what they are multiplied by: a number and other variables.
    terms: Vec<(Variable, u64, Vec<Variable>)>,
    constant: i64,
    lanes: Lanes,
}

/// How the lanes of a vector lie.
enum Lanes {
    /// All read the same element.
    Same,
    /// One behind the other, from the vector's width times the variable.
    Contiguous(Option<Variable>),
    /// Anywhere: what each adds, in elements.
    Scattered(Vec<Variable>),
}

/// A coordinate with what lies behind its axes in memory.
struct Step {
    coordinate: Coordinate,
    stride: u64,
    dynamic: Vec<Variable>,
}

impl Kernel<'_> {
    /// The elements of an input at a place.
    pub(super) fn load(&mut self, name: &str, key: Key, place: &Place) -> Result<Value, Rejection> {
        let tensor = self.tensor(name)?;
        let address = self.address(&tensor, place)?;
        let size = tensor.dtype.size_bytes();
        match &address.lanes {
            Lanes::Same => {
                let index = self.index_of(&address, 1, 0);
                let view = self.view(name, 1, false)?;
                let element = self.code.element(view, index, element_type(view));
                Ok(Value::One(Scalar::Emitted(element)))
            }
            Lanes::Scattered(offsets) => {
                let offsets = offsets.clone();
                let base = self.index_of(&address, 1, 0);
                let view = self.view(name, 1, false)?;
                let mut lanes = Vec::with_capacity(offsets.len());
                for offset in offsets {
                    let index = self.code.binary(Arithmetic::Add, base, offset);
                    let element = self.code.element(view, index, element_type(view));
                    lanes.push(Scalar::Emitted(element));
                }
                Ok(Value::Lanes(lanes))
            }
            Lanes::Contiguous(_) => {
                let chunk = self.chunk(&address, size);
                let key = (name.to_owned(), key);
                let found = self.loads.iter().rev().find_map(|frame| frame.get(&key)).cloned();
                let vectors = match found {
                    Some(vectors) => vectors,
                    None => self.load_vectors(&key, &address, chunk)?,
                };
                Ok(Value::Lanes(self.lanes_of(&vectors, chunk)))
            }
        }
    }

    fn tensor(&self, name: &str) -> Result<TensorSpec, Rejection> {
        let tensor = self.instance.tensor(name).cloned();
        tensor.ok_or_else(|| refused(&format!("there is no tensor `{name}`")))
    }

    /// Splits vectors into their elements.
    fn lanes_of(&mut self, vectors: &[Variable], chunk: usize) -> Vec<Scalar> {
        let mut lanes = Vec::with_capacity(self.width);
        for &vector in vectors {
            if chunk == 1 {
                lanes.push(Scalar::Emitted(vector));
                continue;
            }
            for lane in 0..chunk {
                let index = super::code::count(lane);
                let element = self.code.element(vector, index, element_type(vector));
                lanes.push(Scalar::Emitted(element));
            }
        }
        lanes
    }

    /// The vectors of a contiguous address, from where they are.
    fn load_vectors(
        &mut self,
        key: &(String, Key),
        address: &Address,
        chunk: usize,
    ) -> Result<Vec<Variable>, Rejection> {
        let name = key.0.as_str();
        let waits =
            self.schedule.hold == Hold::Shared && self.held.contains(name) && self.n_branches == 0;
        let view = self.view(name, chunk, false)?;
        let shared = if waits { self.shared_row(key, address, chunk) } else { None };
        let mut vectors = Vec::new();
        for at in 0..self.width / chunk {
            let vector = match shared {
                Some((row, first, true)) => {
                    let index = self.plus(first, i64::try_from(at).unwrap_or(0));
                    self.keep(row, index)
                }
                Some((row, first, false)) => {
                    let index = self.index_of(address, chunk, at);
                    let vector = self.keep(view, index);
                    let index = self.plus(first, i64::try_from(at).unwrap_or(0));
                    self.code.store(row, index, vector);
                    vector
                }
                None => {
                    let index = self.index_of(address, chunk, at);
                    self.keep(view, index)
                }
            };
            vectors.push(vector);
        }
        let frame = match self.guard {
            Some((_, frame)) if self.n_branches == 0 => frame,
            _ => self.loads.len() - 1,
        };
        self.loads[frame].insert(key.clone(), vectors.clone());
        Ok(vectors)
    }

    /// An element of an array, seen outside the guard that it is loaded behind.
    fn keep(&mut self, list: Variable, index: Variable) -> Variable {
        match self.guard {
            Some((depth, _)) if self.n_branches == 0 => {
                let out = self.code.mutable(depth, list.ty);
                self.code.element_into(out, list, index);
                out
            }
            _ => self.code.element(list, index, list.ty),
        }
    }

    /// Where a vector waits in shared memory between sweeps: the array, the index of its first
    /// part, and whether it is there already.
    fn shared_row(
        &mut self,
        key: &(String, Key),
        address: &Address,
        chunk: usize,
    ) -> Option<(Variable, Variable, bool)> {
        let Lanes::Contiguous(Some(variable)) = address.lanes else { return None };
        let vectors = usize::try_from(self.schedule.vectors()?).ok()?;
        let rows = usize::try_from(self.schedule.rows_per_block).ok()?;
        let parts = self.width / chunk;
        let elem = self.tensor(&key.0).ok().map(|tensor| super::kernel::elem(tensor.dtype))?;
        // One array for each part of the row, whatever the thread and slot.
        let place = key
            .1
            .1
            .iter()
            .map(|(axis, _, offset, lanes)| (axis.clone(), None, *offset, lanes.clone()));
        let id = (key.0.clone(), (key.1.0, place.collect()));
        let row = match self.shared_rows.get(&id) {
            Some(&row) => row,
            None => {
                let row = self.code.shared(vector_type(elem, chunk), rows * vectors * parts);
                self.shared_rows.insert(id.clone(), row);
                row
            }
        };
        let own = self.code.cast(variable, COUNT);
        let own = if rows > 1 {
            let y = Variable::builtin(Builtin::UnitPosY, COUNT.into());
            let before = self.scaled(y, vectors as u64);
            self.code.binary(Arithmetic::Add, before, own)
        } else {
            own
        };
        let first = self.scaled(own, parts as u64);
        let is_ready = self.shared_ready.contains(&id);
        if !is_ready {
            self.shared_new.insert(id);
        }
        Some((row, first, is_ready))
    }

    /// Writes an output at a place.
    pub(super) fn write(
        &mut self,
        name: &str,
        place: &Place,
        value: &Value,
    ) -> Result<(), Rejection> {
        let tensor = self.tensor(name)?;
        let address = self.address(&tensor, place)?;
        let n_lanes = match address.lanes {
            Lanes::Same => 1,
            Lanes::Contiguous(_) => self.width,
            Lanes::Scattered(_) => return Err(refused("an output is written out of order")),
        };
        let chunk = if n_lanes == 1 { 1 } else { self.chunk(&address, tensor.dtype.size_bytes()) };
        let elem = super::kernel::elem(tensor.dtype);
        let view = self.view(name, chunk, true)?;
        for at in 0..n_lanes / chunk {
            let mut parts = Vec::with_capacity(chunk);
            for lane in 0..chunk {
                let rounded = self.rounded(value.lane(at * chunk + lane), tensor.dtype);
                parts.push(self.typed(rounded, elem));
            }
            let vector = self.code.vector(parts, elem);
            let index = self.index_of(&address, chunk, at);
            self.code.store(view, index, vector);
        }
        Ok(())
    }

    /// Elements of one access: as many as are aligned.
    fn chunk(&self, address: &Address, size: u64) -> usize {
        let width = self.width as u64;
        let mut chunk = width.min(ACCESS_BYTES_MAX / size).max(1);
        let fits = |chunk: u64| {
            let whole = i64::try_from(chunk).unwrap_or(1);
            width.is_multiple_of(chunk)
                && address.constant.rem_euclid(whole) == 0
                && address.terms.iter().all(|(_, factor, _)| factor.is_multiple_of(chunk))
        };
        while !fits(chunk) {
            chunk /= 2;
        }
        usize::try_from(chunk).unwrap_or(1)
    }

    /// The index of access number `at` of a vector, in accesses of `chunk` elements.
    fn index_of(&mut self, address: &Address, chunk: usize, at: usize) -> Variable {
        let unit = chunk as u64;
        let mut sum: Option<Variable> = None;
        let mut terms = address.terms.clone();
        if let Lanes::Contiguous(Some(variable)) = address.lanes {
            terms.push((variable, self.width as u64, Vec::new()));
        }
        for (variable, factor, dynamic) in terms {
            let mut term = self.position_of(variable);
            for factor in dynamic {
                let factor = self.position_of(factor);
                term = self.code.binary(Arithmetic::Mul, term, factor);
            }
            term = self.scaled(term, factor / unit);
            sum = Some(match sum {
                None => term,
                Some(sum) => self.code.binary(Arithmetic::Add, sum, term),
            });
        }
        let whole = i64::try_from(unit).unwrap_or(1);
        let constant = address.constant.div_euclid(whole) + i64::try_from(at).unwrap_or(0);
        match sum {
            None => position(u64::try_from(constant).unwrap_or(0)),
            Some(sum) => self.plus(sum, constant),
        }
    }

    /// From a place to an address.
    fn address(&mut self, tensor: &TensorSpec, place: &Place) -> Result<Address, Rejection> {
        let mut address = Address { terms: Vec::new(), constant: 0, lanes: Lanes::Same };
        for step in self.steps(tensor, place)? {
            let Step { coordinate, stride, dynamic } = step;
            match coordinate {
                Coordinate::Affine { variable, offset, lanes: true, .. }
                    if stride == 1 && dynamic.is_empty() =>
                {
                    address.lanes = Lanes::Contiguous(variable);
                    address.constant += offset;
                }
                Coordinate::Affine { variable, offset, lanes: false, .. } => {
                    let Some(variable) = variable else {
                        if dynamic.is_empty() {
                            address.constant += offset * signed(stride);
                        } else {
                            let at = Variable::constant(ConstantValue::Int(offset), POSITION);
                            address.terms.push((at, stride, dynamic));
                        }
                        continue;
                    };
                    if dynamic.is_empty() {
                        address.constant += offset * signed(stride);
                        address.terms.push((variable, stride, dynamic));
                    } else {
                        let at = self.position_of(variable);
                        let at = self.plus(at, offset);
                        address.terms.push((at, stride, dynamic));
                    }
                }
                Coordinate::Affine { variable, offset, .. } => {
                    let lanes = (0..self.width).map(|lane| {
                        let offset = offset + i64::try_from(lane).unwrap_or(0);
                        match variable {
                            Some(variable) => {
                                let own = self.scaled(variable, self.width as u64);
                                self.plus(own, offset)
                            }
                            None => position(u64::try_from(offset).unwrap_or(0)),
                        }
                    });
                    let lanes = lanes.collect();
                    self.scatter(&mut address, lanes, stride, &dynamic)?;
                }
                Coordinate::Each(lanes) => self.scatter(&mut address, lanes, stride, &dynamic)?,
            }
        }
        Ok(address)
    }

    /// Adds what differs from lane to lane.
    fn scatter(
        &mut self,
        address: &mut Address,
        lanes: Vec<Variable>,
        stride: u64,
        dynamic: &[Variable],
    ) -> Result<(), Rejection> {
        let mut offsets = Vec::with_capacity(lanes.len());
        for lane in lanes {
            let mut offset = self.scaled(lane, stride);
            for &factor in dynamic {
                let factor = self.position_of(factor);
                offset = self.code.binary(Arithmetic::Mul, offset, factor);
            }
            offsets.push(offset);
        }
        let before = std::mem::replace(&mut address.lanes, Lanes::Same);
        let before = match before {
            Lanes::Same => None,
            Lanes::Scattered(before) => Some(before),
            Lanes::Contiguous(variable) => {
                let first = variable.map(|variable| self.scaled(variable, self.width as u64));
                let first = first.unwrap_or_else(|| position(0));
                let lanes = 0..i64::try_from(self.width).unwrap_or(0);
                Some(lanes.map(|lane| self.plus(first, lane)).collect())
            }
        };
        if let Some(before) = before {
            for (offset, before) in offsets.iter_mut().zip(before) {
                *offset = self.code.binary(Arithmetic::Add, before, *offset);
            }
        }
        address.lanes = Lanes::Scattered(offsets);
        Ok(())
    }

    /// The coordinates of a tensor's axes with their strides; axes that are all at their plain
    /// places count as one.
    fn steps(&self, tensor: &TensorSpec, place: &Place) -> Result<Vec<Step>, Rejection> {
        let axes = &tensor.axes;
        let mut steps = Vec::new();
        let (mut stride, mut dynamic) = (1_u64, Vec::new());
        let mut end = axes.len();
        while end > 0 {
            let plain = [&self.plain_inner, &self.plain_rows].into_iter().flatten();
            let together = plain
                .filter(|plain| is_at(plain, &axes[..end], place))
                .max_by_key(|plain| plain.axes.len());
            let (start, coordinate) = match together {
                Some(plain) => {
                    let lanes = plain.coordinates.iter().any(|coordinate| {
                        matches!(coordinate, Coordinate::Affine { lanes: true, .. })
                    });
                    let variable = Some(plain.variable);
                    let span = u64::MAX;
                    let one = Coordinate::Affine { variable, offset: 0, lanes, span };
                    (end - plain.axes.len(), one)
                }
                None => {
                    let axis = &axes[end - 1];
                    let coordinate = place.get(axis).cloned();
                    let coordinate = coordinate.ok_or_else(|| {
                        refused(&format!("no place along `{axis}` of `{}` is known", tensor.name))
                    })?;
                    (end - 1, coordinate)
                }
            };
            steps.push(Step { coordinate, stride, dynamic: dynamic.clone() });
            for axis in &axes[start..end] {
                match (self.extents.find(axis), self.dynamic.get(axis)) {
                    (Some(extent), _) => stride = stride.saturating_mul(extent),
                    (None, Some(&variable)) => dynamic.push(variable),
                    (None, None) => return Err(refused(&format!("`{axis}` has no extent"))),
                }
            }
            end = start;
        }
        steps.reverse();
        Ok(steps)
    }
}

/// Whether axes end with these, each at its plain place.
fn is_at(plain: &Plain, axes: &[String], place: &Place) -> bool {
    axes.ends_with(&plain.axes)
        && plain.axes.iter().zip(&plain.coordinates).all(|(axis, at)| place.get(axis) == Some(at))
}

fn signed(stride: u64) -> i64 {
    i64::try_from(stride).unwrap_or(i64::MAX)
}
