//! When and how a client that has lost its connection comes back.

use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorCode, Result};

/// A peer that says when to come back isn't believed beyond this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Connect again when the connection is lost, or can't be made. `Reconnect::default()` has the documented defaults.
///
/// The handle stays: `on_open` comes once, then `on_reconnecting` and `on_reconnected` with `ReadyState::Connecting`
/// between them, and `on_close` only when it is given up or closed here. What was accepted for sending, and not yet
/// taken by the system, is lost with its connection.
///
/// The wait before an attempt is a random time up to `base_delay * factor^n`, at most `max_delay`, where n counts the
/// attempts since the connection was last open for `stable_after` ("full jitter": those who lose a server together
/// don't come back together). A server that answers 429 or 503 with Retry-After is not asked before that.
///
/// It is given up after `max_attempts`, after a close code of `no_retry`, and when the next attempt could not end
/// otherwise: after status 4xx (but 408, 425 and 429), a redirect that can't be followed, or a bad [`Attempt`].
#[derive(Debug, Clone, PartialEq)]
pub struct Reconnect {
    /// The longest wait before the first attempt. Default: 1 s.
    pub base_delay: Duration,
    /// By how much it grows with each attempt; at least 1. Default: 2.
    pub factor: f64,
    /// The longest wait of all. Default: 30 s.
    pub max_delay: Duration,
    /// So long a connection has to last before the next loss counts as the first. Default: 10 s.
    pub stable_after: Duration,
    /// How many attempts to make in a row. Default: `None`, without end.
    pub max_attempts: Option<u32>,
    /// Close codes, of the peer or of its breach of the protocol, after which coming back is of no use. Default: 1000
    /// and 1005 (it has finished), 1002, 1003, 1007, 1008, 1009, 1010 (it, or we, would fail the same way again).
    pub no_retry: Vec<u16>,
    /// How many bytes of messages are kept while there is no connection, also before the first one; they are sent
    /// before all others once there is. More fails with [`ErrorCode::OutboxFull`], whatever the policy for slow
    /// consumers. Default: 0, sending fails then with [`ErrorCode::NotOpen`].
    pub outbox: usize,
}

impl Default for Reconnect {
    fn default() -> Reconnect {
        Reconnect {
            base_delay: Duration::from_secs(1),
            factor: 2.0,
            max_delay: Duration::from_secs(30),
            stable_after: Duration::from_secs(10),
            max_attempts: None,
            no_retry: vec![1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010],
            outbox: 0,
        }
    }
}

/// A connection is lost, and another attempt follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconnecting {
    /// Which attempt that will be: 1 for the first since the connection was last stable.
    pub attempt: u32,
    /// How long until then.
    pub delay: Duration,
    /// What went wrong; `None` if the peer closed in good order.
    pub error: Option<Error>,
    /// The peer's close code; 1005 and 1006 as in [`CloseEvent`](crate::CloseEvent).
    pub code: u16,
    /// The peer's reason; empty if there was none.
    pub reason: String,
}

/// What is about to be asked for again; a handler may change it. Each attempt begins with what `connect` was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where to connect.
    pub url: String,
    /// Further request headers.
    pub headers: Vec<(String, String)>,
    /// Which attempt it is, as in [`Reconnecting::attempt`].
    pub number: u32,
}

impl Reconnect {
    pub(crate) fn check(&self) -> Result<()> {
        if !(self.factor >= 1.0 && self.factor.is_finite()) {
            let text = format!("reconnect.factor must be a number from 1 on, not {}", self.factor);
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        Ok(())
    }

    /// The wait before attempt `number`, which counts from 1; `random` decides where in its range.
    pub(crate) fn delay(&self, number: u32, random: u64) -> Duration {
        let exponent = i32::try_from(number.saturating_sub(1)).unwrap_or(i32::MAX);
        let longest =
            (self.base_delay.as_secs_f64() * self.factor.powi(exponent)).min(self.max_delay.as_secs_f64());
        let share = random as f64 / u64::MAX as f64;
        // Out of range is only what overflows, and that has been cut to the longest wait.
        Duration::try_from_secs_f64(longest * share).unwrap_or(self.max_delay)
    }

    /// Whether another attempt would be of no use after this.
    pub(crate) fn is_final(&self, code: u16, error: Option<&Error>) -> bool {
        let breach = error.and_then(|error| Some(error.protocol_error()?.close_code()));
        self.no_retry.contains(&breach.unwrap_or(code)) || error.is_some_and(is_permanent)
    }
}

fn is_permanent(error: &Error) -> bool {
    match error.code() {
        ErrorCode::Refused | ErrorCode::Proxy => {
            matches!(error.http_status(), Some(status @ 400..500) if !matches!(status, 408 | 425 | 429))
        }
        ErrorCode::Redirect | ErrorCode::Unsupported | ErrorCode::InvalidArgument | ErrorCode::InvalidUrl => {
            true
        }
        _ => false,
    }
}

/// When the server that answered 429 or 503 wants to be asked again (RFC 9110 §10.2.3).
pub(crate) fn retry_after(error: &Error, now: SystemTime) -> Option<Duration> {
    let response = error.response()?;
    if !matches!(response.status, 429 | 503) {
        return None;
    }
    let (_, value) = response.headers.iter().find(|(name, _)| name == "retry-after")?;
    let text = std::str::from_utf8(value).ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?,
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::HttpResponse;
    use std::time::UNIX_EPOCH;

    #[test]
    fn the_wait_doubles_up_to_its_cap_and_is_anywhere_below() {
        let reconnect = Reconnect::default();
        let longest = |number| reconnect.delay(number, u64::MAX);
        let expected = [1, 2, 4, 8, 16, 30, 30];
        for (number, seconds) in (1..).zip(expected) {
            assert_eq!(longest(number), Duration::from_secs(seconds), "attempt {number}");
            assert_eq!(reconnect.delay(number, 0), Duration::ZERO);
            let half = reconnect.delay(number, u64::MAX / 2).as_secs_f64();
            assert!((half - seconds as f64 / 2.0).abs() < 0.001, "{half}");
        }
        assert_eq!(longest(u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn extremes_overflow_nothing() {
        let extreme = Reconnect {
            base_delay: Duration::MAX,
            factor: f64::MAX,
            max_delay: Duration::MAX,
            ..Reconnect::default()
        };
        assert!(extreme.check().is_ok());
        assert!(extreme.delay(u32::MAX, u64::MAX) > Duration::from_secs(1 << 60));
        let none = Reconnect {
            base_delay: Duration::ZERO,
            factor: f64::MAX,
            ..Reconnect::default()
        };
        assert!(
            none.delay(u32::MAX, u64::MAX) <= none.max_delay,
            "0 × ∞ is no number"
        );
        for factor in [0.5, -1.0, f64::NAN, f64::INFINITY] {
            let bad = Reconnect {
                factor,
                ..Reconnect::default()
            };
            assert!(bad.check().is_err(), "{factor}");
        }
    }

    fn answered(status: u16, retry_after: Option<&str>) -> Error {
        let header = |value: &str| ("retry-after".to_owned(), value.as_bytes().to_vec());
        Error::new(ErrorCode::Refused, "").with_response(HttpResponse {
            status,
            reason: String::new(),
            headers: retry_after.map(header).into_iter().collect(),
            body: Vec::new(),
        })
    }

    #[test]
    fn statuses_and_codes_decide_whether_it_is_of_use() {
        let reconnect = Reconnect::default();
        for (status, is_final) in [
            (400, true),
            (401, true),
            (404, true),
            (408, false),
            (425, false),
            (429, false),
        ] {
            assert_eq!(
                reconnect.is_final(1006, Some(&answered(status, None))),
                is_final,
                "{status}"
            );
        }
        for status in [200, 302, 500, 502, 503, 504] {
            assert!(
                !reconnect.is_final(1006, Some(&answered(status, None))),
                "{status}"
            );
        }
        for code in [1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010] {
            assert!(reconnect.is_final(code, None), "{code}");
        }
        for code in [1001, 1006, 1011, 1012, 1013, 1014, 3000, 4000] {
            assert!(!reconnect.is_final(code, None), "{code}");
        }
        let breach = Error::protocol(crate::ws::ProtocolError::InvalidText(0));
        assert!(reconnect.is_final(1006, Some(&breach)), "it would come again");
    }

    #[test]
    fn retry_after_is_a_number_or_a_date_of_429_and_503() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |status, text| retry_after(&answered(status, Some(text)), now);
        assert_eq!(wait(503, "120"), Some(Duration::from_secs(120)));
        assert_eq!(wait(429, " 7 "), Some(Duration::from_secs(7)));
        assert_eq!(
            wait(503, "Sun, 06 Nov 1994 08:50:37 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(wait(503, "Sun, 06 Nov 1994 08:40:00 GMT"), None, "that is over");
        assert_eq!(wait(503, "99999999999"), Some(MAX_RETRY_AFTER));
        assert_eq!((wait(503, "soon"), wait(500, "120")), (None, None));
        assert_eq!(retry_after(&answered(503, None), now), None);
    }
}
