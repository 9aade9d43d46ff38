//! The worker's side: opens a device and does what it is told, until its input ends.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, Write};
use std::rc::Rc;
use std::sync::Arc;

use ridge_spec::artifact::Artifact;
use ridge_spec::launch::{Argument, LaunchConfig};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use super::exchange::{Exchange, Region};
use super::progress;
use super::protocol::{
    ArgumentParts, AttemptParts, BufferParts, Call, ContentParts, Greeting, ImageParts,
    LaunchParts, Message, Reply, Request, Setup, artifact,
};
use crate::device::{
    BlockSelection, Buffer, BufferContent, Execution, ExecutionReport, OutputBuffer,
};
use crate::measure::{
    Attempt, Contested, Evaluation, Image, Stage, StageRequest, TimingDevice, TimingPlan,
};
use crate::verify::Launch;

/// Serves one device on standard input and output, which the parent has piped.
///
/// What a kernel or a library prints goes to standard error, where it becomes the last words.
///
/// # Errors
/// As [`serve`].
pub fn serve_stdio(
    open: impl FnOnce(&str) -> Result<Box<dyn TimingDevice>, String>,
) -> io::Result<()> {
    use std::os::fd::AsFd;
    let output = std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdout(io::stderr())?;
    serve(open, io::stdin().lock(), output)
}

/// Serves one device: one JSON object a line in, one or more out.
///
/// `open` is handed the device's name and says why there is no such device. Returns when `input`
/// ends, which is how the parent says that it is done, or has died. Call it from a process that
/// does nothing else: it dies with the thread that started it, and leaves no core file.
///
/// # Errors
/// Reading or writing failed, or a line is not of the protocol; the parent replaces the worker.
pub fn serve(
    open: impl FnOnce(&str) -> Result<Box<dyn TimingDevice>, String>,
    mut input: impl BufRead,
    output: impl Write + 'static,
) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A crash is expected now and then: nobody wants its core file. Address space is not bounded:
    // a CUDA context reserves all of the device's and the host's.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(());
    }
    let setup: Setup = serde_json::from_str(&line)?;
    let exchange = Exchange::open(&setup.exchange)?;
    let output = Output { to: Rc::new(RefCell::new(output)), id: Rc::default() };
    let device = match open(&setup.device) {
        Ok(device) => device,
        Err(reason) => return output.send(&Greeting::Failed { reason }),
    };
    output
        .send(&Greeting::Ready { name: device.name().to_owned(), facts: device.facts().clone() })?;
    let sink = output.clone();
    // A line that cannot be sent will not be answered either: that is when the worker ends.
    progress::listen(move |phase| drop(sink.reply(true, Message::Progress { phase })));
    let mut session = Session { device: device.as_ref(), exchange, input, output };
    let served = session.run();
    progress::stop();
    served
}

/// Where answers go.
struct Output<W> {
    to: Rc<RefCell<W>>,
    /// The request at hand.
    id: Rc<Cell<u64>>,
}

impl<W> Clone for Output<W> {
    fn clone(&self) -> Self {
        Self { to: Rc::clone(&self.to), id: Rc::clone(&self.id) }
    }
}

impl<W: Write> Output<W> {
    fn send(&self, message: &impl serde::Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let mut to = self.to.try_borrow_mut().map_err(io::Error::other)?;
        to.write_all(&line)?;
        to.flush()
    }

    fn reply(&self, usable: bool, message: Message) -> io::Result<()> {
        self.send(&Reply { id: self.id.get(), usable, message })
    }
}

struct Session<'a, R, W> {
    device: &'a dyn TimingDevice,
    exchange: Exchange,
    input: R,
    output: Output<W>,
}

impl<R: BufRead, W: Write> Session<'_, R, W> {
    fn run(&mut self) -> io::Result<()> {
        let mut next = self.next()?;
        while let Some(request) = next {
            next = match request {
                Request::Stage { tensors, contents, rotation_bytes, flush_bytes } => {
                    let contents = self.contents(&contents)?;
                    let request = StageRequest { tensors, contents, rotation_bytes, flush_bytes };
                    self.run_stage(request)?
                }
                other => {
                    self.answer(other, None)?;
                    self.next()?
                }
            };
        }
        Ok(())
    }

    /// Serves a stage until the next one is asked for, which is returned.
    fn run_stage(&mut self, request: StageRequest) -> io::Result<Option<Request>> {
        let mut stage = match self.device.stage(request) {
            Ok(stage) => stage,
            Err(error) => {
                self.reply(Message::of_error(error))?;
                return self.next();
            }
        };
        self.reply(Message::Staged { layout: stage.layout().clone() })?;
        while let Some(request) = self.next()? {
            if matches!(request, Request::Stage { .. }) {
                return Ok(Some(request));
            }
            self.answer(request, Some(stage.as_mut()))?;
        }
        Ok(None)
    }

    /// The next request; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Request>> {
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let call: Call = serde_json::from_str(&line)?;
        self.output.id.set(call.id);
        Ok(Some(serde_json::from_slice(&self.exchange.read_region(call.request)?)?))
    }

    fn reply(&self, message: Message) -> io::Result<()> {
        self.output.reply(self.device.is_usable(), message)
    }

    fn answer(&self, request: Request, stage: Option<&mut (dyn Stage + '_)>) -> io::Result<()> {
        let message = match (request, stage) {
            (Request::Execute { launch, buffers, sampled, instructions_per_block }, _) => {
                self.execute(launch, &buffers, sampled, instructions_per_block)?
            }
            (Request::Evaluate { launch, plan, images }, Some(stage)) => {
                self.evaluate(stage, launch, &plan, images)?
            }
            (Request::Contest { launches, plan, images }, Some(stage)) => {
                self.contest(stage, launches, &plan, images)?
            }
            (Request::Stage { .. } | Request::Evaluate { .. } | Request::Contest { .. }, _) => {
                Message::Lost { reason: "nothing is staged on the worker's device".to_owned() }
            }
        };
        self.reply(message)
    }

    fn contents(&self, sets: &[Vec<Region>]) -> io::Result<Vec<Vec<Arc<[u8]>>>> {
        // Sets may share tensors.
        let mut read: Vec<(Region, Arc<[u8]>)> = Vec::new();
        let mut one = |region: &Region| -> io::Result<Arc<[u8]>> {
            if let Some((_, bytes)) = read.iter().find(|(known, _)| known == region) {
                return Ok(Arc::clone(bytes));
            }
            let bytes: Arc<[u8]> = self.exchange.read_region(*region)?.into();
            read.push((*region, Arc::clone(&bytes)));
            Ok(bytes)
        };
        sets.iter().map(|set| set.iter().map(&mut one).collect()).collect()
    }

    fn launch(&self, parts: LaunchParts) -> io::Result<OwnedLaunch> {
        let ptx = self.exchange.read_region(parts.ptx)?;
        let cubin = self.exchange.read_region(parts.cubin)?;
        let artifact = artifact(parts.manifest, ptx, cubin).map_err(io::Error::other)?;
        let arguments =
            parts.arguments.into_iter().map(ArgumentParts::into_argument).collect::<Vec<_>>();
        Ok(OwnedLaunch { artifact, config: parts.config, arguments })
    }

    fn execute(
        &self,
        launch: LaunchParts,
        parts: &[BufferParts],
        sampled: Option<u32>,
        instructions_per_block: u64,
    ) -> io::Result<Message> {
        let launch = self.launch(launch)?;
        let buffers = parts
            .iter()
            .map(|parts| {
                let content = match parts.content {
                    ContentParts::Input { before } => {
                        BufferContent::Input(self.exchange.read_region(before)?.into())
                    }
                    ContentParts::InOut { before, .. } => {
                        BufferContent::InOut(self.exchange.read_region(before)?.into())
                    }
                    ContentParts::Output { after, .. } => {
                        BufferContent::Output { size_bytes: after.bytes }
                    }
                };
                let (name, constant) = (parts.name.clone(), parts.constant);
                Ok(Buffer { name, dtype: parts.dtype, content, constant })
            })
            .collect::<io::Result<Vec<_>>>()?;
        let execution = Execution {
            artifact: &launch.artifact,
            launch: launch.config,
            arguments: &launch.arguments,
            buffers: &buffers,
            blocks: sampled.map_or(BlockSelection::All, BlockSelection::Sampled),
            instructions_per_block,
        };
        match self.device.execute(&execution) {
            Ok(report) => self.executed(parts, report),
            Err(error) => Ok(Message::of_error(error)),
        }
    }

    fn executed(&self, parts: &[BufferParts], report: ExecutionReport) -> io::Result<Message> {
        for parts in parts {
            let (ContentParts::Output { after, written }
            | ContentParts::InOut { after, written, .. }) = parts.content
            else {
                continue;
            };
            let found = report.outputs.iter().find(|output| output.name == parts.name);
            let Some(output) = found.filter(|output| output.bytes.len() as u64 == after.bytes)
            else {
                let reason = format!("the device did not return all of `{}`", parts.name);
                return Ok(Message::Lost { reason });
            };
            self.put_output(output, after, written)?;
        }
        let ExecutionReport { counters, findings, blocks_run, refused, .. } = report;
        Ok(Message::Executed { counters: counters.map(Box::new), findings, blocks_run, refused })
    }

    fn put_output(&self, output: &OutputBuffer, after: Region, written: Region) -> io::Result<()> {
        self.exchange.write(after.offset, &output.bytes)?;
        let mut words = output.written.clone();
        words.resize(usize::try_from(written.bytes / 8).map_err(io::Error::other)?, 0);
        self.exchange.write(written.offset, bytemuck::cast_slice(&words))
    }

    fn evaluate(
        &self,
        stage: &mut (dyn Stage + '_),
        launch: LaunchParts,
        plan: &TimingPlan,
        images: Region,
    ) -> io::Result<Message> {
        let launch = self.launch(launch)?;
        let set_bytes = stage.layout().set_bytes();
        let (attempt, busy_ns) = match stage.evaluate(&launch.borrow(), plan) {
            Ok(Ok(Evaluation { first, again, later, timing, busy_ns })) => {
                let mut slots = Slots::new(&self.exchange, images, set_bytes);
                let first = Some(slots.put(&first)?);
                let again = again.map(|image| slots.put(&image)).transpose()?;
                let later = later.iter().map(|image| slots.put(image)).collect::<Result<_, _>>()?;
                (AttemptParts::Timed { timing: Box::new(timing), first, again, later }, busy_ns)
            }
            Ok(Err(rejection)) => (AttemptParts::Rejected { rejection }, 0),
            Err(error) => return Ok(Message::of_error(error)),
        };
        Ok(Message::Evaluated { attempt, busy_ns })
    }

    fn contest(
        &self,
        stage: &mut (dyn Stage + '_),
        launches: Vec<LaunchParts>,
        plan: &TimingPlan,
        images: Region,
    ) -> io::Result<Message> {
        let launches = launches
            .into_iter()
            .map(|launch| self.launch(launch))
            .collect::<io::Result<Vec<_>>>()?;
        let launches: Vec<Launch<'_>> = launches.iter().map(OwnedLaunch::borrow).collect();
        let set_bytes = stage.layout().set_bytes();
        let attempts: Vec<Attempt<Contested>> = match stage.contest(&launches, plan) {
            Ok(attempts) => attempts,
            Err(error) => return Ok(Message::of_error(error)),
        };
        let mut slots = Slots::new(&self.exchange, images, set_bytes);
        let attempts = attempts.into_iter().map(|attempt| match attempt {
            Ok(Contested { timing, later }) => {
                let later = later.iter().map(|image| slots.put(image)).collect::<Result<_, _>>()?;
                Ok(AttemptParts::Timed {
                    timing: Box::new(timing),
                    first: None,
                    again: None,
                    later,
                })
            }
            Err(rejection) => Ok(AttemptParts::Rejected { rejection }),
        });
        Ok(Message::Contested { attempts: attempts.collect::<io::Result<_>>()? })
    }
}

struct OwnedLaunch {
    artifact: Artifact,
    config: LaunchConfig,
    arguments: Vec<Argument>,
}

impl OwnedLaunch {
    fn borrow(&self) -> Launch<'_> {
        Launch { artifact: &self.artifact, config: self.config, arguments: &self.arguments }
    }
}

/// The places of images in the region that the parent gave for them.
struct Slots<'a> {
    exchange: &'a Exchange,
    left: Region,
    set_bytes: u64,
}

impl<'a> Slots<'a> {
    fn new(exchange: &'a Exchange, region: Region, set_bytes: u64) -> Self {
        Self { exchange, left: region, set_bytes }
    }

    fn put(&mut self, image: &Image) -> io::Result<ImageParts> {
        if image.bytes.len() as u64 != self.set_bytes || self.left.bytes < self.set_bytes {
            return Err(io::Error::other("the device returned images that were not asked for"));
        }
        self.exchange.write(self.left.offset, &image.bytes)?;
        self.left.offset += self.set_bytes;
        self.left.bytes -= self.set_bytes;
        Ok(ImageParts { set: image.set, poison_seed: image.poison_seed })
    }
}
