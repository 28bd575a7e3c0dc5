//! What the transport makes of peers that behave badly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use refundry_gateways::simulated::listen;
use refundry_gateways::{Answer, HttpOutcome, Purpose, Simulated, Transport, TransportLimits};
use tokio::task::JoinSet;

use crate::{ANY_PORT, ask, get, post};

/// A peer on a port and a thread of its own that does `act` with its listener.
fn peer(act: impl FnOnce(TcpListener) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    // This queue of unaccepted connections is long enough for 400 callers at once; the standard library's is not.
    let listener = listen(ANY_PORT).expect("a free port");
    let listener = listener.into_std().expect("a listener of the standard library");
    listener.set_nonblocking(false).expect("a listener that waits");
    let address = listener.local_addr().expect("a bound listener has an address");
    (address, thread::spawn(move || act(listener)))
}

/// A peer that takes one connection, reads a request head and then says `words` and closes.
fn peer_saying(words: &'static str) -> (SocketAddr, JoinHandle<()>) {
    peer(move |listener| {
        let (mut stream, _) = listener.accept().expect("one caller");
        read_head(&mut stream);
        stream.write_all(words.as_bytes()).expect("the caller listens");
    })
}

/// Reads a request without a body to its end.
fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).expect("a whole head"), 1, "the caller hung up within its head");
        head.extend_from_slice(&byte);
    }
}

#[tokio::test]
async fn nobody_listens_so_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    drop(listener);
    let transport = Transport::new(TransportLimits::default());
    let outcome = transport.call(post(format!("http://{address}/refunds"), "{}")).await;
    assert!(matches!(outcome, HttpOutcome::NotSent { .. }), "{outcome:?}");

    // A request to pay was surely not taken this time; a look-up has learnt nothing.
    let gateway = Simulated::remote(&format!("http://{address}"));
    let answer = transport.ask(&gateway, Purpose::Refund, &ask(1, 1000, "")).await;
    assert!(matches!(answer, Answer::NotTaken { .. }), "{answer:?}");
    let answer = transport.ask(&gateway, Purpose::Lookup, &ask(1, 1000, "")).await;
    assert!(matches!(answer, Answer::Unknown { .. }), "{answer:?}");
}

#[tokio::test]
async fn addresses_that_cannot_be_called_are_not_sent() {
    let transport = Transport::new(TransportLimits::default());
    for url in ["", "/refunds", "http://", "ftp://127.0.0.1/", "127.0.0.1:1"] {
        let outcome = transport.call(get(url.to_owned())).await;
        assert!(matches!(outcome, HttpOutcome::NotSent { .. }), "{url}: {outcome:?}");
    }
    let mut request = get("http://127.0.0.1:1/".to_owned());
    request.headers.push(("a b".to_owned(), "c\n".to_owned()));
    let outcome = transport.call(request).await;
    assert_eq!(outcome, HttpOutcome::NotSent { reason: "a header is malformed".to_owned() });
}

#[tokio::test]
async fn a_connection_that_is_accepted_and_closed_is_broken() {
    let (address, peer) = peer(|listener| drop(listener.accept().expect("one caller")));
    let transport = Transport::new(TransportLimits::default());
    let outcome = transport.call(post(format!("http://{address}/refunds"), "{}")).await;
    assert!(matches!(outcome, HttpOutcome::Broken { .. }), "{outcome:?}");
    peer.join().expect("the peer did its part");
}

#[tokio::test]
async fn half_an_answer_is_broken() {
    let halves = [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"key\":",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"key",
        "no http at all\r\n\r\n",
    ];
    for words in halves {
        let (address, peer) = peer_saying(words);
        let outcome = Transport::new(TransportLimits::default()).call(get(format!("http://{address}/"))).await;
        assert!(matches!(outcome, HttpOutcome::Broken { .. }), "{words:?}: {outcome:?}");
        peer.join().expect("the peer did its part");
    }
}

#[tokio::test]
async fn a_whole_answer_is_handed_on_whatever_its_status() {
    for (words, status, body) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", 302, ""),
        ("HTTP/1.1 599 Odd\r\ncontent-length: 2\r\n\r\nno", 599, "no"),
    ] {
        let (address, peer) = peer_saying(words);
        let outcome = Transport::new(TransportLimits::default()).call(get(format!("http://{address}/"))).await;
        assert_eq!(outcome, HttpOutcome::Answered { status, body: body.as_bytes().to_vec() });
        peer.join().expect("the peer did its part");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_broken() {
    let limits = TransportLimits { body_bytes_max: 4, ..TransportLimits::default() };
    for (words, fits) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n1234", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n123\r\n2\r\n45\r\n0\r\n\r\n", false),
    ] {
        let (address, peer) = peer_saying(words);
        let outcome = Transport::new(limits).call(get(format!("http://{address}/"))).await;
        assert_eq!(matches!(outcome, HttpOutcome::Answered { .. }), fits, "{outcome:?}");
        assert_eq!(matches!(outcome, HttpOutcome::Broken { .. }), !fits, "{outcome:?}");
        peer.join().expect("the peer did its part");
    }
}

#[tokio::test]
async fn silence_past_the_deadline_is_broken() {
    // The listener never accepts; the kernel completes the connection for it, so the request is written and unread.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("a bound listener has an address");
    let limits = TransportLimits { deadline: Duration::from_millis(50), ..TransportLimits::default() };
    let outcome = Transport::new(limits).call(get(format!("http://{address}/"))).await;
    assert_eq!(outcome, HttpOutcome::Broken { reason: "no complete answer within 50 ms".to_owned() });
}

#[tokio::test]
async fn an_address_that_a_stranger_chose_leads_into_no_private_network() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    let transport = Transport::new(TransportLimits { public_only: true, ..TransportLimits::default() });
    // In digits, by a name, and in digits that only the look-up reads as such.
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "2130706433", "0x7f.1"] {
        let outcome = transport.call(post(format!("http://{host}:{port}/"), "{}")).await;
        assert!(matches!(outcome, HttpOutcome::NotSent { .. }), "{host}: {outcome:?}");
    }
    listener.set_nonblocking(true).expect("a listener that does not wait");
    assert!(listener.accept().is_err(), "nobody came");
}

#[tokio::test]
async fn a_call_that_never_gets_a_slot_is_not_sent() {
    let limits = TransportLimits { deadline: Duration::from_millis(1), in_flight_max: 0, ..TransportLimits::default() };
    let outcome = Transport::new(limits).call(get("http://127.0.0.1:1/".to_owned())).await;
    let reason = "no slot for another call became free in time".to_owned();
    assert_eq!(outcome, HttpOutcome::NotSent { reason });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hundred_calls_are_in_flight_together() {
    const CALLS: usize = 400;
    // No call is answered before all have arrived, so the test ends only if they are in flight at the same time.
    let (address, peer) = peer(|listener| {
        let mut callers = Vec::new();
        while callers.len() < CALLS {
            let (mut stream, _) = listener.accept().expect("another caller");
            read_head(&mut stream);
            callers.push(stream);
        }
        for mut stream in callers {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("the caller listens");
        }
    });
    let transport = Transport::new(TransportLimits::default());
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let transport = transport.clone();
        calls.spawn(async move { transport.call(get(format!("http://{address}/"))).await });
    }
    for outcome in calls.join_all().await {
        assert_eq!(outcome, HttpOutcome::Answered { status: 200, body: b"ok".to_vec() });
    }
    peer.join().expect("the peer did its part");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (address, peer) = peer(|listener| {
        let (mut stream, _) = listener.accept().expect("one caller");
        for _ in 0..3 {
            read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("the caller listens");
        }
    });
    let transport = Transport::new(TransportLimits::default());
    for _ in 0..3 {
        let outcome = transport.call(get(format!("http://{address}/"))).await;
        assert_eq!(outcome, HttpOutcome::Answered { status: 200, body: Vec::new() });
    }
    peer.join().expect("the peer did its part");
}
