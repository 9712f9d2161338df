//! Routes: requests with bodies, answers that come later, upgrades with settings of their own.

use crate::support::routes::{get, ok, response, routed};
use crate::support::{Peer, port, recorder, serve, started};

#[test]
fn a_request_is_answered_later_and_the_connection_goes_on() {
    let (options, heard) = routed(|_| {});
    let on_loop = started();
    let server = serve(&on_loop, options, recorder().0);
    let mut peer = Peer::connect(port(server));
    for round in ["one", "two"] {
        peer.send(&get(&format!("/r/{round}?a=b")));
        let request = heard.request();
        assert_eq!(request.head.path(), format!("/r/{round}"));
        assert_eq!(request.head.query(), Some("a=b"));
        assert_eq!(request.remote, Some(peer.stream.local_addr().unwrap()));
        assert!(request.body.is_empty() && !request.secure);
        let mut answer = ok(round.as_bytes());
        answer.headers.push(("X-Round".into(), round.into()));
        request.exchange.respond(answer);
        let (head, body) = response(&mut peer);
        let expected = format!(
            "HTTP/1.1 200 OK\r\nX-Round: {round}\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n"
        );
        assert_eq!((head, body), (expected, round.as_bytes().to_vec()));
    }
}
