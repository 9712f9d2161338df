//! A TCP proxy that does to the bytes what bad networks do.
//!
//! One thread accepts; each direction of a connection has two: one reads, one lets the bytes out when it is their
//! time. What happens at an exact byte is armed by [`Link::cut`] or [`Weather::cut`].

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, unbounded};
use parking_lot::Mutex;
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::PATIENCE;

/// Little fits between the ends, so that a slow network is felt soon.
const KERNEL_BUFFER: usize = 64 << 10;

/// How the bytes of both directions go.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Each byte arrives so much later than it came.
    pub latency: Duration,
    /// The longest segment that is passed on.
    pub piece: usize,
    /// Bytes per second and direction.
    pub rate: Option<u32>,
    /// A fault that waits for each connection from its first byte on.
    pub cut: Option<(Way, usize, Cut)>,
}

pub const FAIR: Weather = Weather {
    latency: Duration::ZERO,
    piece: 64 << 10,
    rate: None,
    cut: None,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// What happens to a connection once so many bytes have gone one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing is taken any more, in either direction, and nobody is told: a cable was pulled.
    Stall,
    /// All is taken and nothing arrives, in either direction: a machine that lives, with a program that hangs.
    Swallow,
    /// This direction ends with a FIN; the other goes on.
    End,
    /// Both ends get a reset.
    Reset,
}

/// A proxy in front of one port; its connections end when it is dropped.
pub struct Proxy {
    port: u16,
    links: Receiver<Link>,
    all: Arc<Mutex<Vec<Weak<Shared>>>>,
    alive: Option<Sender<()>>,
}

/// One connection through a proxy.
pub struct Link {
    shared: Arc<Shared>,
    told: Receiver<Cut>,
}

/// What the four threads of a connection share.
struct Shared {
    to_server: Gate,
    to_client: Gate,
    happened: Mutex<Option<Cut>>,
    tell: Sender<Cut>,
    /// Both sockets, so that a reset and the end of the proxy reach them while others read.
    ends: Mutex<Vec<TcpStream>>,
    /// Disconnected when the proxy is dropped.
    alive: Receiver<()>,
}

/// The fault that waits in a direction, and how many bytes pass before it.
struct Gate {
    armed: Mutex<Option<(usize, Cut)>>,
}

impl Proxy {
    pub fn new(target: u16, weather: Weather) -> Proxy {
        let listener = listener();
        let port = listener.local_addr().unwrap().port();
        let (sender, links) = unbounded();
        let (keep, alive) = bounded(0);
        let all: Arc<Mutex<Vec<Weak<Shared>>>> = Arc::default();
        let known = all.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if alive.try_recv() == Err(TryRecvError::Disconnected) {
                    return; // it was only rung to see this
                }
                let link = Link::new(client.unwrap(), connect(target), weather, alive.clone());
                known.lock().push(Arc::downgrade(&link.shared));
                let _ = sender.send(link); // nobody has to ask for it
            }
        });
        Proxy {
            port,
            links,
            all,
            alive: Some(keep),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next connection that was made through it.
    #[track_caller]
    pub fn link(&self) -> Link {
        self.links.recv_timeout(PATIENCE).expect("a connection")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.alive = None;
        for shared in self.all.lock().iter().filter_map(Weak::upgrade) {
            shared.ends.lock().iter().for_each(|end| {
                let _ = end.shutdown(Shutdown::Both);
            });
        }
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Link {
    fn new(client: TcpStream, server: TcpStream, weather: Weather, alive: Receiver<()>) -> Link {
        let (tell, told) = unbounded();
        let shared = Arc::new(Shared {
            to_server: Gate::new(weather, Way::ToServer),
            to_client: Gate::new(weather, Way::ToClient),
            happened: Mutex::new(None),
            tell,
            ends: Mutex::new(vec![client.try_clone().unwrap(), server.try_clone().unwrap()]),
            alive,
        });
        let (again, there) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        for (way, from, to) in [(Way::ToServer, client, there), (Way::ToClient, server, again)] {
            to.set_nodelay(true).unwrap();
            // What is far away is on the way for long; else the senders are to feel what does not arrive.
            let (sender, waiting) = bounded(if weather.latency.is_zero() { 4 } else { 1000 });
            let (reading, writing) = (shared.clone(), shared.clone());
            thread::spawn(move || take_in(&reading, from, weather.latency, &sender));
            thread::spawn(move || {
                if let_out(&writing, way, &to, weather, &waiting).is_ok() {
                    let _ = to.shutdown(Shutdown::Write);
                }
            });
        }
        Link { shared, told }
    }

    /// Arms a fault for when `after` more bytes have gone this way.
    pub fn cut(&self, way: Way, after: usize, cut: Cut) {
        *self.shared.gate(way).armed.lock() = Some((after, cut));
    }

    /// Waits until an armed fault has happened.
    #[track_caller]
    pub fn has_cut(&self) {
        self.told.recv_timeout(PATIENCE).expect("the fault to happen");
    }
}

impl Gate {
    fn new(weather: Weather, own: Way) -> Gate {
        let cut = weather.cut.filter(|(way, ..)| *way == own);
        Gate {
            armed: Mutex::new(cut.map(|(_, after, cut)| (after, cut))),
        }
    }

    /// How many of `wanted` bytes may go, and what happens behind them.
    fn pass(&self, wanted: usize) -> (usize, Option<Cut>) {
        let mut armed = self.armed.lock();
        match &mut *armed {
            None => (wanted, None),
            Some((left, _)) if wanted < *left => {
                *left -= wanted;
                (wanted, None)
            }
            Some((left, cut)) => {
                let last = (*left, Some(*cut));
                *armed = None;
                last
            }
        }
    }
}

impl Shared {
    fn gate(&self, way: Way) -> &Gate {
        match way {
            Way::ToServer => &self.to_server,
            Way::ToClient => &self.to_client,
        }
    }

    fn happened(&self) -> Option<Cut> {
        *self.happened.lock()
    }

    fn happens(&self, cut: Cut) {
        *self.happened.lock() = Some(cut);
        if cut == Cut::Reset {
            // The last of a socket's owners to let go of it sends the reset, and this sends them all home.
            for end in self.ends.lock().drain(..) {
                SockRef::from(&end).set_linger(Some(Duration::ZERO)).unwrap();
                let _ = end.shutdown(Shutdown::Read);
            }
        }
        let _ = self.tell.send(cut); // nobody has to listen
    }

    fn wait_for_the_end(&self) {
        let _ = self.alive.recv();
    }
}

type Due = (Instant, Vec<u8>);

fn take_in(shared: &Shared, mut from: TcpStream, latency: Duration, sender: &Sender<Due>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        match shared.happened() {
            Some(Cut::Swallow) => continue,
            Some(Cut::Stall) => return shared.wait_for_the_end(),
            _ => {}
        }
        if sender
            .send((Instant::now() + latency, buffer[..count].to_vec()))
            .is_err()
        {
            return;
        }
    }
}

/// The way is over without a FIN.
struct Silently;

/// Returns where the direction is to end with a FIN.
fn let_out(
    shared: &Shared,
    way: Way,
    mut to: &TcpStream,
    weather: Weather,
    waiting: &Receiver<Due>,
) -> Result<(), Silently> {
    for (due, bytes) in waiting {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        for piece in bytes.chunks(weather.piece) {
            if shared.happened() == Some(Cut::Swallow) {
                break;
            }
            let (allowed, cut) = shared.gate(way).pass(piece.len());
            to.write_all(&piece[..allowed]).map_err(|_| Silently)?;
            if let Some(rate) = weather.rate {
                thread::sleep(Duration::from_secs_f64(allowed as f64 / f64::from(rate)));
            }
            if let Some(cut) = cut {
                shared.happens(cut);
            }
            match shared.happened() {
                Some(Cut::End) if cut.is_some() => return Ok(()),
                Some(Cut::Reset) => return Err(Silently),
                Some(Cut::Stall) => {
                    shared.wait_for_the_end();
                    return Err(Silently);
                }
                _ => {}
            }
        }
    }
    match shared.happened() {
        None | Some(Cut::End) => Ok(()),
        Some(Cut::Reset) => Err(Silently),
        // The FIN of the other end is lost like all the rest.
        Some(Cut::Stall | Cut::Swallow) => {
            shared.wait_for_the_end();
            Err(Silently)
        }
    }
}

fn listener() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(KERNEL_BUFFER).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(128).unwrap();
    socket.into()
}

fn connect(port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(KERNEL_BUFFER).unwrap();
    socket
        .connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())
        .unwrap();
    socket.into()
}
