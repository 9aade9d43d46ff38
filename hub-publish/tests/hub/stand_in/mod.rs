//! A Hub of our own on this machine: what `hf-hub` and `kernels` ask of the real one for kernel
//! repos, in memory, with the bad luck that a test wants.
//!
//! The answers have the fields that the official clients read (`hf-hub` 1.0, `huggingface_hub`
//! 2.4). What the real server does beyond that is not known here.

mod http;
mod routes;
mod store;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use http::{Request, Response};
pub(crate) use store::{Blob, Kind, Store};

/// A request that was seen: method and path with query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is answered with this status and these words, and has no effect.
    Status(u16, &'static str),
    /// The same, with `Retry-After` in seconds.
    RetryAfter(u16, u64),
    /// It never arrives.
    Lost,
    /// It has its effect, but the answer never arrives.
    AnswerLost,
    /// It is never answered, and has no effect.
    Stalled,
    /// Somebody else commits to the branch first, then it goes its way.
    Overtaken,
}

/// A fault for some of the requests of a kind.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    /// In the method and path: `POST /api/kernels/org/k/commit/`.
    pub(crate) at: String,
    /// Requests of the kind that go well first.
    pub(crate) after: usize,
    /// Requests that have the fault.
    pub(crate) times: usize,
    pub(crate) fault: Fault,
}

/// The server's behaviour and memory.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) seen: Vec<Seen>,
    pub(crate) trouble: Vec<Trouble>,
    /// Requests after which nothing is heard any more: the client was killed, or the cable cut.
    pub(crate) cut_after: Option<usize>,
    /// Bodies of commits above this many bytes are refused with 413.
    pub(crate) commit_bytes_max: Option<usize>,
    /// Whether there is a list of kernels.
    pub(crate) has_no_list: bool,
    /// Files that a commit silently leaves out.
    pub(crate) ignores: Option<String>,
    /// Where binary files go: into the commit, or into Xet storage at this address.
    pub(crate) xet: Option<String>,
    counts: BTreeMap<usize, usize>,
}

/// A running stand-in; it ends with the test.
#[derive(Clone, Debug)]
pub(crate) struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl StandIn {
    /// Starts on a free port.
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    /// Starts at an address.
    pub(crate) fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let stand_in = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let server = stand_in.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        stand_in
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes trouble.
    pub(crate) fn trouble(&self, at: &str, after: usize, times: usize, fault: Fault) {
        self.state().trouble.push(Trouble { at: at.to_owned(), after, times, fault });
    }

    /// Requests that were seen, as `METHOD /path`, since the last call.
    pub(crate) fn take_seen(&self) -> Vec<String> {
        let seen = std::mem::take(&mut self.state().seen);
        seen.into_iter().map(|it| format!("{} {}", it.method, it.path)).collect()
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some(request) = Request::read(&mut stream) else { return };
        let response = {
            let mut state = self.state();
            state.seen.push(Seen {
                method: request.method.clone(),
                path: request.target.clone(),
                authorization: request.header("authorization").map(ToOwned::to_owned),
            });
            if state.cut_after.is_some_and(|limit| state.seen.len() > limit) {
                return;
            }
            let fault = state.fault_of(&request);
            match fault {
                Some(Fault::Status(status, words)) => Response::refusal(status, words),
                Some(Fault::RetryAfter(status, seconds)) => {
                    Response::refusal(status, "slow down").with("Retry-After", &seconds.to_string())
                }
                Some(Fault::Lost) => return,
                Some(Fault::AnswerLost) => {
                    let _lost = routes::answer(&mut state, &request, &self.endpoint());
                    return;
                }
                Some(Fault::Stalled) => {
                    drop(state);
                    loop {
                        std::thread::park();
                    }
                }
                Some(Fault::Overtaken) => {
                    state.store.overtake(&request.path);
                    routes::answer(&mut state, &request, &self.endpoint())
                }
                None => routes::answer(&mut state, &request, &self.endpoint()),
            }
        };
        response.write(&mut stream, request.method == "HEAD");
    }
}

impl State {
    fn fault_of(&mut self, request: &Request) -> Option<Fault> {
        let line = format!("{} {}", request.method, request.target);
        for (index, trouble) in self.trouble.iter().enumerate() {
            if !line.contains(&trouble.at) {
                continue;
            }
            let count = self.counts.entry(index).or_default();
            *count += 1;
            if trouble.after < *count && *count <= trouble.after + trouble.times {
                return Some(trouble.fault.clone());
            }
        }
        None
    }
}
