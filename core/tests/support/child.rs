//! Tests that need a process of their own: the test program starts itself again with one test.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

const VARIABLE: &str = "SOCKLINE_TEST_CHILD";
/// What this program has to be run by, with its arguments, where the system can't run it itself: an emulator.
const RUNNER: &str = "SOCKLINE_TEST_RUNNER";

/// Whether this process is the child that was started for the test of this name.
pub fn is_child(test: &str) -> bool {
    std::env::var_os(VARIABLE).is_some_and(|name| name == test)
}

/// Runs the test's `body` in a process of its own, and fails if that does.
#[track_caller]
pub fn in_child(test: &str, body: impl FnOnce()) {
    in_child_under(test, &[], body);
}

/// The same below another program, which gets the child's command line behind its own arguments.
#[track_caller]
pub fn in_child_under(test: &str, wrapper: &[&str], body: impl FnOnce()) {
    if is_child(test) {
        return body();
    }
    let output = command_under(test, wrapper).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{}\n{told}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "{test} is not the name of the test"
    );
}

/// A child that the test talks with.
pub struct Talk {
    pub child: Child,
    lines: BufReader<ChildStdout>,
}

pub fn start(test: &str) -> Talk {
    let mut child = command(test)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    Talk { child, lines }
}

impl Talk {
    /// What the child says next with this word before it: `println!("{word} value")`.
    #[track_caller]
    pub fn hear(&mut self, word: &str) -> String {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            // The test harness may have begun the line.
            if let Some((_, value)) = line.split_once(&format!("{word} ")) {
                return value.trim().to_owned();
            }
            line.clear();
        }
        panic!("the child has ended without saying {word:?}");
    }

    /// Writes a line to the child's input.
    pub fn say(&mut self, line: &str) {
        writeln!(
            self.child
                .stdin
                .as_ref()
                .expect("its input is closed at the end only"),
            "{line}"
        )
        .unwrap();
    }

    /// Closes its input, which tells it to end, and fails if it failed.
    #[track_caller]
    pub fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// For the child: waits until the parent ends the talk.
pub fn wait_for_parent() {
    let mut nothing = String::new();
    assert_eq!(std::io::stdin().read_line(&mut nothing).unwrap(), 0);
}

fn command(test: &str) -> Command {
    command_under(test, &[])
}

fn command_under(test: &str, wrapper: &[&str]) -> Command {
    let program = std::env::current_exe().unwrap().into_os_string();
    let runner = std::env::var(RUNNER).unwrap_or_default();
    let words = wrapper.iter().copied().chain(runner.split_whitespace());
    let mut line = words.map(OsString::from).chain([program]);
    let mut command = Command::new(line.next().expect("there is the program at least"));
    command
        .args(line)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(VARIABLE, test);
    command
}
