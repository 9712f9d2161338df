//! Our own client and server with each other.

use sockline::{ReadyState, Settings, TlsVersion};

use crate::certificates::Authority;
use crate::support::What;
use crate::{secured, secured_with};

#[test]
fn messages_pass_both_ways_and_the_end_is_clean() {
    let authority = Authority::new("test authority");
    let ends = secured(authority.server(), authority.client());
    let _ = ends.client.send_text("there").unwrap();
    ends.peer_events.text("there");
    let _ = ends.peer.send_text("and back").unwrap();
    ends.client_events.text("and back");
    ends.client.close(Some(1000), "done").unwrap();
    ends.peer_events.clean(1000, "done");
    ends.client_events.answered(1000);
    assert_eq!(ends.client.ready_state(), ReadyState::Closed);
}

#[test]
fn both_ends_tell_what_was_agreed_on() {
    let authority = Authority::new("test authority");
    let ends = secured(authority.server(), authority.client());
    let (client, server) = (ends.client.tls().unwrap(), ends.peer.tls().unwrap());
    assert_eq!(client.version, TlsVersion::Tls13);
    assert_eq!(client.cipher_suite, "TLS_AES_128_GCM_SHA256");
    assert_eq!(client.alpn.as_deref(), Some("http/1.1"));
    assert_eq!(client.server_name.as_deref(), Some("localhost"));
    assert!(client.peer_certificate.is_some());
    assert!(!client.resumed);
    assert_eq!(server.server_name, client.server_name);
    assert_eq!(server.cipher_suite, client.cipher_suite);
    assert_eq!(server.peer_certificate, None);
}

#[test]
fn big_messages_pass_both_ways() {
    let authority = Authority::new("test authority");
    let big = Settings {
        hard_limit: 0,
        ..Settings::client()
    };
    let ends = secured_with(authority.server(), authority.client(), big.clone(), big);
    for size in [1, 16_383, 16_384, 16_385, 65_536, 1 << 20, (5 << 20) + 7] {
        let data: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let _ = ends.client.send_binary(&data).unwrap();
        assert!(
            ends.peer_events.next_but_drain() == What::Binary(data.clone()),
            "{size}"
        );
        let _ = ends.peer.send_binary(&data).unwrap();
        assert!(
            ends.client_events.next_but_drain() == What::Binary(data),
            "{size}"
        );
    }
    assert_eq!(ends.client.buffered_amount(), 0);
    assert_eq!(ends.peer.buffered_amount(), 0);
}
