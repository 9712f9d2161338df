//! The client under test of Autobahn|Testsuite's fuzzing server: `autobahn_client URL`.
//!
//! Asks for the number of cases, runs each with every message echoed, and has the reports written.

use std::process::ExitCode;
use std::sync::Arc;

use sockline::{
    ClientOptions, CloseEvent, Compression, Error, Handler, Loop, LoopOptions, Message, Settings, WebSocket,
    connect,
};

const AGENT: &str = "sockline";

/// Echoes everything, and hands the first text to who asked.
struct Case {
    on_loop: Arc<Loop>,
    echo: bool,
    answer: std::sync::Mutex<String>,
}

impl Handler for Case {
    fn on_message(&self, ws: WebSocket, message: Message<'_>) {
        if self.echo {
            if let Err(error) = ws.send_checked(message.kind(), message.as_bytes()) {
                eprintln!("not echoed: {error}");
            }
        } else if let (Ok(mut answer), Some(text)) = (self.answer.lock(), message.as_text()) {
            *answer = text.to_owned();
        }
    }

    fn on_error(&self, _: WebSocket, error: &Error) {
        // Most cases end with an error on purpose; the suite judges whether it was the right one.
        eprintln!("{error}");
    }

    fn on_close(&self, _: WebSocket, _: &CloseEvent) {
        self.on_loop.stop();
    }
}

fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: autobahn_client URL");
        return ExitCode::from(2);
    };
    match run_all(url.trim_end_matches('/')) {
        Ok(count) => {
            println!("ran {count} cases");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("autobahn_client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_all(url: &str) -> sockline::Result<usize> {
    let on_loop = Arc::new(Loop::new(LoopOptions::default())?);
    let count = run_one(&on_loop, &format!("{url}/getCaseCount"), false)?
        .parse()
        .unwrap_or(0);
    for case in 1..=count {
        run_one(
            &on_loop,
            &format!("{url}/runCase?case={case}&agent={AGENT}"),
            true,
        )?;
    }
    run_one(&on_loop, &format!("{url}/updateReports?agent={AGENT}"), false)?;
    Ok(count)
}

fn run_one(on_loop: &Arc<Loop>, url: &str, echo: bool) -> sockline::Result<String> {
    let case = Arc::new(Case {
        on_loop: on_loop.clone(),
        echo,
        answer: std::sync::Mutex::default(),
    });
    let settings = Settings {
        max_message: 64 << 20,
        hard_limit: 0,
        compression: Some(Compression::client()),
        ..Settings::client()
    };
    let options = ClientOptions {
        settings,
        ..ClientOptions::default()
    };
    connect(Some(on_loop), url, options, Some(case.clone()))?;
    on_loop.run()?;
    let answer = case.answer.lock().map(|answer| answer.clone());
    Ok(answer.unwrap_or_default())
}
