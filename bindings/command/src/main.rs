//! The command `sockline` as a program of its own.

fn main() {
    let arguments = std::env::args_os().skip(1).collect();
    std::process::exit(sockline_command::run(arguments));
}
