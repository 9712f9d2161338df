use super::*;

fn pending(outbox: &Outbox) -> Vec<u8> {
    let queue = match outbox {
        Outbox::Queue(queue) => queue.as_ref().unwrap(),
        Outbox::Shared(bytes) => return bytes.to_vec(),
    };
    let chunks = queue.chunks.iter();
    let all: Vec<u8> = chunks.flat_map(|chunk| chunk.bytes().to_vec()).collect();
    all[queue.offset..].to_vec()
}

#[test]
fn keeps_order_over_own_and_shared_chunks() {
    let mut outbox = Outbox::default();
    outbox.push(b"one ");
    outbox.share_message(Frame::new(Bytes::from_static(b"two ")), Tracking::NONE);
    outbox.push(b"three");
    assert_eq!(outbox.len(), 13);
    outbox.leave(5, &mut |_| ());
    assert_eq!(pending(&outbox), b"wo three");
    outbox.leave(8, &mut |_| ());
    assert!(outbox.is_empty());
}

#[test]
fn a_shared_message_alone_is_followed_in_order() {
    let mut outbox = Outbox::default();
    outbox.share_message(Frame::new(Bytes::from_static(b"one ")), Tracking::NONE);
    assert!(matches!(outbox, Outbox::Shared(_)));
    assert_eq!((outbox.len(), outbox.earliest_deadline()), (4, NEVER));
    assert_eq!(outbox.drop_oldest(0), None);
    outbox.share_message(Frame::new(Bytes::from_static(b"two ")), Tracking::NONE);
    let (tracking, bytes) = message("three", 3, 50);
    outbox.append_message(tracking, |out| out.extend_from_slice(&bytes));
    assert_eq!((outbox.len(), outbox.earliest_deadline()), (13, 50));
    assert_eq!(pending(&outbox), b"one two three");
    outbox.leave(6, &mut |_| ());
    assert_eq!(pending(&outbox), b"o three");
    let mut lost = Vec::new();
    outbox.clear(|token| lost.push(token));
    assert!(outbox.is_empty() && lost == [3]);
}

#[test]
fn a_shared_message_of_which_a_part_has_left_waits_with_the_rest() {
    let mut outbox = Outbox::default();
    outbox.share_message(Frame::new(Bytes::from_static(b"one ")), Tracking::NONE);
    outbox.leave(3, &mut |_| ());
    assert_eq!((pending(&outbox), outbox.len()), (b" ".to_vec(), 1));
    outbox.leave(1, &mut |_| ());
    assert!(outbox.is_empty());
}

#[test]
fn appending_nothing_leaves_nothing() {
    let mut outbox = Outbox::default();
    outbox.append(|_| ());
    outbox.push(b"");
    outbox.share_message(Frame::new(Bytes::new()), Tracking::NONE);
    assert!(outbox.is_empty());
}

fn message(text: &str, token: u64, deadline: Millis) -> (Tracking, Vec<u8>) {
    let tracking = Tracking {
        token: Some(token),
        deadline,
        may_drop: true,
    };
    (tracking, text.as_bytes().to_vec())
}

/// Two control frames around each of these messages, of which the first has begun to leave.
fn filled() -> Outbox {
    let mut outbox = Outbox::default();
    for (text, token, deadline) in [("one ", 1, NEVER), ("two ", 2, 50), ("three ", 3, NEVER)] {
        let (tracking, bytes) = message(text, token, deadline);
        outbox.append_message(tracking, |out| out.extend_from_slice(&bytes));
        outbox.push(b"ping ");
    }
    outbox.leave(1, &mut |_| ());
    outbox
}

#[test]
fn the_oldest_message_goes_but_not_one_that_has_begun_nor_control_frames() {
    let mut outbox = filled();
    let dropped = |bytes, token| {
        Some(Dropped {
            bytes,
            token: Some(token),
        })
    };
    assert_eq!(outbox.drop_oldest(0), dropped(4, 2));
    assert_eq!(outbox.drop_oldest(0), dropped(6, 3));
    assert_eq!(outbox.drop_oldest(0), None);
    assert_eq!(pending(&outbox), b"ne ping ping ping ");
    assert_eq!(outbox.len(), 18);
    let Outbox::Queue(queue) = &outbox else {
        panic!("it is a queue")
    };
    let chunks = queue.as_ref().map(|queue| queue.chunks.len());
    assert_eq!(chunks, Some(2), "control frames come together");
}

#[test]
fn what_is_encrypted_already_has_begun() {
    let mut outbox = filled();
    // The rest of the first message, the ping behind it, and the first byte of the second message.
    let pledged = 3 + 5 + 1;
    assert_eq!(outbox.drop_oldest(pledged).map(|lost| lost.bytes), Some(6));
    assert_eq!(outbox.drop_oldest(pledged), None);
    assert_eq!(outbox.drop_oldest(pledged - 1).map(|lost| lost.bytes), Some(4));
}

#[test]
fn a_deadline_drops_what_has_not_begun() {
    let mut outbox = filled();
    let mut lost = Vec::new();
    assert_eq!(outbox.earliest_deadline(), 50);
    outbox.drop_expired(49, 0, |dropped| lost.push(dropped.token));
    assert_eq!(lost, []);
    outbox.drop_expired(50, 0, |dropped| lost.push(dropped.token));
    assert_eq!((lost, outbox.earliest_deadline()), (vec![Some(2)], NEVER));
    assert_eq!(pending(&outbox), b"ne ping ping three ping ");
}

#[test]
fn tokens_come_in_order_when_the_last_byte_has_left() {
    let mut outbox = Outbox::default();
    for (token, may_drop) in [(1, false), (2, false), (3, true), (4, false)] {
        let tracking = Tracking {
            token: Some(token),
            may_drop,
            ..Tracking::NONE
        };
        outbox.append_message(tracking, |out| out.extend_from_slice(b"abc"));
    }
    let left: Vec<Vec<u64>> = [2, 1, 4, 1, 4]
        .into_iter()
        .map(|taken| {
            let mut left = Vec::new();
            outbox.leave(taken, &mut |token| left.push(token));
            left
        })
        .collect();
    assert_eq!(left, [vec![], vec![1], vec![2], vec![], vec![3, 4]]);
    assert!(outbox.is_empty());
}

/// Sends all that waits, to a peer that has room for it.
#[cfg(unix)]
fn sent(outbox: &mut Outbox, spare: &mut Spare) {
    let (near, _far) = mio::net::UnixStream::pair().unwrap();
    let count = outbox.len();
    let mut stream = Stream::Unix(near);
    assert_eq!(outbox.flush(&mut stream, spare, |_| ()).unwrap(), count);
    assert!(outbox.is_empty());
}

#[cfg(unix)]
#[test]
fn the_memory_of_what_was_sent_is_the_next_ones() {
    let place = |outbox: &Outbox| match outbox {
        Outbox::Queue(Some(queue)) => queue.chunks[0].bytes().as_ptr(),
        _ => panic!("nothing waits"),
    };
    let (mut one, mut other, mut spare) = (Outbox::default(), Outbox::default(), Spare::default());
    let (tracking, bytes) = message("message", 1, 50);
    one.append(|out| out.extend_from_slice(b"one"));
    let before = place(&one);
    one.append_message(tracking, |out| out.extend_from_slice(&bytes));
    sent(&mut one, &mut spare);
    other.take_from(&mut spare);
    other.append(|out| out.extend_from_slice(b"other"));
    assert_eq!(place(&other), before);
    assert_eq!(
        (pending(&other), other.earliest_deadline()),
        (b"other".to_vec(), NEVER)
    );
    other.take_from(&mut spare);
    assert_eq!(pending(&other), b"other");
}

#[cfg(unix)]
#[test]
fn memory_that_one_message_has_made_large_is_given_back() {
    let (mut outbox, mut spare) = (Outbox::default(), Spare::default());
    outbox.append(|out| {
        out.reserve_exact(KEPT + 1);
        out.push(0);
    });
    sent(&mut outbox, &mut spare);
    assert_eq!(spare.0.map(|queue| queue.spare.capacity()), Some(0));
}
