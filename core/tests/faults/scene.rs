//! A client and a server of ours with a bad network between them, and a connection beside them that has none.

use std::time::{Duration, Instant};

use sockline::{ClientOptions, Loop, ServerOptions, Settings, WebSocket, connect};

use crate::proxy::{Link, Proxy, Weather};
use crate::support::{
    Events, PATIENCE, What, local, port, reacting, recorder, serve, settings, started, url,
};

/// The timeouts of the connections in these tests, where they are to be reached.
pub const SHORT: Duration = Duration::from_millis(150);
/// Longer than any test: what comes in time does not come because this is over.
pub const LONG: Duration = Duration::from_secs(3600);

/// Settings for both ends: nothing times out unless a test wants it to.
pub fn patient() -> Settings {
    settings(|it| {
        (it.ping_interval, it.ping_timeout, it.close_timeout) = (LONG, LONG, LONG);
        it.max_message = 64 << 20;
        it.hard_limit = 0;
    })
}

/// Both ends ping into silence, and give up soon after.
pub fn watchful() -> Settings {
    Settings {
        ping_interval: SHORT,
        ping_timeout: SHORT,
        ..patient()
    }
}

/// Both ends of one connection on one loop, a proxy between them.
pub struct Scene {
    pub client: WebSocket,
    pub client_events: Events,
    pub server: WebSocket,
    pub server_events: Events,
    pub link: Link,
    pub bystander: Bystander,
    pub proxy: Proxy,
    _loop: Loop,
}

pub fn scene(weather: Weather, settings: Settings) -> Scene {
    let server = ServerOptions {
        settings: settings.clone(),
        ..local()
    };
    let client = ClientOptions {
        settings,
        ..ClientOptions::default()
    };
    scene_with("ws", weather, server, client)
}

/// The same with other options than settings.
pub fn scene_with(scheme: &str, weather: Weather, server: ServerOptions, client: ClientOptions) -> Scene {
    let on_loop = started();
    let (handler, server_events) = recorder();
    let server = serve(&on_loop, server, handler);
    let proxy = Proxy::new(port(server), weather);
    let (handler, client_events) = recorder();
    let url = format!("{scheme}://127.0.0.1:{}/", proxy.port());
    let client = connect(Some(&on_loop), &url, client, Some(handler)).unwrap();
    let link = proxy.link();
    assert_eq!(client_events.open(), client);
    Scene {
        client,
        client_events,
        server: server_events.open(),
        server_events,
        link,
        bystander: Bystander::on(&on_loop),
        proxy,
        _loop: on_loop,
    }
}

impl Scene {
    /// Lets the bystander talk until both ends have heard something.
    #[track_caller]
    pub fn both_hear(&self) {
        self.bystander
            .goes_on_until(|| self.client_events.has_heard() && self.server_events.has_heard());
    }
}

/// An attempt to open a connection through a proxy whose weather lets nothing through.
pub struct Attempt {
    pub client_events: Events,
    pub server_events: Events,
    pub began: Instant,
    pub bystander: Bystander,
    _proxy: Proxy,
    _loop: Loop,
}

/// Both ends wait `timeout` for the opening handshake, and the server as long for each sign of life after it.
pub fn attempt(weather: Weather, timeout: Duration) -> Attempt {
    attempt_with("ws", weather, timeout, local(), ClientOptions::default())
}

/// The same with other options.
pub fn attempt_with(
    scheme: &str,
    weather: Weather,
    timeout: Duration,
    server: ServerOptions,
    client: ClientOptions,
) -> Attempt {
    let on_loop = started();
    let (handler, server_events) = recorder();
    let options = ServerOptions {
        handshake_timeout: timeout,
        settings: Settings {
            ping_interval: timeout,
            ping_timeout: timeout,
            ..patient()
        },
        ..server
    };
    let server = serve(&on_loop, options, handler);
    let proxy = Proxy::new(port(server), weather);
    let bystander = Bystander::on(&on_loop);
    let (handler, client_events) = recorder();
    let options = ClientOptions {
        handshake_timeout: timeout,
        ..client
    };
    let began = Instant::now();
    let url = format!("{scheme}://127.0.0.1:{}/", proxy.port());
    connect(Some(&on_loop), &url, options, Some(handler)).unwrap();
    Attempt {
        client_events,
        server_events,
        began,
        bystander,
        _proxy: proxy,
        _loop: on_loop,
    }
}

/// A healthy connection on the loop of a sick one.
pub struct Bystander {
    client: WebSocket,
    events: Events,
}

impl Bystander {
    pub fn on(on_loop: &Loop) -> Bystander {
        let (echo, _) = reacting(|ws, what| {
            if let What::Text(text) = what {
                let _ = ws.send_text(text).unwrap();
            }
        });
        let address = url(port(serve(on_loop, local(), echo)));
        let (handler, events) = recorder();
        let client = connect(Some(on_loop), &address, ClientOptions::default(), Some(handler)).unwrap();
        events.open();
        Bystander { client, events }
    }

    /// Echoes, one after the other, until `done`; at least one, so that it was alive at the end.
    #[track_caller]
    pub fn goes_on_until(&self, done: impl Fn() -> bool) {
        let began = Instant::now();
        let mut rounds = 0;
        loop {
            let over = done();
            rounds += 1;
            let text = format!("round {rounds}");
            let _ = self.client.send_text(&text).unwrap();
            self.events.text(&text);
            if over {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "nothing came of it after {rounds} rounds"
            );
        }
    }
}

/// Not before its time, and not long after it.
#[track_caller]
pub fn in_time(began: Instant, timeout: Duration) {
    let took = began.elapsed();
    // The loop's clock counts milliseconds; the upper bound leaves room for a crowded machine.
    assert!(
        took + Duration::from_millis(2) >= timeout,
        "too early: {took:?} of {timeout:?}"
    );
    assert!(
        took < timeout + Duration::from_secs(5),
        "too late: {took:?} of {timeout:?}"
    );
}
