//! A device that can time, for tests of what stands between a device and its judge: the emulator
//! over memory of its own, with times from a list and faults on demand.

pub(crate) mod launches;

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ridge_runtime::device::{
    BlockSelection, Buffer, BufferContent, Device, DeviceError, Execution, ExecutionReport,
};
use ridge_runtime::emulator::{Emulator, EmulatorOptions};
use ridge_runtime::measure::{
    Attempt, Contested, DeviceFacts, Evaluation, Image, Layout, Stage, StageRequest, Timing,
    TimingDevice, TimingPlan, poison,
};
use ridge_runtime::verify::Launch;
use ridge_runtime::worker::progress;
use ridge_spec::outcome::{Phase, Rejection, Samples};
use ridge_spec::target::Architecture;

/// Where the worker's protocol goes in a test: standard output is the test harness's.
pub(crate) const PROTOCOL: &str = "/proc/self/fd/3";

/// The emulator as a device that can time.
pub(crate) struct Emulated {
    emulator: Emulator,
    facts: DeviceFacts,
    usable: AtomicBool,
}

impl Emulated {
    /// A device that calls itself so.
    pub(crate) fn new(name: &str) -> Self {
        let facts = DeviceFacts {
            name: name.to_owned(),
            architecture: Architecture::parse("sm_90").unwrap(),
            driver: "none".to_owned(),
            cuda_version: 13_000,
            multiprocessors: 1,
            l2_bytes: 1 << 20,
            memory_bytes: 1 << 30,
        };
        let emulator = Emulator::with_options(EmulatorOptions { threads: Some(1) });
        Self { emulator, facts, usable: AtomicBool::new(true) }
    }
}

impl Device for Emulated {
    fn name(&self) -> &str {
        "emulated"
    }

    fn is_usable(&self) -> bool {
        self.usable.load(Ordering::Relaxed)
    }

    fn execute(&self, execution: &Execution<'_>) -> Result<ExecutionReport, DeviceError> {
        plant(&execution.artifact.ptx, self);
        self.emulator.execute(execution)
    }
}

impl TimingDevice for Emulated {
    fn facts(&self) -> &DeviceFacts {
        &self.facts
    }

    fn stage(&self, request: StageRequest) -> Result<Box<dyn Stage + '_>, DeviceError> {
        let layout = Layout::new(request.tensors, request.rotation_bytes);
        let mut memory = vec![0; usize::try_from(layout.total_bytes()).unwrap()];
        let set_bytes = usize::try_from(layout.set_bytes()).unwrap();
        for (at, set) in memory.chunks_exact_mut(set_bytes).enumerate() {
            let contents = &request.contents[at % request.contents.len()];
            let inputs = layout.tensors().iter().filter(|tensor| !tensor.is_output);
            for (tensor, bytes) in inputs.zip(contents) {
                let start = usize::try_from(layout.find(&tensor.name).unwrap().0).unwrap();
                set[start..start + bytes.len()].copy_from_slice(bytes);
            }
        }
        Ok(Box::new(EmulatedStage { device: self, layout, memory }))
    }
}

struct EmulatedStage<'d> {
    device: &'d Emulated,
    layout: Layout,
    memory: Vec<u8>,
}

impl EmulatedStage<'_> {
    fn set(&mut self, set: u32) -> &mut [u8] {
        let bytes = usize::try_from(self.layout.set_bytes()).unwrap();
        let start = set as usize * bytes;
        &mut self.memory[start..start + bytes]
    }

    fn run(&mut self, launch: &Launch<'_>, set: u32, seed: u64) -> Attempt<Image> {
        let base = self.layout.set_bytes() * u64::from(set);
        for (offset, bytes) in self.layout.poisoned() {
            let range = usize::try_from(offset).unwrap()..usize::try_from(offset + bytes).unwrap();
            poison::fill(&mut self.set(set)[range], seed, base + offset);
        }
        let layout = self.layout.clone();
        let range = |name: &str| {
            let (offset, tensor) = layout.find(name).unwrap();
            let start = usize::try_from(offset).unwrap();
            start..start + usize::try_from(tensor.size_bytes).unwrap()
        };
        let buffers: Vec<Buffer> = layout
            .tensors()
            .iter()
            .map(|tensor| {
                let bytes: Arc<[u8]> = self.set(set)[range(&tensor.name)].into();
                let content = match tensor.is_output {
                    true => BufferContent::InOut(bytes),
                    false => BufferContent::Input(bytes),
                };
                let name = tensor.name.clone();
                Buffer { name, dtype: tensor.dtype, content, constant: false }
            })
            .collect();
        let report = self.device.emulator.execute(&Execution {
            artifact: launch.artifact,
            launch: launch.config,
            arguments: launch.arguments,
            buffers: &buffers,
            blocks: BlockSelection::All,
            instructions_per_block: u64::MAX,
        });
        let report = report.unwrap();
        if let Some(finding) = report.findings.first() {
            return Err(Box::new(Rejection::from_finding(finding.clone())));
        }
        for output in report.outputs {
            self.set(set)[range(&output.name)].copy_from_slice(&output.bytes);
        }
        Ok(Image { set, poison_seed: seed, bytes: self.set(set).to_vec() })
    }

    fn clobber(&mut self) {
        let (offset, _) = self.layout.find("in").unwrap();
        let start = usize::try_from(offset).unwrap();
        self.set(0)[start..start + 4].copy_from_slice(&[0xee; 4]);
    }
}

impl Stage for EmulatedStage<'_> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn evaluate(
        &mut self,
        launch: &Launch<'_>,
        plan: &TimingPlan,
    ) -> Result<Attempt<Evaluation>, DeviceError> {
        let ptx = &launch.artifact.ptx;
        progress::enter(Phase::Load);
        if ptx.contains("fault: load-abort") {
            std::process::abort();
        }
        progress::enter(Phase::Verify);
        if ptx.contains("fault: lost") {
            return Err(DeviceError::Lost { reason: "fell off the bus".to_owned() });
        }
        plant(ptx, self.device);
        let first = self.run(launch, 0, plan.seed);
        if ptx.contains("fault: clobber") {
            self.clobber();
        }
        if ptx.contains("fault: clobber-rejected") {
            let message = "illegal address".to_owned();
            let phase = Phase::Verify;
            return Ok(Err(Box::new(Rejection::Crash { phase, message, finding: None })));
        }
        progress::enter(Phase::Measure);
        if ptx.contains("fault: measure-abort") {
            std::process::abort();
        }
        Ok(first.and_then(|first| {
            let again = Some(self.run(launch, 0, plan.seed + 1)?);
            let mut later = Vec::new();
            let surplus = if ptx.contains("fault: surplus") { 100 } else { 0 };
            for at in 0..plan.images_after + surplus {
                let set = at % self.layout.n_sets();
                later.push(self.run(launch, set, plan.seed + 2 + u64::from(at))?);
            }
            Ok(Evaluation { first, again, later, timing: timing_of(ptx), busy_ns: 1 })
        }))
    }

    fn contest(
        &mut self,
        launches: &[Launch<'_>],
        plan: &TimingPlan,
    ) -> Result<Vec<Attempt<Contested>>, DeviceError> {
        let mut one = |launch: &Launch<'_>| {
            if launch.artifact.ptx.contains("fault: with-others") && launches.len() == 3 {
                std::process::abort();
            }
            plant(&launch.artifact.ptx, self.device);
            let mut later = Vec::new();
            for at in 0..plan.images_after {
                later.push(self.run(launch, at % self.layout.n_sets(), plan.seed)?);
            }
            Ok(Contested { timing: timing_of(&launch.artifact.ptx), later })
        };
        Ok(launches.iter().map(&mut one).collect())
    }
}

/// Made-up samples.
pub(crate) fn timing() -> Timing {
    Timing {
        samples: Samples::new(vec![1001, 1000, 1002]).unwrap(),
        copy: Samples::new(vec![900, 901, 902]).unwrap(),
        hot: None,
        alone: None,
        launches: 2,
        sets: 2,
        throttled: 0,
        clocks: None,
        lost: false,
    }
}

/// Made-up samples around the times that comments of the PTX name: `// chain: 900` and
/// `// alone: 2000`.
fn timing_of(ptx: &str) -> Timing {
    let around = |what: &str| {
        let (_, rest) = ptx.split_once(&format!("// {what}: "))?;
        let ns: u64 = rest.split_whitespace().next()?.parse().ok()?;
        Some(Samples::new([ns - 1, ns, ns + 1].repeat(4)).unwrap())
    };
    let otherwise = timing();
    Timing {
        samples: around("chain").unwrap_or(otherwise.samples),
        alone: around("alone"),
        ..otherwise
    }
}

/// Does to this process what a comment of the PTX says.
fn plant(ptx: &str, device: &Emulated) {
    let Some((_, fault)) = ptx.split_once("// fault: ") else { return };
    let fault = fault.lines().next().unwrap_or_default().trim();
    match fault {
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        "panic" => unreachable!("a planted panic"),
        "kill" => {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
        }
        "sleep" => thread::sleep(Duration::from_secs(60)),
        "child" => {
            Command::new("sleep").arg("61").spawn().unwrap();
            std::process::exit(4);
        }
        "closed" => {
            drop(Command::new("sh").args(["-c", "exec 3>&- 1>&-; sleep 60"]).exec());
        }
        "print" => {
            let mut out = File::options().write(true).open("/proc/self/fd/1").unwrap();
            out.write_all(b"{\"id\":2} a kernel's printf\n").unwrap();
        }
        "unusable" => device.usable.store(false, Ordering::Relaxed),
        "shortened" => shorten_exchange(),
        _ => {}
    }
    say(fault);
}

/// The exchange file is the only one that is open and has no name any more.
fn shorten_exchange() {
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        let name = std::fs::read_link(&path).unwrap_or_default();
        if name.to_string_lossy().contains("ridge-exchange-") {
            File::options().write(true).open(path).unwrap().set_len(1).unwrap();
        }
    }
}

/// Says to the parent what a worker should not.
fn say(fault: &str) {
    let raw = || File::options().write(true).open(PROTOCOL).unwrap();
    let reply = |message: &str| {
        let line = format!("{{\"id\":2,\"usable\":true,\"message\":{message}}}\n");
        raw().write_all(line.as_bytes()).unwrap();
        thread::sleep(Duration::from_secs(60));
    };
    let timed = |later: &str, set: u32| {
        let timing = serde_json::to_string(&timing()).unwrap();
        let image = format!("{{\"set\":{set},\"poison_seed\":1}}");
        format!(
            "{{\"evaluated\":{{\"busy_ns\":1,\"attempt\":{{\"timed\":{{\"timing\":{timing},\
             \"first\":{image},\"again\":null,\"later\":{later}}}}}}}}}"
        )
    };
    match fault {
        "nonsense" => raw().write_all(b"hello\n").unwrap(),
        "not-text" => raw().write_all(b"\xff\xfe\n").unwrap(),
        "truncated" => {
            raw().write_all(b"{\"id\":2,\"usab").unwrap();
            std::process::exit(0);
        }
        "endless-line" => {
            let mut to = raw();
            while to.write_all(&[b'x'; 1 << 16]).is_ok() {}
        }
        "endless-lines" => {
            let mut to = raw();
            let phase = "{\"progress\":{\"phase\":\"load\"}}";
            let line = format!("{{\"id\":2,\"usable\":true,\"message\":{phase}}}\n");
            while to.write_all(line.as_bytes()).is_ok() {}
        }
        "other-request" => reply("{\"staged\":{\"layout\":null}}"),
        "other-answer" => {
            let executed = "{\"counters\":null,\"findings\":[],\"blocks_run\":1,\"refused\":null}";
            reply(&format!("{{\"executed\":{executed}}}"));
        }
        "huge-set" => reply(&timed("[]", u32::MAX)),
        "many-images" => {
            let image = "{\"set\":0,\"poison_seed\":1}";
            reply(&timed(&format!("[{}]", [image; 10_000].join(",")), 0));
        }
        "shortened" => reply(&timed("[]", 0)),
        _ => {}
    }
}
