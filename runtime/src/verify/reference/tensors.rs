//! Tensors of files and other processes, as expected values.

use std::sync::Arc;

use ridge_spec::dtype::Dtype;
use safetensors::Dtype as StoredDtype;

use super::super::compare::ExpectedValues;
use super::super::problem::TensorShape;
use super::ReferenceError;
use crate::numeric::codec::{decode_integer, decode_slice, element_size};

/// A tensor with its type and shape.
#[derive(Clone, Debug)]
pub(super) struct StoredTensor {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<u64>,
    pub(super) bytes: Vec<u8>,
}

/// Each dtype with its name in a safetensors file.
const STORED: [(Dtype, StoredDtype); 13] = [
    (Dtype::F64, StoredDtype::F64),
    (Dtype::F32, StoredDtype::F32),
    (Dtype::F16, StoredDtype::F16),
    (Dtype::Bf16, StoredDtype::BF16),
    (Dtype::F8e4m3, StoredDtype::F8_E4M3),
    (Dtype::F8e5m2, StoredDtype::F8_E5M2),
    (Dtype::I64, StoredDtype::I64),
    (Dtype::I32, StoredDtype::I32),
    (Dtype::I16, StoredDtype::I16),
    (Dtype::I8, StoredDtype::I8),
    (Dtype::U32, StoredDtype::U32),
    (Dtype::U8, StoredDtype::U8),
    (Dtype::Bool, StoredDtype::BOOL),
];

/// The dtype of a safetensors tensor; `None` for one that specs do not have.
pub(super) fn from_stored(dtype: StoredDtype) -> Option<Dtype> {
    STORED.iter().find(|(_, stored)| *stored == dtype).map(|(dtype, _)| *dtype)
}

/// The name of a dtype in a safetensors file.
pub(super) fn to_stored(dtype: Dtype) -> StoredDtype {
    STORED.iter().find(|(own, _)| *own == dtype).map_or(StoredDtype::U8, |(_, stored)| *stored)
}

impl StoredTensor {
    /// Whether it has the shape of a declared tensor.
    pub(super) fn check_shape(
        &self,
        from: &str,
        declared: &TensorShape,
    ) -> Result<(), ReferenceError> {
        let expected = declared.shape();
        let n: Option<usize> = declared.n_elements();
        let complete =
            n.and_then(|n| n.checked_mul(element_size(self.dtype))) == Some(self.bytes.len());
        if self.shape == expected && complete {
            return Ok(());
        }
        Err(ReferenceError::WrongShape {
            from: from.to_owned(),
            tensor: declared.name.clone(),
            got: self.shape.clone(),
            expected,
        })
    }

    /// Its values as those of an output: exact integers for an integer output.
    pub(super) fn expected(
        &self,
        from: &str,
        declared: &TensorShape,
    ) -> Result<ExpectedValues, ReferenceError> {
        self.check_shape(from, declared)?;
        if declared.dtype.is_float() {
            return Ok(ExpectedValues::Real(Arc::new(decode_slice(self.dtype, &self.bytes))));
        }
        let elements = self.bytes.chunks_exact(element_size(self.dtype));
        let integers: Option<Vec<i64>> = if self.dtype.is_float() {
            // Whole numbers that a binary64 holds exactly may stand for integers.
            let whole =
                |v: f64| (v == v.trunc() && v.abs() <= 2.0_f64.powi(53)).then_some(v as i64);
            decode_slice(self.dtype, &self.bytes).into_iter().map(whole).collect()
        } else {
            elements.map(|element| decode_integer(self.dtype, element)).collect()
        };
        let integers = integers.ok_or_else(|| ReferenceError::WrongType {
            from: from.to_owned(),
            tensor: declared.name.clone(),
            got: self.dtype.name().to_owned(),
            expected: declared.dtype,
        })?;
        Ok(ExpectedValues::Integer(Arc::new(integers)))
    }
}
