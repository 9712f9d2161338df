//! Many sends by one system call, which is all that io_uring is used for here.
//!
//! A call ends with nothing under way. MSG_DONTWAIT has the kernel carry a send out while it is submitted, or give it back,
//! but never wait for the socket to have room; so what is sent need not live longer than the call. A send that did all it
//! was asked for is not mentioned among the completions; one that did less is, because MSG_WAITALL makes that a failure,
//! whose number is how much has left.

use std::io::{self, IoSlice, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use io_uring::squeue::{Entry, Flags};
use io_uring::{IoUring, opcode, types};
use nix::libc;
use socket2::SockRef;

use super::{Offer, Outcome, ROOM};

const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_WAITALL | libc::MSG_NOSIGNAL;

/// It is empty between calls.
pub(super) struct Ring(IoUring);

impl Ring {
    /// A ring that was seen to do what is relied on: where io_uring is not the kernel's own, it might not.
    ///
    /// # Errors
    /// The system's, where it has no io_uring, refuses it, or has one that is too old.
    pub(super) fn new() -> io::Result<Ring> {
        let ring = IoUring::builder().dontfork().build(ROOM as u32)?;
        if !ring.params().is_feature_skip_cqe_on_success() {
            return Err(unfit(
                "it can't leave completions out, which it can from Linux 5.17 on",
            ));
        }
        let mut ring = Ring(ring);
        ring.prove()?;
        Ok(ring)
    }

    /// Makes one send of each offer, [`ROOM`] at most, and says in `outcomes` what became of each.
    ///
    /// # Errors
    /// The ring is not to be used again; `outcomes` holds.
    pub(super) fn send_batch(
        &mut self,
        offers: &[Offer],
        slices: &[IoSlice<'_>],
        outcomes: &mut Vec<Outcome>,
    ) -> io::Result<()> {
        let scattered = offers.iter().filter(|offer| offer.slices.len() > 1);
        let headers: Vec<libc::msghdr> = scattered
            .map(|offer| header(&slices[offer.slices.clone()]))
            .collect();
        let mut headers = headers.iter();
        let mut queue = self.0.submission();
        for (number, offer) in offers.iter().enumerate() {
            let slices = &slices[offer.slices.clone()];
            let entry = match headers.next_if_scattered(slices) {
                Some(header) => send_vectored(offer.socket, header),
                None => send(offer.socket, slices.first().map_or(&[], |slice| slice)),
            };
            let entry = entry.flags(Flags::SKIP_SUCCESS).user_data(number as u64);
            // SAFETY: the headers, the slices and what they show live until this function returns, and nothing is under
            // way then, as is said above.
            if unsafe { queue.push(&entry) }.is_err() {
                break; // not with so few; what does not fit is not tried
            }
        }
        let queued = queue.len();
        drop(queue);
        let entered = self.0.submit();
        let left = self.0.submission().len();
        outcomes.clear();
        outcomes.resize(queued.saturating_sub(left), Outcome::Whole);
        outcomes.resize(offers.len(), Outcome::Untried);
        for completion in self.0.completion() {
            if let Some(outcome) = outcomes.get_mut(completion.user_data() as usize) {
                *outcome = outcome_of(completion.result());
            }
        }
        entered?;
        match left {
            0 => Ok(()),
            left => Err(unfit(&format!("{left} of {queued} sends were not taken"))),
        }
    }

    /// Has it make sends that succeed and sends for which there is no room, and looks at what arrives.
    fn prove(&mut self) -> io::Result<()> {
        let (near, mut far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        SockRef::from(&near).set_send_buffer_size(4 << 10)?;
        let long = vec![0; 64 << 10];
        let slices = [IoSlice::new(&[0]), IoSlice::new(&long), IoSlice::new(&long)];
        let mut outcomes = Vec::new();
        // There is room again for each one: had the rest of what was before been left to wait for it, that would come, too.
        for (range, is_whole) in [(0..1, true), (1..2, false), (1..3, false), (0..1, true)] {
            let socket = near.as_raw_fd();
            self.send_batch(
                &[Offer {
                    socket,
                    slices: range,
                }],
                &slices,
                &mut outcomes,
            )?;
            let is_right = match (read_all(&mut far)?, &outcomes[..]) {
                (1, [Outcome::Whole]) => is_whole,
                (arrived, [Outcome::Part(count)]) => !is_whole && arrived == *count,
                _ => false,
            };
            if !is_right {
                return Err(unfit(
                    "its sends do not end with the call, or what became of them is not told",
                ));
            }
        }
        Ok(())
    }
}

/// Takes the next header for an offer that has one.
trait NextIfScattered<'a> {
    fn next_if_scattered(&mut self, slices: &[IoSlice<'_>]) -> Option<&'a libc::msghdr>;
}

impl<'a> NextIfScattered<'a> for std::slice::Iter<'a, libc::msghdr> {
    fn next_if_scattered(&mut self, slices: &[IoSlice<'_>]) -> Option<&'a libc::msghdr> {
        if slices.len() > 1 { self.next() } else { None }
    }
}

/// What a send that did not do all it was asked for has returned.
fn outcome_of(result: i32) -> Outcome {
    match usize::try_from(result) {
        Ok(count) => Outcome::Part(count),
        Err(_) => Outcome::Failed(result.saturating_neg()),
    }
}

fn send(socket: RawFd, bytes: &[u8]) -> Entry {
    // An offer is far shorter than what 32 bits can say.
    opcode::Send::new(types::Fd(socket), bytes.as_ptr(), bytes.len() as u32)
        .flags(FLAGS)
        .build()
}

fn send_vectored(socket: RawFd, header: &libc::msghdr) -> Entry {
    opcode::SendMsg::new(types::Fd(socket), header)
        .flags(FLAGS as u32)
        .build()
}

/// What `sendmsg` takes; the slices have to live as long as it is used.
fn header(slices: &[IoSlice<'_>]) -> libc::msghdr {
    // SAFETY: integers and pointers, for which zero is a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    // An IoSlice is what an iovec is (its documentation); nothing is written by a send.
    header.msg_iov = slices.as_ptr().cast_mut().cast();
    header.msg_iovlen = slices.len() as _;
    header
}

fn unfit(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}

/// How many bytes are there to read.
fn read_all(stream: &mut UnixStream) -> io::Result<usize> {
    let (mut buffer, mut total) = ([0; 4 << 10], 0);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => total += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(total),
            Err(error) => return Err(error),
        }
    }
}
