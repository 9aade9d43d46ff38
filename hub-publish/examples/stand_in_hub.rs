//! A Hub on this machine, in memory, to try `ridge publish --repo` and `ridge search-hub` against:
//!
//! ```sh
//! cargo run -p ridge-hub-publish --example stand_in_hub -- 127.0.0.1:8901 [local:///cas] &
//! HF_ENDPOINT=http://127.0.0.1:8901 HF_TOKEN=hf_writer ridge search-hub rmsnorm
//! ```
//!
//! It knows the tokens `hf_writer` (of `me`, a member of `org`) and `hf_member` (who may not create
//! kernels), and prints what it is asked. With a second argument binary files go to Xet storage
//! there.

#[expect(clippy::unwrap_used, reason = "it was made for tests")]
#[expect(dead_code, unused_imports, reason = "the tests use all of it")]
#[path = "../tests/hub/stand_in/mod.rs"]
mod stand_in;

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8901".to_owned());
    let stand_in = stand_in::StandIn::start_at(&address);
    stand_in.state().xet = arguments.next();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "HF_ENDPOINT={}", stand_in.endpoint())?;
    loop {
        for line in stand_in.take_seen() {
            writeln!(stdout, "{line}")?;
        }
        stdout.flush()?;
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
