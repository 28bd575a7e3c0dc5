//! Books in a file, as they are found after a crash.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use refundry_gateways::simulated::{BookKeeper, Books, RefundOrder, Status};
use refundry_gateways::{Answer, Purpose, Transport, TransportLimits};

use crate::{Provider, ask};

/// A path in the build directory where no file is.
fn fresh(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{}: {error}", path.display()),
        _ => path,
    }
}

fn order(key: &str, amount_minor: i64) -> RefundOrder {
    RefundOrder {
        key: key.to_owned(),
        payment: "pay_1".to_owned(),
        currency: "USD".to_owned(),
        amount_minor,
        account: String::new(),
    }
}

#[tokio::test]
async fn a_provider_that_comes_back_still_knows_everything() {
    let path = fresh("comes_back.jsonl");
    let transport = Transport::new(TransportLimits::default());
    let legs = [ask(1, 1000, ""), ask(2, 4002, ""), ask(3, 4002, ""), ask(4, 4001, ""), ask(5, 4003, "")];

    let provider = Provider::start(BookKeeper::open(&path).unwrap());
    for leg in &legs {
        transport.ask(&provider.gateway(), Purpose::Refund, leg).await;
    }
    transport.ask(&provider.gateway(), Purpose::Lookup, &legs[1]).await;
    provider.stop().await;

    let books = reopened(&path);
    let standing: Vec<_> = books.read(|books| books.refunds().map(|refund| refund.status).collect());
    assert_eq!(standing, [Status::Done, Status::Done, Status::Pending, Status::Declined, Status::Done]);
    assert_eq!(books.read(Books::paid_minor).get("USD"), Some(&(1000 + 4002 + 4003)));

    let provider = Provider::start(books.clone());
    let again = transport.ask(&provider.gateway(), Purpose::Refund, &legs[0]).await;
    assert!(matches!(again, Answer::Done { amount_minor: 1000, .. }), "{again:?}");
    let first_answer = transport.ask(&provider.gateway(), Purpose::Refund, &legs[1]).await;
    assert!(matches!(first_answer, Answer::Pending { .. }), "{first_answer:?}");
    let settled = transport.ask(&provider.gateway(), Purpose::Lookup, &legs[1]).await;
    assert!(matches!(settled, Answer::Done { .. }), "{settled:?}");
    assert_eq!(books.read(Books::count), 5);
    provider.stop().await;
}

#[test]
fn a_torn_last_line_is_cut_off() {
    let path = fresh("torn.jsonl");
    let books = BookKeeper::open(&path).unwrap();
    books.refund(&order("1", 1000)).unwrap();
    let first_bytes = fs::metadata(&path).unwrap().len();
    books.refund(&order("2", 2000)).unwrap();
    drop(books);
    let whole = fs::read(&path).unwrap();

    // Whatever part of the second line got to the file, the first is kept and the second can be written anew.
    for bytes in usize::try_from(first_bytes).unwrap()..whole.len() {
        fs::write(&path, &whole[..bytes]).unwrap();
        let books = BookKeeper::open(&path).unwrap();
        assert_eq!(books.read(Books::count), 1, "cut at byte {bytes}");
        books.refund(&order("2", 2000)).unwrap();
        drop(books);
        assert_eq!(fs::read(&path).unwrap(), whole, "cut at byte {bytes}");
    }
}

#[test]
fn a_whole_line_that_is_not_ours_is_an_error() {
    let path = fresh("foreign.jsonl");
    BookKeeper::open(&path).unwrap().refund(&order("1", 1000)).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{}\n").unwrap();
    drop(file);
    let before = fs::read(&path).unwrap();
    assert_eq!(BookKeeper::open(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(fs::read(&path).unwrap(), before, "a file that is not understood is left alone");
}

#[test]
fn a_file_has_one_keeper_at_a_time() {
    let path = fresh("locked.jsonl");
    let first = BookKeeper::open(&path).unwrap();
    assert_eq!(BookKeeper::open(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(first);
    reopened(&path);
}

fn reopened(path: &std::path::Path) -> BookKeeper {
    BookKeeper::open(path).expect("books that nobody keeps")
}
