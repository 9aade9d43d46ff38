//! Hangs, crashes, exhausted memory, dead workers; the cache and shared compilations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ridge_compiler::cache::Cache;
use ridge_compiler::campaign::{Compiler, Counts};
use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::pool::{CompilePool, PoolConfig, WorkerCommand};
use ridge_spec::outcome::{Limit, Phase, Rejection};

use crate::toolkit::{config, sm_90a, unit};

const GOOD: &str = "template <int N> __global__ void k(int* x) { x[0] = N; }\n";

/// Expands to 2^40 tokens.
fn endless() -> String {
    let mut text = String::from("#define A0 + 1\n");
    for level in 1..=40 {
        let below = level - 1;
        text.push_str(&format!("#define A{level} A{below} A{below}\n"));
    }
    text + "__global__ void k(int* x) { x[0] = 1 A40; }\n"
}

#[test]
fn a_candidate_that_hangs_is_given_up_and_the_next_compiles() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let limit = Duration::from_secs(4);
    let config = PoolConfig { time_limit: limit, ..config(toolkit, 1) };
    let mut pool = CompilePool::new(config);
    pool.submit(1, unit(toolkit, &endless(), "k", &[]));
    pool.submit(2, unit(toolkit, GOOD, "k<1>", &[]));
    let (id, hung) = pool.recv().unwrap();
    let expected = Rejection::Timeout {
        phase: Phase::Compile,
        limit: Some(Limit::TimeNs(4_000_000_000)),
        finding: None,
    };
    assert_eq!((id, hung.unwrap()), (1, Err(expected)));
    let (id, good) = pool.recv().unwrap();
    assert!(id == 2 && good.unwrap().is_ok());
    assert!(pool.recv().is_none());
}

#[test]
fn a_candidate_that_exhausts_memory_is_given_up() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let config = PoolConfig { memory_limit_bytes: 420 << 20, ..config(toolkit, 1) };
    let mut pool = CompilePool::new(config);
    pool.submit(1, unit(toolkit, &endless(), "k", &[]));
    pool.submit(2, unit(toolkit, GOOD, "k<1>", &[]));
    let (_, hungry) = pool.recv().unwrap();
    let expected = Rejection::Timeout {
        phase: Phase::Compile,
        limit: Some(Limit::MemoryBytes(420 << 20)),
        finding: None,
    };
    assert_eq!(hungry.unwrap(), Err(expected));
    let (_, good) = pool.recv().unwrap();
    assert!(good.unwrap().is_ok());
}

#[test]
fn a_compiler_that_crashes_costs_one_candidate() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    // Plays a worker that dies over its first unit, and is the real one afterwards.
    let folder = tempfile::tempdir().unwrap();
    let script = "if [ -e mark ]; then exec \"$0\"; fi; touch mark; read setup; \
                  echo '{\"greeting\":\"ready\"}'; read unit; echo internal error >&2; kill -SEGV $$";
    let mut config = config(toolkit, 1);
    let worker = config.worker.program.display().to_string();
    let script = format!("cd '{}'; {script}", folder.path().display());
    config.worker = WorkerCommand {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into(), worker.into()],
    };
    let mut pool = CompilePool::new(config);
    pool.submit(1, unit(toolkit, GOOD, "k<1>", &[]));
    pool.submit(2, unit(toolkit, GOOD, "k<1>", &[]));
    let (_, crashed) = pool.recv().unwrap();
    let rejection = crashed.unwrap().unwrap_err();
    assert_eq!(
        rejection.summary(),
        "crashed while being compiled: the compiler was killed by signal 11: internal error"
    );
    let (_, good) = pool.recv().unwrap();
    assert!(good.unwrap().is_ok());
}

#[test]
fn a_worker_that_does_not_work_is_an_error_with_a_code() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let check = |program: &str, arguments: &[&str], library: Option<&str>, expected: &str| {
        let mut config = config(toolkit, 1);
        if !program.is_empty() {
            config.worker = WorkerCommand {
                program: program.into(),
                arguments: arguments.iter().map(Into::into).collect(),
            };
        }
        if let Some(library) = library {
            config.toolkit.nvrtc = library.into();
        }
        let mut pool = CompilePool::new(config);
        pool.submit(1, unit(toolkit, GOOD, "k<1>", &[]));
        let (_, result) = pool.recv().unwrap();
        let error = result.unwrap_err();
        assert_eq!(error.code(), expected, "{error}");
    };
    check("/nonexistent/worker", &[], None, "compile.worker-failed");
    check("/bin/sh", &["-c", "exit 3"], None, "compile.worker-failed");
    check("/bin/sh", &["-c", "echo hello; cat"], None, "compile.worker-failed");
    check("", &[], Some("/nonexistent/libnvrtc.so"), "toolchain.unusable");
}

#[test]
fn answers_from_the_cache_without_a_worker() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = || Some(Cache::new(folder.path()));
    let texts = [(GOOD, "k<1>"), (GOOD, "k<2>"), ("int x = nonsense;\n", "k")];
    let results = |mut compiler: Compiler| {
        for (id, (text, entry)) in (0..).zip(texts) {
            compiler.submit(id, unit(toolkit, text, entry, &[]));
        }
        let mut results = BTreeMap::new();
        while let Some(finished) = compiler.recv().unwrap() {
            results.insert(finished.id, finished.result);
        }
        (results, compiler.counts())
    };
    let (cold, counts) = results(Compiler::new(config(toolkit, 2), cache()));
    assert_eq!(counts, Counts { cached: 0, compiled: 3, shared: 0 });
    let mut no_worker = config(toolkit, 2);
    no_worker.worker.program = "/nonexistent/worker".into();
    let (warm, counts) = results(Compiler::new(no_worker, cache()));
    assert_eq!(counts, Counts { cached: 3, compiled: 0, shared: 0 });
    assert_eq!(warm, cold);
}

#[test]
fn compiles_once_what_differs_only_at_launch() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let text = "__global__ void k(int* x) { x[0] = RIDGE_TILE; }\n";
    let sources = Arc::new(Sources::from_text("k.cu", text, &toolkit.include_folders).unwrap());
    let mut compiler = Compiler::new(config(toolkit, 1), None);
    for (id, (tile, rows_per_block)) in (0..).zip([(1, 1), (1, 2), (2, 1), (2, 2)]) {
        let macros = [("RIDGE_TILE", tile), ("RIDGE_ROWS_PER_BLOCK", rows_per_block)]
            .map(|(name, value): (&str, i32)| (name.to_owned(), value.to_string()));
        let unit = Unit::new(Arc::clone(&sources), "k", &[], &macros, sm_90a()).unwrap();
        compiler.submit(id, unit);
    }
    assert_eq!(compiler.n_pending(), 4);
    let mut digests = BTreeMap::new();
    while let Some(finished) = compiler.recv().unwrap() {
        digests.insert(finished.id, finished.result.unwrap().digest);
    }
    assert_eq!(compiler.counts(), Counts { cached: 0, compiled: 2, shared: 2 });
    assert_eq!(digests[&0], digests[&1]);
    assert_ne!(digests[&0], digests[&2]);
}

#[test]
fn keeps_going_where_the_cache_cannot_be_written() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("artifacts"), "in the way").unwrap();
    let mut compiler = Compiler::new(config(toolkit, 1), Some(Cache::new(folder.path())));
    assert!(compiler.compile(unit(toolkit, GOOD, "k<1>", &[])).unwrap().is_ok());
    assert_eq!(compiler.cache_error().unwrap().code(), "cache.unusable");
}

#[test]
fn dropping_the_pool_gives_up_what_is_being_compiled() {
    let Some(toolkit) = crate::toolkit::toolkit() else { return };
    let endless_limit = Duration::from_secs(3600);
    let config = PoolConfig { time_limit: endless_limit, ..config(toolkit, 1) };
    let mut pool = CompilePool::new(config);
    pool.submit(1, unit(toolkit, &endless(), "k", &[]));
    pool.submit(2, unit(toolkit, GOOD, "k<1>", &[]));
    // The test ends only if this does.
    drop(pool);
}
