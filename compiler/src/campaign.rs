//! The compiler as a campaign uses it: cache, pool, and no unit compiled twice.

use std::collections::{BTreeMap, VecDeque};

use ridge_spec::artifact::Artifact;
use ridge_spec::digest::Digest;
use ridge_spec::outcome::Rejection;

use crate::cache::{Cache, CacheError};
use crate::cuda::Unit;
use crate::pool::{Compilation, CompilePool, PoolConfig, PoolError};

/// Compiles units: from the cache where it can, by the pool where it must.
pub struct Compiler {
    cache: Option<Cache>,
    config: PoolConfig,
    /// Started by the first unit that is not cached.
    pool: Option<CompilePool>,
    ready: VecDeque<Finished>,
    /// Who waits for what is being compiled.
    waiting: BTreeMap<Digest, Vec<u64>>,
    /// Keys of what the pool works on, by the number it was given.
    submitted: Vec<Digest>,
    counts: Counts,
    cache_error: Option<CacheError>,
}

/// A finished unit.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What [`Compiler::submit`] was given.
    pub id: u64,
    /// The unit's key.
    pub key: Digest,
    /// The artifact, or why there is none.
    pub result: Result<Artifact, Rejection>,
}

/// How many units took which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered by the cache.
    pub cached: u64,
    /// Given to a worker.
    pub compiled: u64,
    /// Answered by a compilation that another unit had asked for.
    pub shared: u64,
}

impl Compiler {
    /// A compiler that starts no process before a unit needs one. Without a `cache` everything is
    /// compiled.
    pub fn new(config: PoolConfig, cache: Option<Cache>) -> Self {
        Self {
            cache,
            config,
            pool: None,
            ready: VecDeque::new(),
            waiting: BTreeMap::new(),
            submitted: Vec::new(),
            counts: Counts::default(),
            cache_error: None,
        }
    }

    /// Asks for a unit; its result comes from [`Compiler::recv`] with `id`.
    pub fn submit(&mut self, id: u64, unit: Unit) {
        let key = unit.key(&self.config.toolkit);
        if let Some(waiting) = self.waiting.get_mut(&key) {
            waiting.push(id);
            self.counts.shared += 1;
            return;
        }
        if let Some(result) = self.cache.as_ref().and_then(|cache| cache.get(key)) {
            self.counts.cached += 1;
            self.ready.push_back(Finished { id, key, result });
            return;
        }
        self.counts.compiled += 1;
        self.waiting.insert(key, vec![id]);
        let number = self.submitted.len() as u64;
        self.submitted.push(key);
        self.pool.get_or_insert_with(|| CompilePool::new(self.config.clone())).submit(number, unit);
    }

    /// Units asked for whose results have not been received.
    pub fn n_pending(&self) -> usize {
        self.ready.len() + self.waiting.values().map(Vec::len).sum::<usize>()
    }

    /// The next result, in the order they finish; waits for it. `None` where nothing is pending.
    ///
    /// # Errors
    /// [`PoolError`]: no candidate is at fault, and trying on makes no sense. A cache that cannot
    /// be written is not an error: see [`Compiler::cache_error`].
    pub fn recv(&mut self) -> Result<Option<Finished>, PoolError> {
        loop {
            if let Some(finished) = self.ready.pop_front() {
                return Ok(Some(finished));
            }
            let Some((number, compilation)) = self.pool.as_mut().and_then(CompilePool::recv) else {
                return Ok(None);
            };
            self.accept(number, compilation)?;
        }
    }

    /// The next result if there is one already.
    ///
    /// # Errors
    /// As [`Compiler::recv`].
    pub fn try_recv(&mut self) -> Result<Option<Finished>, PoolError> {
        while let Some((number, compilation)) = self.pool.as_mut().and_then(CompilePool::try_recv) {
            self.accept(number, compilation)?;
        }
        Ok(self.ready.pop_front())
    }

    /// Compiles one unit and waits for it; what else is pending stays so.
    ///
    /// # Errors
    /// As [`Compiler::recv`].
    pub fn compile(&mut self, unit: Unit) -> Result<Result<Artifact, Rejection>, PoolError> {
        let mut others = VecDeque::new();
        let key = unit.key(&self.config.toolkit);
        self.submit(u64::MAX, unit);
        let result = loop {
            match self.recv()? {
                Some(finished) if finished.id == u64::MAX && finished.key == key => {
                    break finished.result;
                }
                Some(other) => others.push_back(other),
                // It was submitted above, so it is pending until it has come.
                None => {
                    return Err(PoolError::Worker {
                        program: self.config.worker.program.display().to_string(),
                        message: "the pool has ended".to_owned(),
                    });
                }
            }
        };
        others.append(&mut self.ready);
        self.ready = others;
        Ok(result)
    }

    /// Which ways the units so far have taken.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Why the cache could not be written, the last time it could not. Results are unaffected.
    pub const fn cache_error(&self) -> Option<&CacheError> {
        self.cache_error.as_ref()
    }

    /// Takes a result of the pool: stores it, and hands it to everyone who waits for it.
    fn accept(&mut self, number: u64, compilation: Compilation) -> Result<(), PoolError> {
        let key = usize::try_from(number).ok().and_then(|at| self.submitted.get(at)).copied();
        let Some(key) = key else { return Ok(()) };
        let ids = self.waiting.remove(&key).unwrap_or_default();
        let result = compilation?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.put(key, &result)
        {
            self.cache_error = Some(error);
        }
        self.ready.extend(ids.into_iter().map(|id| Finished { id, key, result: result.clone() }));
        Ok(())
    }
}
