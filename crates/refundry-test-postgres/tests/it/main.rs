//! Tests the throwaway cluster on the real server: what it promises while it runs, and that nothing stays behind.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use refundry_test_postgres::{Cluster, Database, Options, Shutdown, Tls, fresh_database, shared_url};
use tokio_postgres::{Client, NoTls};

/// Runs statements on a new connection; gives the driver's error.
fn execute(url: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { connect(url).await?.batch_execute(sql).await })
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// `127.0.0.1:port` of a URL made here.
fn address(url: &str) -> &str {
    url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a URL made here").0
}

/// The number of the server's first process.
fn server_process(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("data/postmaster.pid")).expect("a running server");
    text.lines().next().expect("a number").to_owned()
}

/// Whether a process runs. One that has ended stays listed until its parent asks, and that is not us.
fn is_alive(process: &str) -> bool {
    let probe = ["-c", "kill -0 $0", process];
    let listed = Command::new("sh").args(probe).stderr(Stdio::null()).status().expect("a shell").success();
    listed && !std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn restarts_keep_what_was_committed_and_dropping_leaves_nothing() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    let url = cluster.url("postgres");
    let folder = cluster.folder().to_owned();
    execute(&url, "CREATE TABLE kept (id BIGINT)").unwrap();
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        let before = server_process(&folder);
        cluster.restart(how).unwrap();
        assert_ne!(server_process(&folder), before, "{how:?}");
        execute(&url, "ALTER TABLE kept ADD COLUMN more BIGINT; ALTER TABLE kept DROP COLUMN more").unwrap();
    }
    cluster.stop(Shutdown::Fast).unwrap();
    assert!(execute(&url, "DROP TABLE kept").is_err(), "a stopped server");
    cluster.resume().unwrap();
    execute(&url, "DROP TABLE kept").unwrap();

    let process = server_process(&folder);
    assert!(is_alive(&process) && folder.is_dir());
    drop(cluster);
    assert!(!folder.exists());
    // It removes its files a moment before it ends.
    assert!((0..1_000).any(|_| !is_alive(&process)));
    assert!(TcpStream::connect(address(&url)).is_err());
}

#[test]
fn a_stopped_cluster_leaves_nothing_either() {
    let cluster = Cluster::start(&Options::default()).unwrap();
    cluster.stop(Shutdown::Immediate).unwrap();
    let folder = cluster.folder().to_owned();
    drop(cluster);
    assert!(!folder.exists());
}

#[test]
fn a_wrong_setting_is_told_in_the_servers_words() {
    let settings = vec![("max_connections".to_owned(), "it's many".to_owned())];
    let error = Cluster::start(&Options { settings, ..Options::default() }).unwrap_err().to_string();
    assert!(error.contains("max_connections") && error.contains("it's many"), "{error}");
}

#[test]
fn encryption_takes_the_files_it_is_given() {
    let nonsense = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let tls = Some(Tls { certificate: nonsense.clone(), key: nonsense });
    let error = Cluster::start(&Options { tls, ..Options::default() }).unwrap_err().to_string();
    assert!(error.contains("could not load server certificate file \"server.crt\": no start line"), "{error}");
}

#[test]
fn nothing_is_left_of_a_process_that_is_killed() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refundry-test-postgres"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim_end();
    execute(url, "CREATE TABLE seen (id BIGINT)").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // The keeper shares standard error with the process it kept a cluster for, so the pipe ends when it is done.
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
    assert!(TcpStream::connect(address(url)).is_err());
}

#[test]
fn each_test_has_a_database_of_its_own() {
    let server = shared_url();
    assert_eq!(server, shared_url());
    let [one, other]: [Database; 2] = [fresh_database(&server).unwrap(), fresh_database(&server).unwrap()];
    for database in [&one, &other] {
        execute(database.url(), "CREATE TABLE same (id BIGINT)").unwrap();
    }
    let url = one.url().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Dropped inside of a runtime, with a connection open.
    runtime.block_on(async {
        let _client = connect(&url).await.unwrap();
        drop(one);
    });
    assert!(execute(&url, "CREATE TABLE other (id BIGINT)").is_err(), "a dropped database");
    execute(other.url(), "DROP TABLE same").unwrap();
}

#[test]
fn one_without_the_password_stays_out() {
    let server = shared_url();
    if let Some((_, host)) = server.split_once("postgres:").and_then(|(_, rest)| rest.split_once('@')) {
        let error = execute(&format!("postgres://postgres:wrong@{host}"), "").unwrap_err();
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some("28P01"), "{error:?}");
    }
}
