//! A request whose answer waits for another node.

use crate::event_loop::Home;
use crate::route::HttpRequest;

/// A request that is answered on the thread of its loop, because another HTTP server's may have to be; and never once that loop has
/// ended, whose clients have gone.
pub(crate) struct Held {
    request: Option<HttpRequest>,
    home: Home,
}

impl Held {
    pub(super) fn new(request: HttpRequest, home: Home) -> Held {
        Held {
            request: Some(request),
            home,
        }
    }

    /// Does this with the request, soon, on that thread.
    pub(crate) fn run(mut self, answer: impl FnOnce(HttpRequest) + Send + 'static) {
        self.home.run(Box::new(move || {
            if let Some(request) = self.request.take() {
                answer(request);
            }
        }));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            request.exchange.abandon();
        }
    }
}
