use sockline::io::NamespaceQuestion;

use crate::fixture::{serve, serve_with, set};

#[test]
fn one_client_is_in_several_namespaces_over_one_connection() {
    let fixture = serve();
    fixture.io.of("news");
    fixture.hears(&["new namespace /news"]);
    let (mut client, main) = fixture.joined();
    client.join("/news");
    let news = fixture.socket();
    assert_ne!(main.id(), news.id());
    assert_eq!(main.session_id(), news.session_id());
    fixture.skip();
    client.say("42/news,[\"a\"]");
    client.say("42[\"b\"]");
    fixture.hears(&["event a []", "event b []"]);
    client.say("41/news,");
    fixture.hears(&[
        "disconnecting client namespace disconnect 1",
        "disconnect /news client namespace disconnect",
    ]);
    client.say("42[\"c\"]");
    fixture.hears(&["event c []"]);
    fixture.io.of("/news").emit("nobody", "", &[]).unwrap();
    client.gets_nothing_more(&fixture, &main);
    assert_eq!(fixture.io.metrics().sockets, 1);
}

#[test]
fn a_namespace_is_made_for_who_asks_if_the_application_wants() {
    let fixture = serve();
    let mut client = fixture.client();
    client.say("40/dynamic-1,");
    client.gets(&["44/dynamic-1,{\"message\":\"Invalid namespace\"}"]);
    fixture.io.set_dynamic_namespaces(true);
    set(
        &fixture.handler.on_namespace,
        Box::new(|question: NamespaceQuestion| {
            if question.name().starts_with("/dynamic-") {
                NamespaceQuestion::from_raw(question.into_raw()).unwrap().allow();
            } else {
                question.deny();
            }
        }),
    );
    client.say("40/static,{\"a\":1}");
    client.gets(&["44/static,{\"message\":\"Invalid namespace\"}"]);
    fixture.hears(&["namespace /static {\"a\":1}"]);
    client.join("/dynamic-1");
    fixture.hears(&["namespace /dynamic-1 {}", "new namespace /dynamic-1"]);
    fixture.hears(&["connecting /dynamic-1 {}", "connection /dynamic-1"]);
    let mut other = fixture.client();
    other.join("/dynamic-1");
    fixture.hears(&["connecting /dynamic-1 {}", "connection /dynamic-1"]);
    assert_eq!(fixture.io.namespaces().len(), 2);
}

#[test]
fn a_namespace_may_be_decided_on_later() {
    let fixture = serve();
    fixture.io.set_dynamic_namespaces(true);
    let (sender, questions) = crossbeam_channel::unbounded();
    set(
        &fixture.handler.on_namespace,
        Box::new(move |question| drop(sender.send(question))),
    );
    let mut client = fixture.client();
    client.say("40/a,");
    client.say("40/b,");
    let first: NamespaceQuestion = questions.recv().unwrap();
    let second: NamespaceQuestion = questions.recv().unwrap();
    assert_eq!((first.name(), second.name()), ("/a", "/b"));
    drop(first);
    client.gets(&["44/a,{\"message\":\"Invalid namespace\"}"]);
    second.allow();
    client.joined("/b");
}

#[test]
fn an_empty_child_goes_and_others_stay() {
    let fixture = serve_with(|options| options.cleanup_empty_child_namespaces = true);
    fixture.io.of("/static");
    fixture.io.set_dynamic_namespaces(true);
    set(&fixture.handler.on_namespace, Box::new(NamespaceQuestion::allow));
    let (mut client, socket) = fixture.joined_to("/static");
    let mut one = fixture.client();
    one.join("/child");
    let mut two = fixture.client();
    two.join("/child");
    let names = || {
        let mut names: Vec<String> = fixture
            .io
            .namespaces()
            .iter()
            .map(|namespace| namespace.name().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["/", "/child", "/static"]);
    fixture.skip();
    one.say("41/child,");
    fixture.hears(&[
        "disconnecting client namespace disconnect 1",
        "disconnect /child client namespace disconnect",
    ]);
    assert_eq!(names(), ["/", "/child", "/static"]);
    two.say("41/child,");
    client.say("41/static,");
    for _ in 0..4 {
        fixture.next();
    }
    fixture.settle();
    assert_eq!(names(), ["/", "/static"]);
    assert!(!socket.connected());
    two.join("/child");
}
