//! What is no database of ours is refused in one clear line, and what is one is found ready by everybody who comes.

use std::process::Output;

use refundry_engine::store::{DatabaseUrl, Options, Store};
use refundry_test_postgres::{Cluster, fresh_database};

use crate::harness::{Backend, Place, Process, all_refunds, run};

/// Commands that open a database.
const COMMANDS: [&[&str]; 5] =
    [&["serve", "--listen", "127.0.0.1:0"], &["work"], &["migrate"], &["audit"], &["store", "list"]];

/// Ends a command on a database, and gives its one line on standard error.
#[track_caller]
fn refused(command: &[&str], url: &str) -> String {
    let output = run(&[command, &["--database", url]].concat());
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{command:?}: {said}");
    assert!(output.stdout.is_empty(), "{command:?} said something else before");
    said
}

#[test]
fn a_database_from_the_future_is_refused() {
    let place = Place::new(Backend::Postgres);
    let [_, url] = place.args();
    assert!(migrate(&place).status.success());
    let store = Store::open(&Options::server(DatabaseUrl::new(url), 0)).expect("a store");
    let planted = "INSERT INTO schema_migrations (version, name, checksum, applied_ms) VALUES (99, 'later', '', 0)";
    store.write(|tx| tx.execute(planted, &[])).expect("a row");
    for command in COMMANDS {
        let said = refused(command, url);
        assert!(said.contains("schema version 99, but this program knows only up to"), "{said}");
    }
}

#[test]
fn a_wrong_password_is_refused_and_never_repeated() {
    // A server of our own surely asks for one.
    let cluster = Cluster::start(&refundry_test_postgres::Options::default()).expect("a server");
    let database = fresh_database(&cluster.url("postgres")).expect("a database");
    let (front, host) = database.url().rsplit_once('@').expect("a host");
    let (user, right) = front.rsplit_once(':').expect("a password");
    let url = format!("{user}:opensesame@{host}");
    for command in COMMANDS {
        let said = refused(command, &url);
        assert!(said.contains("password authentication failed"), "{said}");
        assert!(!said.contains("opensesame") && !said.contains(right), "{said}");
    }
    let said = refused(&["migrate"], &database.url().replacen("postgres://", "postgre://", 1));
    assert!(said.contains("--database is a URL such as") && !said.contains(right), "{said}");
}

#[test]
fn migrating_twice_says_the_same_version() {
    let place = Place::new(Backend::Postgres);
    let said: Vec<String> = (0..2)
        .map(|_| {
            let output = migrate(&place);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("UTF-8")
        })
        .collect();
    let version = said[0].strip_prefix("schema version ").and_then(|rest| rest.trim_end().parse::<u32>().ok());
    assert!(version.is_some_and(|version| version > 0), "{said:?}");
    assert_eq!(said[0], said[1]);
}

#[test]
fn servers_that_start_together_on_an_empty_database_all_come_up() {
    let place = Place::new(Backend::Postgres);
    let servers: Vec<Process> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..5).map(|_| scope.spawn(|| place.serve(&[]))).collect();
        starting.into_iter().map(|server| server.join().expect("it came up")).collect()
    });
    let orders = servers[0].client().get("/v1/orders?limit=100").json();
    let count = orders["data"].as_array().expect("a list").len();
    assert_eq!(count, 24, "every example order once: {orders:#}");
    let ours = all_refunds(&mut servers[0].client());
    for server in &servers {
        assert_eq!(server.client().get("/v1/orders?limit=100").json(), orders);
        assert_eq!(all_refunds(&mut server.client()), ours);
    }
    place.assert_clean();
}

fn migrate(place: &Place) -> Output {
    let [name, value] = place.args();
    run(&["migrate", name, value])
}
