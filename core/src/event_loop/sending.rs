//! Sending files, piece by piece as the peer takes them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::time::{Duration, SystemTime};

use ::http::Method;

use super::connection::{Conn, Stage};
use super::core::LoopCore;
use super::files::{Folder, Found};
use super::serving::Phase;
use super::site::Site;
use crate::handle::Id;
use crate::http::{BodyDecoder, Framing, Request, encode_response, encode_whole_response, files};
use crate::server::Refusal;
use crate::ws::Millis;

/// How much of a file is read at a time.
const FILE_CHUNK: usize = 64 << 10;
/// Prometheus's text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl LoopCore {
    pub(super) fn serve_metrics(&self, id: Id, site: &Site, request: &Request) {
        let Some(keep_alive) = self.keeps_alive(id, site, request) else {
            return;
        };
        let answer = match request.method {
            Method::GET | Method::HEAD => {
                let text = site.metrics().to_text();
                Answer::typed(request, 200, METRICS_TYPE, &text, keep_alive)
            }
            _ => Answer::text(request, 405, "metrics are read by GET", keep_alive),
        };
        self.send_answer(id, answer, keep_alive);
    }

    /// Whether the connection stays after the answer to a request; `None` if that was answered and the connection closed.
    fn keeps_alive(&self, id: Id, site: &Site, request: &Request) -> Option<bool> {
        // A body is of no use here; to wait for its end would be, too, so the connection closes instead.
        match BodyDecoder::for_request(request, &site.limits) {
            Ok(body) => Some(body.is_done() && request.keep_alive() && !self.is_last_request(id)),
            Err(error) => {
                self.answer_and_close(id, &Refusal::new(error.status, &error.text));
                None
            }
        }
    }

    pub(super) fn serve_file(&self, id: Id, site: &Site, folder: &Folder, request: &Request) {
        let Some(keep_alive) = self.keeps_alive(id, site, request) else {
            return;
        };
        let date = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
        let answer = match folder.find(request.path()) {
            Ok(found) => file_answer(request, found, date, keep_alive),
            Err(error) => Answer::text(request, error.status, &error.text, keep_alive),
        };
        self.send_answer(id, answer, keep_alive);
    }

    /// Counts a request, and says whether its connection has had as many as it may have.
    pub(super) fn is_last_request(&self, id: Id) -> bool {
        let last = self.with_conn(id, |conn| {
            let serving = conn.serving()?;
            serving.requests += 1;
            Some(serving.requests == serving.site.options.max_requests)
        });
        last.flatten() == Some(true)
    }

    fn send_answer(&self, id: Id, answer: Answer, keep_alive: bool) {
        let now = self.now();
        let Some(slot) = self.shared().slots.get(id) else {
            return;
        };
        let close = self.with_conn(id, |conn| {
            self.write_control(conn, slot, |_, out| out.extend_from_slice(&answer.head));
            let serving = conn.serving()?;
            serving.deadline = serving.site.deadline(now);
            if let Some((file, left)) = answer.body {
                serving.phase = Phase::Sending {
                    file,
                    left,
                    keep_alive,
                };
                self.mark_dirty(conn);
                return Some(false);
            }
            Some(!keep_alive)
        });
        if close.flatten() == Some(true) {
            self.finish(id, None, true);
        }
    }

    /// Sends the next part of a file, once what was sent before has left.
    pub(crate) fn serve_on(&self, id: Id) {
        while let Some(progress) = self.with_conn(id, |conn| conn.next_part(self.now())).flatten() {
            match progress {
                Progress::Part(count) => {
                    let Some(slot) = self.shared().slots.get(id) else {
                        return;
                    };
                    slot.add_buffered(count);
                    let flushed = self.with_conn(id, |conn| self.flush_outbox(conn));
                    match flushed {
                        Some(Ok(count)) => slot.sub_buffered(count),
                        Some(Err(error)) => return self.transport_failed(id, &error),
                        None => return,
                    }
                }
                Progress::Done { keep_alive: true } => self.with_turn(id, || self.feed_stash(id)),
                Progress::Done { keep_alive: false } => return self.finish(id, None, true),
                Progress::Failed => return self.finish(id, None, false),
            }
        }
    }
}

enum Progress {
    Part(usize),
    Done { keep_alive: bool },
    Failed,
}

impl Conn {
    fn next_part(&mut self, now: Millis) -> Option<Progress> {
        let Stage::Serving(serving) = &mut self.stage else {
            return None;
        };
        if let Phase::Leaving { left, .. } = &mut serving.phase
            && self.outbox.len() < *left
        {
            *left = self.outbox.len();
            serving.deadline = serving.site.deadline(now);
        }
        if !self.outbox.is_empty() {
            return None;
        }
        if let Phase::Leaving { keep_alive, .. } = serving.phase {
            serving.phase = Phase::Reading;
            return Some(Progress::Done { keep_alive });
        }
        let Phase::Sending {
            file,
            left,
            keep_alive,
        } = &mut serving.phase
        else {
            return None;
        };
        let keep_alive = *keep_alive;
        if *left == 0 {
            serving.phase = Phase::Reading;
            return Some(Progress::Done { keep_alive });
        }
        let length = FILE_CHUNK.min(usize::try_from(*left).unwrap_or(FILE_CHUNK));
        let mut chunk = vec![0; length];
        match file.read(&mut chunk) {
            // A file that has become shorter can't fill its Content-Length: only cutting says so.
            Ok(0) | Err(_) => Some(Progress::Failed),
            Ok(count) => {
                *left -= count as u64;
                serving.deadline = serving.site.deadline(now);
                self.outbox.push(&chunk[..count]);
                Some(Progress::Part(count))
            }
        }
    }
}

struct Answer {
    head: Vec<u8>,
    body: Option<(File, u64)>,
}

impl Answer {
    fn text(request: &Request, status: u16, text: &str, keep_alive: bool) -> Answer {
        Answer::typed(request, status, "text/plain; charset=utf-8", text, keep_alive)
    }

    fn typed(request: &Request, status: u16, kind: &str, text: &str, keep_alive: bool) -> Answer {
        let headers = [("Content-Type", kind), ("Connection", persistence(keep_alive))];
        let mut head = Vec::new();
        let encoded = encode_response(status, &headers, Framing::Length(text.len() as u64), &mut head);
        if let Err(error) = encoded {
            log::error!("an answer could not be encoded: {error}");
        }
        if request.method != Method::HEAD {
            head.extend_from_slice(text.as_bytes());
        }
        Answer { head, body: None }
    }

    fn redirect(location: &str, keep_alive: bool) -> Answer {
        let headers = [("Location", location), ("Connection", persistence(keep_alive))];
        let mut head = Vec::new();
        if let Err(error) = encode_whole_response(301, &headers, b"", &mut head) {
            log::error!("a redirect could not be encoded: {error}");
        }
        Answer { head, body: None }
    }
}

fn persistence(keep_alive: bool) -> &'static str {
    if keep_alive { "keep-alive" } else { "close" }
}

fn file_answer(request: &Request, found: Found, date: Option<Duration>, keep_alive: bool) -> Answer {
    match found {
        Found::File { mut file, path, meta } => {
            let response = files::respond(request, &path, &meta, date, keep_alive);
            let Range { start, end } = response.range;
            if start > 0 && file.seek(SeekFrom::Start(start)).is_err() {
                return Answer::text(request, 500, "the file can't be read from there", keep_alive);
            }
            Answer {
                head: response.head,
                body: (end > start).then_some((file, end - start)),
            }
        }
        Found::Folder => {
            let query = request
                .query()
                .map(|query| format!("?{query}"))
                .unwrap_or_default();
            Answer::redirect(&format!("{}/{query}", request.path()), keep_alive)
        }
    }
}
