//! Tells by its exit status whether the kernel lets this program read its own context switches.

use std::process::ExitCode;

fn main() -> ExitCode {
    match gilscope::engine::switches::probe() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}
