//! The command `sockline`, for `npx sockline`.

use napi_derive::napi;

/// Runs the command with these arguments and returns the code to exit with. It blocks the calling thread, which has
/// nothing else to do; signals are the command's meanwhile, and Node hears none.
#[napi]
#[cfg_attr(
    test,
    allow(dead_code, reason = "napi registers no functions in builds for tests")
)]
pub fn command(arguments: Vec<String>) -> i32 {
    sockline_command::run(arguments.into_iter().map(Into::into).collect())
}
