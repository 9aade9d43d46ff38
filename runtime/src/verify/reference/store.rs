//! What references returned, kept as safetensors with digests.

use std::path::{Path, PathBuf};

use ridge_spec::digest::Digest;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use super::ReferenceError;
use super::tensors::{StoredTensor, from_stored, to_stored};

/// The file of one result.
pub(super) struct Store {
    path: PathBuf,
    key: Digest,
}

impl Store {
    /// The result for a key, in a folder.
    pub(super) fn new(folder: &Path, key: Digest) -> Self {
        Self { path: folder.join(format!("{key}.safetensors")), key }
    }

    /// The result, where it is there and whole. One that is damaged counts as absent.
    pub(super) fn load(&self, names: &[&str]) -> Option<Vec<StoredTensor>> {
        let bytes = std::fs::read(&self.path).ok()?;
        let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
        let file = SafeTensors::deserialize(&bytes).ok()?;
        let tensors: Option<Vec<StoredTensor>> = names
            .iter()
            .map(|name| {
                let view = file.tensor(name).ok()?;
                let shape = view.shape().iter().map(|&length| length as u64).collect();
                let dtype = from_stored(view.dtype())?;
                Some(StoredTensor { dtype, shape, bytes: view.data().to_vec() })
            })
            .collect();
        let tensors = tensors?;
        let said = header.metadata().as_ref()?.get("digest")?;
        (*said == self.content(names, &tensors).to_string()).then_some(tensors)
    }

    /// Keeps a result: written beside its place, then moved there.
    pub(super) fn save(
        &self,
        names: &[&str],
        tensors: &[StoredTensor],
    ) -> Result<(), ReferenceError> {
        let fail = |reason: String| ReferenceError::File { path: self.path.clone(), reason };
        let views = names.iter().zip(tensors).map(|(name, tensor)| {
            let shape = tensor.shape.iter().map(|&length| length as usize).collect();
            TensorView::new(to_stored(tensor.dtype), shape, &tensor.bytes).map(|view| (*name, view))
        });
        let views: Vec<(&str, TensorView<'_>)> =
            views.collect::<Result<_, _>>().map_err(|error| fail(error.to_string()))?;
        let metadata = [
            ("key".to_owned(), self.key.to_string()),
            ("digest".to_owned(), self.content(names, tensors).to_string()),
        ];
        let bytes = safetensors::serialize(views, Some(metadata.into_iter().collect()))
            .map_err(|error| fail(error.to_string()))?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            let file = tempfile::NamedTempFile::new_in(folder)?;
            std::fs::write(file.path(), &bytes)?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(|error| fail(error.to_string()))
    }

    fn content(&self, names: &[&str], tensors: &[StoredTensor]) -> Digest {
        let parts =
            names.iter().zip(tensors).map(|(name, tensor)| (*name, tensor.bytes.as_slice()));
        let key = self.key.to_string();
        Digest::of_parts(std::iter::once(("key", key.as_bytes())).chain(parts))
    }
}
