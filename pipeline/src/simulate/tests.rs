use std::path::Path;

use super::*;
use crate::event::Unobserved;

/// A landscape of `x` times `y` as Kernel Tuner's cache, with its bottom at `x`.
fn cache(device: &str, bottom: i64) -> String {
    let mut entries = Vec::new();
    for x in 0..12i64 {
        for y in 0..10i64 {
            let time = 1.0 + 0.1 * (x - bottom).abs() as f64 + 0.05 * y as f64;
            let failed = (x + y) % 7 == 6;
            let time = if failed { "\"InvalidConfig\"".to_owned() } else { format!("{time}") };
            entries.push(format!("\"{x},{y}\": {{\"x\": {x}, \"y\": {y}, \"time\": {time}}}"));
        }
    }
    format!(
        "{{\"device_name\": \"{device}\", \"kernel_name\": \"k\", \"problem_size\": [64], \
         \"tune_params_keys\": [\"x\", \"y\"], \"tune_params\": {{}},\n\"cache\": {{\n{}}}}}",
        entries.join(",\n")
    )
}

fn write_gzip(path: &Path, text: &str) {
    use std::io::Write as _;
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
}

fn request(folder: &Path) -> SimulateRequest {
    SimulateRequest {
        landscapes: vec![folder.to_owned()],
        strategies: vec!["portfolio".to_owned(), "surrogate".to_owned()],
        budget: 30,
        seeds: 3,
        batch: 1,
        priors: Vec::new(),
        mislead: false,
        plot: None,
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.json"), cache("A", 7)).unwrap();
    write_gzip(&folder.path().join("b.json.gz"), &cache("B", 8));
    std::fs::write(folder.path().join("README.md"), "not one of them").unwrap();
    folder
}

#[test]
fn replays_with_the_baseline_and_repeats_itself() {
    let folder = folder();
    let answer = run(&request(folder.path()), &Unobserved).unwrap();
    let names: Vec<&str> = answer.strategies.iter().map(|s| s.strategy.as_str()).collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names[2], "random", "{names:?}");
    assert_eq!(answer.checkpoints, [10, 25]);
    let devices: Vec<&str> = answer.landscapes.iter().map(|l| l.device.as_str()).collect();
    assert_eq!(devices, ["A", "B"]);
    assert!(answer.landscapes[0].n_failed > 0);
    assert_eq!(run(&request(folder.path()), &Unobserved).unwrap(), answer);
}

#[test]
fn priors_come_from_elsewhere_only() {
    let folder = folder();
    let asked = SimulateRequest {
        priors: vec![folder.path().to_owned()],
        strategies: vec!["portfolio".to_owned()],
        ..request(folder.path())
    };
    let cold = run(&request(folder.path()), &Unobserved).unwrap();
    let warm = run(&asked, &Unobserved).unwrap();
    assert_eq!(warm.landscapes[0].prior_sources, ["k on B, 64"]);
    let early = |answer: &SimulateAnswer| {
        let portfolio = answer.strategies.iter().find(|s| s.strategy == "portfolio").unwrap();
        portfolio.overall.curve[4]
    };
    assert!(early(&warm) > early(&cold), "{} {}", early(&warm), early(&cold));
    let misled = run(&SimulateRequest { mislead: true, ..asked }, &Unobserved).unwrap();
    assert!(early(&misled) < early(&warm), "{} {}", early(&misled), early(&warm));
}

#[test]
fn plots_are_drawn_whole() {
    let folder = folder();
    for name in ["plot.svg", "plot.html"] {
        let path = folder.path().join(name);
        let asked = SimulateRequest { plot: Some(path.clone()), ..request(folder.path()) };
        let answer = run(&asked, &Unobserved).unwrap();
        assert_eq!(answer.plot, Some(path.display().to_string()));
        let text = std::fs::read_to_string(&path).unwrap();
        let figures = if name.ends_with("svg") { 1 } else { 3 };
        assert_eq!(text.matches("<svg").count(), figures);
        assert_eq!(text.matches("class=\"curve\"").count(), 3 * figures);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}

#[track_caller]
fn check_refused(change: impl FnOnce(&mut SimulateRequest), code: &str) {
    let folder = folder();
    let mut asked = request(folder.path());
    change(&mut asked);
    assert_eq!(run(&asked, &Unobserved).unwrap_err().code(), code);
}

#[test]
fn says_why_there_is_no_answer() {
    check_refused(|asked| asked.strategies = vec!["magic".to_owned()], "strategy.unknown");
    check_refused(|asked| asked.plot = Some("plot.png".into()), "simulate.plot");
    check_refused(|asked| asked.landscapes = vec!["no/such.json".into()], "landscape.read");
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_owned();
    check_refused(|asked| asked.landscapes = vec![path], "simulate.none");
    let torn = empty.path().join("torn.json.gz");
    std::fs::write(&torn, [0x1f, 0x8b, 8, 0]).unwrap();
    check_refused(|asked| asked.landscapes = vec![torn], "landscape.read");
    let other = empty.path().join("other.json");
    std::fs::write(&other, "{\n\"a\": 1}").unwrap();
    check_refused(|asked| asked.priors = vec![other], "landscape.unknown-format");
}
