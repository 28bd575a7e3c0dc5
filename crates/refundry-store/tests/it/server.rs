//! What only a server has: connections that are lost, writers beside each other, and TLS.

use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use refundry_store::{DatabaseUrl, Options, Store, StoreError};
use refundry_test_postgres::{Cluster, Cut, Proxy, Shutdown, Tls, fresh_database, shared_url};

use crate::{Backend, NOW_MS, Place, Scratch, count_pairs, insert_pair, pair_ids};

fn open(url: &str) -> Store {
    Store::open(&Options::server(DatabaseUrl::new(url), NOW_MS)).unwrap()
}

fn url_of(scratch: &Scratch) -> &str {
    match &scratch.place {
        Place::Server(database) => database.url(),
        Place::Folder(_) => panic!("a file has no URL"),
    }
}

#[test]
fn a_restarted_server_is_found_again() {
    let cluster = Cluster::start(&refundry_test_postgres::Options::default()).unwrap();
    let database = fresh_database(&cluster.url("postgres")).unwrap();
    let store = open(database.url());
    store.write(|tx| tx.execute("CREATE TABLE pairs (id BIGINT PRIMARY KEY, text TEXT)", &[])).unwrap();
    store.write(|tx| insert_pair(tx, 1)).unwrap();
    for (id, how) in [(2, Shutdown::Fast), (3, Shutdown::Immediate)] {
        cluster.restart(how).unwrap();
        assert_eq!(store.read(count_pairs), Ok(id - 1), "the connection of a reader was lost");
        store.write(|tx| insert_pair(tx, id)).unwrap();
    }
    // While it is away a writer waits for it, and does its work when it is back.
    cluster.stop(Shutdown::Fast).unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| store.write(|tx| insert_pair(tx, 4)));
        cluster.resume().unwrap();
        writer.join().unwrap().unwrap();
    });
    cluster.stop(Shutdown::Fast).unwrap();
    let impatient =
        Options { busy: Duration::from_millis(100), ..Options::server(DatabaseUrl::new(database.url()), 0) };
    assert!(matches!(Store::open(&impatient).err(), Some(StoreError::Unavailable { .. })));
    cluster.resume().unwrap();
    assert_eq!(pair_ids(&store), [1, 2, 3, 4]);
}

#[test]
fn a_connection_lost_before_the_commit_costs_nothing() {
    let scratch = Scratch::new(Backend::Postgres);
    let proxy = Proxy::start(url_of(&scratch)).unwrap();
    let store = open(&proxy.url());
    let mut runs = 0;
    let written = store.write(|tx| {
        runs += 1;
        insert_pair(tx, 1)?;
        if runs == 1 {
            proxy.cut_all();
        }
        insert_pair(tx, 2)
    });
    assert_eq!((written, runs), (Ok(()), 2));

    proxy.cut_next(Cut::BeforeCommit);
    let unsure = store.write(|tx| insert_pair(tx, 3));
    assert!(matches!(unsure, Err(StoreError::Unsure { .. })), "{unsure:?}");
    // Idle connections are lost without a word.
    proxy.cut_all();
    assert_eq!(pair_ids(&store), [1, 2]);
    proxy.cut_all();
    store.write(|tx| insert_pair(tx, 3)).unwrap();
    assert_eq!(pair_ids(&store), [1, 2, 3]);
}

#[test]
fn a_commit_whose_answer_was_lost_is_not_run_twice() {
    let scratch = Scratch::new(Backend::Postgres);
    let proxy = Proxy::start(url_of(&scratch)).unwrap();
    let store = open(&proxy.url());
    proxy.cut_next(Cut::AfterCommit);
    let mut runs = 0;
    let unsure = store.write(|tx| {
        runs += 1;
        insert_pair(tx, runs)
    });
    assert!(matches!(unsure, Err(StoreError::Unsure { .. })), "{unsure:?}");
    assert_eq!((runs, proxy.cuts()), (1, 1));
    assert_eq!(pair_ids(&store), [1], "it was done all the same");
}

#[test]
fn writers_who_wait_for_each_other_in_a_circle_both_get_through() {
    let scratch = Scratch::new(Backend::Postgres);
    let store = &scratch.store;
    store.write(|tx| insert_pair(tx, 1).and_then(|()| insert_pair(tx, 2))).unwrap();
    let (met, runs) = (Barrier::new(2), AtomicU32::new(0));
    thread::scope(|scope| {
        for ids in [[1, 2], [2, 1]] {
            let (met, runs) = (&met, &runs);
            scope.spawn(move || {
                let mut first = true;
                let touched = store.write(|tx| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    let touch = "UPDATE pairs SET text = text || 'y' WHERE id = ?1";
                    tx.execute(touch, &[ids[0].into()])?;
                    if std::mem::take(&mut first) {
                        met.wait();
                    }
                    tx.execute(touch, &[ids[1].into()])
                });
                assert_eq!(touched, Ok(1));
            });
        }
    });
    assert!(runs.load(Ordering::Relaxed) > 2, "one of the two was taken back and run again");
    let texts = store.read(|tx| tx.query("SELECT text FROM pairs", &[], |row| row.string(0))).unwrap();
    assert_eq!(texts, ["xyy", "xyy"]);
}

#[test]
fn rows_are_held_in_the_order_of_the_parameters_until_the_end() {
    let scratch = Scratch::with(Backend::Postgres, |options| options.busy = Duration::from_millis(200));
    let store = &scratch.store;
    store.write(|tx| insert_pair(tx, 1).and_then(|()| insert_pair(tx, 2))).unwrap();
    let hold = "SELECT id FROM pairs WHERE id = ?1 {lock}";
    let beside = store.write(|tx| {
        tx.lock_many(hold, &[[2.into()], [1.into()]])?;
        assert_eq!(count_pairs(tx)?, 2);
        Ok(store.write(|tx| tx.execute("UPDATE pairs SET text = 'mine' WHERE id = ?1", &[1.into()])))
    });
    assert_eq!(beside, Ok(Err(StoreError::Busy)), "somebody else holds the row");
    assert!(store.write(|tx| tx.execute("UPDATE pairs SET text = 'mine' WHERE id = ?1", &[1.into()])).is_ok());
}

#[test]
fn an_ignored_failure_does_not_end_as_a_commit() {
    let scratch = Scratch::new(Backend::Postgres);
    let swallowed = scratch.store.write(|tx| {
        insert_pair(tx, 1)?;
        // Whatever the work makes of this, the server has taken the transaction back.
        let _ = insert_pair(tx, 1);
        Ok(())
    });
    assert_eq!(swallowed, Err(StoreError::Conflict { constraint: "pairs_id".to_owned() }));
    assert!(pair_ids(&scratch.store).is_empty());
}

#[test]
fn an_address_that_leads_nowhere_is_told_without_its_password() {
    let refused = |url: &str| {
        let options = Options { busy: Duration::from_millis(100), ..Options::server(DatabaseUrl::new(url), NOW_MS) };
        match Store::open(&options).err() {
            Some(error @ StoreError::Unavailable { .. }) => error.to_string(),
            other => panic!("{url}: {other:?}"),
        }
    };
    let nobody = shared_url().replace("/postgres", "/no_such_database");
    assert!(refused(&nobody).contains("no_such_database"), "{}", refused(&nobody));
    for url in
        ["postgres://user:secret@127.0.0.1:1/name", "postgres://user:secret@127.0.0.1:x/name", "postgres://?sslmode=no"]
    {
        assert!(!refused(url).contains("secret"), "{}", refused(url));
    }
}

#[test]
fn a_database_that_is_not_in_utf_8_is_refused() {
    let server = Scratch::new(Backend::Postgres);
    let admin = open(url_of(&server));
    let name = url_of(&server).rsplit('/').next().unwrap().to_owned() + "_latin";
    // CREATE DATABASE is not possible inside a transaction, so it goes around the store.
    let psql = |sql: &str| {
        let url = url_of(&server);
        let status = Command::new("psql").args([url, "-q", "-c", sql]).status().unwrap();
        assert!(status.success(), "{sql}");
    };
    psql(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"));
    let url = url_of(&server).replace(name.trim_end_matches("_latin"), &name);
    let refused = Store::open(&Options::server(DatabaseUrl::new(url), NOW_MS)).err();
    psql(&format!("DROP DATABASE {name} WITH (FORCE)"));
    assert!(matches!(&refused, Some(StoreError::Unavailable { detail }) if detail.contains("LATIN1")), "{refused:?}");
    drop(admin);
}

#[test]
fn tls_is_spoken_and_the_server_proves_its_name_where_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("server.crt"), folder.path().join("server.key"));
    make_certificate(&certificate, &key);
    let tls = Some(Tls { certificate: certificate.clone(), key });
    let cluster = Cluster::start(&refundry_test_postgres::Options { tls, ..Default::default() }).unwrap();
    let base = cluster.url("postgres");
    let encrypted = |options: &str| {
        let store = Store::open(&Options::server(DatabaseUrl::new(format!("{base}?{options}")), NOW_MS))?;
        let sql = "SELECT CAST(ssl AS TEXT) FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        store.read(|tx| tx.query_one(sql, &[], |row| row.string(0)))
    };
    let roots = format!("sslrootcert={}", certificate.display());
    assert_eq!(encrypted("sslmode=require"), Ok(Some("true".to_owned())));
    assert_eq!(encrypted("sslmode=prefer"), Ok(Some("true".to_owned())));
    assert_eq!(encrypted("sslmode=disable"), Ok(Some("false".to_owned())));
    // The certificate is good for localhost alone.
    let wrong_name = encrypted(&format!("sslmode=verify-full&{roots}"));
    assert!(matches!(wrong_name, Err(StoreError::Unavailable { .. })), "{wrong_name:?}");
    let named = base.replace("127.0.0.1", "localhost");
    let store = Store::open(&Options::server(DatabaseUrl::new(format!("{named}?sslmode=verify-full&{roots}")), NOW_MS));
    assert!(store.is_ok(), "{:?}", store.err());
}

fn make_certificate(certificate: &Path, key: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"]);
    let made = openssl.arg("-out").arg(certificate).arg("-keyout").arg(key).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
