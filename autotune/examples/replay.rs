//! Replays recorded landscapes and prints how fast each strategy finds good candidates.
//!
//! ```text
//! cargo run --release -p ridge-autotune --example replay -- FOLDER [--seeds N] [--batch N]
//!     [--budget N] [--strategy NAME,NAME] [--only TEXT] [--each]
//! ```
//!
//! `FOLDER` holds landscapes as `*.json` or `*.json.gz` (unpacked by `gzip`).
#![expect(clippy::print_stdout, reason = "printing the table is what this program is for")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use ridge_autotune::landscape::{self, Landscape};
use ridge_autotune::simulate::{Curve, Reached, Replay, community_score, mean, reached, replay};
use ridge_autotune::strategies::{StrategyEntry, TABLE, find};

const CHECKPOINTS: [usize; 5] = [10, 25, 50, 100, 200];

struct Settings {
    folder: PathBuf,
    seeds: u64,
    only: String,
    each: bool,
    strategies: Vec<&'static StrategyEntry>,
    replay: Replay,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let settings = settings()?;
    let mut landscapes = Vec::new();
    for path in files(&settings.folder)? {
        if path.to_string_lossy().contains(&settings.only) {
            landscapes.extend(landscape::read(&path.to_string_lossy(), &read(&path)?)?.landscapes);
        }
    }
    println!("{} landscapes, {} seeds", landscapes.len(), settings.seeds);
    print!("{:<14}", "strategy");
    for at in CHECKPOINTS {
        print!("  frac@{at:<3} 5%@{at:<3}");
    }
    println!("  score  ms/eval");
    for entry in &settings.strategies {
        report(entry, &landscapes, &settings);
    }
    Ok(())
}

/// One strategy's row, and its rows per landscape where they are asked for.
fn report(entry: &StrategyEntry, landscapes: &[Landscape], settings: &Settings) {
    let started = Instant::now();
    let curves: Vec<Vec<Curve>> = landscapes
        .iter()
        .map(|landscape| {
            (0..settings.seeds)
                .map(|seed| replay(landscape, entry, seed, &settings.replay))
                .collect()
        })
        .collect();
    let evaluations = curves.iter().flatten().map(Vec::len).sum::<usize>().max(1);
    let milliseconds = started.elapsed().as_secs_f64() * 1e3 / evaluations as f64;
    let scores: Vec<Option<f64>> = landscapes
        .iter()
        .zip(&curves)
        .map(|(landscape, curves)| community_score(landscape, curves))
        .collect();
    if settings.each {
        for ((landscape, curves), score) in landscapes.iter().zip(&curves).zip(&scores) {
            row(&format!("  {landscape}"), |at| reached(curves, at), *score);
            println!();
        }
    }
    let known: Vec<f64> = scores.into_iter().flatten().collect();
    let score = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
    row(
        entry.name,
        |at| {
            let all: Option<Vec<Reached>> =
                curves.iter().map(|curves| reached(curves, at)).collect();
            mean(&all?)
        },
        score,
    );
    println!("  {milliseconds:7.2}");
}

fn row(name: &str, at: impl Fn(usize) -> Option<Reached>, score: Option<f64>) {
    print!("{name:<14}");
    for checkpoint in CHECKPOINTS {
        match at(checkpoint) {
            Some(reached) => print!("  {:8.3} {:6.2}", reached.fraction, reached.close_share),
            None => print!("  {:>8} {:>6}", "-", "-"),
        }
    }
    match score {
        Some(score) => print!("  {score:5.2}"),
        None => print!("  {:>5}", "-"),
    }
}

fn settings() -> Result<Settings, Box<dyn Error>> {
    let mut settings = Settings {
        folder: PathBuf::new(),
        seeds: 20,
        only: String::new(),
        each: false,
        strategies: TABLE.iter().filter(|entry| entry.name != "exhaustive").collect(),
        replay: Replay { budget: 200, batch: 1, prior: None },
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("`{argument}` wants a value"));
        match argument.as_str() {
            "--seeds" => settings.seeds = value()?.parse()?,
            "--batch" => settings.replay.batch = value()?.parse()?,
            "--budget" => settings.replay.budget = value()?.parse()?,
            "--only" => settings.only = value()?,
            "--each" => settings.each = true,
            "--strategy" => {
                settings.strategies = value()?.split(',').map(find).collect::<Result<_, _>>()?;
            }
            folder => settings.folder = PathBuf::from(folder),
        }
    }
    Ok(settings)
}

/// The landscape files of a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if name.ends_with(".json") || name.ends_with(".json.gz") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    if path.extension().is_some_and(|extension| extension == "gz") {
        let output = Command::new("gzip").arg("-dc").arg(path).output()?;
        if !output.status.success() {
            return Err(format!("`gzip` failed on `{}`", path.display()).into());
        }
        return Ok(output.stdout);
    }
    Ok(std::fs::read(path)?)
}
