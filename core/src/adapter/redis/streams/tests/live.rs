//! Clients come back whose node has died, or has not noticed that they have gone.

use super::super::super::cluster::testing::*;

fn world() -> World {
    let world = World::new(STREAMS, 3);
    world.connect(0, "x", &[]);
    world.adapter(0).add_all("x", &["room"]);
    world.server.advance(1);
    world
}

fn emit(world: &World, node: usize, name: &str, rooms: &[&str]) {
    let array = format!("[\"{name}\"]");
    world.adapter(node).broadcast(&packet(&array), &to(rooms, &[]));
    world.server.deliver();
}

fn missed(world: &World, node: usize, offset: Option<&str>) -> Vec<String> {
    let restored = world.come_back(node, "x", offset);
    world.server.deliver();
    let missed = restored.lock().take().unwrap();
    missed.iter().map(|line| without_offset(line)).collect()
}

/// The node dies: it says nothing any more.
fn kill(world: &World, node: usize) {
    world.nodes[node].bus.cut();
    world.take_log(node);
}

#[test]
fn a_node_that_dies_takes_nothing_with_it() {
    let world = world();
    emit(&world, 1, "seen", &["room"]);
    let offset = offset_in(&world.take_log(0)[0]).unwrap();
    emit(&world, 1, "lost on the way", &["room"]);
    kill(&world, 0);
    emit(&world, 1, "missed", &["x"]);
    emit(&world, 1, "others", &["others"]);
    let expected = ["[\"lost on the way\"]", "[\"missed\"]"];
    assert_eq!(missed(&world, 1, Some(&offset)), expected);
    emit(&world, 2, "new", &["room"]);
    assert_eq!(world.happened(), ["x [\"new\"]"]);
    // And once more, after a while in which nothing changed.
    world.server.advance(60_000);
    kill(&world, 1);
    world.server.advance(119_000);
    emit(&world, 2, "missed", &["room"]);
    let (reply, entries) = hold();
    crate::adapter::redis::Bus::range(&*world.nodes[2].bus, "socket.io", "-", "+", 100, reply);
    world.server.deliver();
    let entries = entries.lock().take().unwrap().unwrap();
    let new = &entries[entries.len() - 2].0;
    assert_eq!(missed(&world, 2, Some(new)), ["[\"missed\"]"]);
}

#[test]
fn who_never_got_anything_survives_too() {
    let world = world();
    emit(&world, 1, "others", &["others"]);
    kill(&world, 0);
    emit(&world, 1, "first", &["room"]);
    assert_eq!(missed(&world, 2, None), ["[\"first\"]"]);
}

#[test]
fn a_former_socket_is_disconnected_where_it_still_is() {
    let world = world();
    emit(&world, 1, "seen", &["room"]);
    let offset = offset_in(&world.take_log(0)[0]).unwrap();
    assert_eq!(missed(&world, 1, Some(&offset)), Vec::<String>::new());
    assert_eq!(world.take_log(0), ["x goes true"]);
    // It goes, and takes nothing with it.
    world.server.advance(50);
    world.adapter(0).del_all("x");
    world.crowd(0).sockets.lock().clear();
    world.server.deliver();
    world.server.advance(10_000);
    kill(&world, 1);
    emit(&world, 2, "missed", &["room"]);
    assert_eq!(missed(&world, 2, Some(&offset)), ["[\"missed\"]"]);
}

#[test]
fn a_former_socket_on_the_same_node_goes_first() {
    let world = world();
    emit(&world, 1, "seen", &["room"]);
    let offset = offset_in(&world.take_log(0)[0]).unwrap();
    let restored = world.come_back(0, "x", Some(&offset));
    world.server.deliver();
    assert_eq!(world.take_log(0), ["x goes true"]);
    world.server.advance(1_000);
    assert!(restored.lock().is_none());
    world.adapter(0).del_all("x");
    world.crowd(0).sockets.lock().clear();
    emit(&world, 1, "missed", &["room"]);
    world.server.advance(20);
    let missed = restored.lock().take().unwrap();
    assert_eq!(without_offset(&missed[0]), "[\"missed\"]");
}

#[test]
fn who_has_left_does_not_come_back() {
    let world = world();
    world.adapter(0).del_all("x");
    world.crowd(0).sockets.lock().clear();
    world.server.deliver();
    world.server.advance(100_000);
    assert_eq!(missed(&world, 1, None), ["begins anew"]);
    // Nor does anything go on when nobody is there.
    assert_eq!(world.server.waiting(), 0);
}
