//! Runs the binary in a folder of its own and keeps what it said.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A scratch folder in which the binary runs.
pub(crate) struct Scratch {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What the binary left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable for every run.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Writes a file, with its folders.
    pub(crate) fn write(&self, path: &str, content: &str) -> PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Copies a kernel of the library into the scratch folder, with some of its text replaced.
    pub(crate) fn kernel(&self, name: &str, replacements: &[(&str, &str)]) {
        let from = library().join(name);
        for entry in std::fs::read_dir(&from).unwrap() {
            let entry = entry.unwrap();
            let file = entry.file_name().into_string().unwrap();
            let mut text = std::fs::read_to_string(entry.path()).unwrap();
            for (old, new) in replacements {
                text = text.replace(old, new);
            }
            self.write(&format!("{name}/{file}"), &text);
        }
    }

    /// The command with these arguments, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_ridge"), arguments)
    }

    fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_program(env!("CARGO_BIN_EXE_ridge"), arguments)
    }

    /// Runs another program, such as a shell around the binary, to its end.
    pub(crate) fn run_program(&self, program: &str, arguments: &[&str]) -> Run {
        let output = self.program(program, arguments).output().unwrap();
        let clean = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes).replace(&self.path().display().to_string(), "[SCRATCH]")
        };
        Run {
            status: output.status.code(),
            stdout: clean(&output.stdout),
            stderr: clean(&output.stderr),
        }
    }
}

impl Run {
    /// stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("{error}\nstdout: {}\nstderr: {}", self.stdout, self.stderr)
        })
    }
}

/// The kernel library.
pub(crate) fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("kernels")
}

/// Whether a test that compiles can run: there is a toolkit, or one can be installed. Says why
/// where it cannot.
pub(crate) fn toolkit_is_there(scratch: &Scratch) -> bool {
    let answer = scratch.run(&["doctor", "--format", "json"]);
    if answer.status == Some(0) {
        return true;
    }
    println!("skipped: no CUDA toolkit, and none could be installed: {}", answer.stdout);
    false
}
