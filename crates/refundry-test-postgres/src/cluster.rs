//! One throwaway cluster: made, started on a port the system picks, restarted at will, and gone when dropped.
//!
//! A small shell process, the keeper (`keep.sh`), owns the folder and outlives us: it holds the other end of a pipe, so
//! it notices our end however it comes, and cleans up. Nothing is left of a test process that is killed. If the keeper
//! is killed too, server and folder stay; removing the folder `refundry-postgres.*` then ends the server within a
//! minute, because `PostgreSQL` watches its lock file.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::binaries::is_root;
use crate::database::random;
use crate::{Binaries, Error};

/// As whom the server runs where we are root: the user that the server's package makes.
const USER: &str = "postgres";

/// How often a port that was free a moment ago may be taken when the server asks for it.
const PORTS_MAX: u32 = 10;

/// How a cluster is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether a commit waits for the disk, as in production: for benchmarks. Tests do without; a commit then still
    /// survives the end of the server, though not of the machine.
    pub durable: bool,
    /// More settings of `postgresql.conf`, name and value; they win over ours.
    pub settings: Vec<(String, String)>,
    /// Encrypted connections, beside plain ones.
    pub tls: Option<Tls>,
    /// Where the cluster's folder is made; the system's folder for temporary files by default.
    pub parent: Option<PathBuf>,
}

/// Files in PEM format.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How a server is brought down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Rolls open transactions back and closes all connections, as an administrator does.
    Fast,
    /// Ends all processes at once, as a crash does; the next start recovers from the log.
    Immediate,
}

impl Shutdown {
    fn mode(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Immediate => "immediate",
        }
    }
}

/// A server of our own. Dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct Cluster {
    binaries: Binaries,
    keeper: Keeper,
    port: u16,
    password: String,
}

impl Cluster {
    /// Makes a cluster and starts it; returns when it takes connections.
    pub fn start(options: &Options) -> Result<Self, Error> {
        Self::start_with(Binaries::find()?, options)
    }

    /// As [`Cluster::start`], with binaries that were found before.
    pub fn start_with(binaries: Binaries, options: &Options) -> Result<Self, Error> {
        let parent = options.parent.clone().unwrap_or_else(std::env::temp_dir);
        let keeper = Keeper::start(&binaries, &parent)?;
        // Trust would let every user of this machine run commands as the one the server runs as.
        let password = format!("{:016x}{:016x}", random(), random());
        let mut cluster = Self { binaries, keeper, port: 0, password };
        cluster.init()?;
        cluster.configure(options)?;
        for _ in 0..PORTS_MAX {
            cluster.port = free_port()?;
            match cluster.resume() {
                // Somebody else was faster.
                Err(error) if error.0.contains("Address already in use") => {}
                started => return started.map(|()| cluster),
            }
        }
        Err(Error::new(format!("{PORTS_MAX} ports in a row were taken")))
    }

    /// The URL of one of its databases; `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Stops the server and starts it again on the same port.
    pub fn restart(&self, how: Shutdown) -> Result<(), Error> {
        self.stop(how)?;
        self.resume()
    }

    /// Stops the server; [`Cluster::resume`] starts it again.
    pub fn stop(&self, how: Shutdown) -> Result<(), Error> {
        self.pg_ctl("stop", &["-m", how.mode()])
    }

    /// Starts a stopped server again, on the same port.
    pub fn resume(&self) -> Result<(), Error> {
        let log = self.keeper.folder.join("server.log");
        let port = format!("-p {}", self.port);
        let log_path = log.to_str().ok_or_else(|| Error::new(format!("not UTF-8: {}", log.display())))?;
        let length_before = fs::metadata(&log).map_or(0, |log| log.len());
        self.pg_ctl("start", &["-l", log_path, "-o", &port]).map_err(|error| {
            let text = fs::read(&log).unwrap_or_default();
            let new = text.get(usize::try_from(length_before).unwrap_or(0)..).unwrap_or_default();
            Error::new(format!("{error}\n{}", String::from_utf8_lossy(new)))
        })
    }

    /// Where the cluster's data and its log `server.log` are.
    pub fn folder(&self) -> &Path {
        &self.keeper.folder
    }

    fn data(&self) -> PathBuf {
        self.keeper.folder.join("data")
    }

    fn init(&self) -> Result<(), Error> {
        let password_file = self.write_file("password", self.password.as_bytes())?;
        let mut command = self.command("initdb");
        command.arg("-D").arg(self.data()).arg("--pwfile").arg(&password_file);
        // The locale C is the only one that every machine has, and it sorts as SQLite does.
        run(command.args(["-U", "postgres", "-A", "password", "-E", "UTF8", "--locale=C", "--no-sync"]))
    }

    fn configure(&self, options: &Options) -> Result<(), Error> {
        let mut settings = vec![
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", ""),
            ("max_connections", "200"),
            ("shared_buffers", "32MB"),
            ("timezone", "UTC"),
        ];
        if !options.durable {
            // Not `synchronous_commit`: without it an acknowledged commit could be lost when the server is restarted.
            settings.extend([("fsync", "off"), ("full_page_writes", "off")]);
        }
        if let Some(tls) = &options.tls {
            for (name, path) in [("data/server.crt", &tls.certificate), ("data/server.key", &tls.key)] {
                let text = fs::read(path).map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
                self.write_file(name, &text)?;
            }
            settings.push(("ssl", "on"));
        }
        settings.extend(options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let quoted = |(name, value): (&str, &str)| format!("{name} = '{}'\n", value.replace('\'', "''"));
        let text: String = settings.into_iter().map(quoted).collect();
        // Read after all others, and the last of two equal names wins.
        self.write_file("data/postgresql.auto.conf", text.as_bytes()).map(drop)
    }

    /// Writes a file of the server's into the cluster's folder, readable by nobody else.
    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let folder = &self.keeper.folder;
        let path = folder.join(name);
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600).open(&path)?.write_all(bytes)?;
            // The folder belongs to whom the server runs as.
            let owner = fs::metadata(folder)?;
            chown(&path, Some(owner.uid()), Some(owner.gid()))
        };
        write().map_err(|error| Error::new(format!("cannot write {}: {error}", path.display())))?;
        Ok(path)
    }

    fn pg_ctl(&self, verb: &str, args: &[&str]) -> Result<(), Error> {
        let mut command = self.command("pg_ctl");
        run(command.args([verb, "-w", "-s", "-t", "120", "-D"]).arg(self.data()).args(args))
    }

    /// One of the server's programs, as the user who may run it.
    fn command(&self, name: &str) -> Command {
        let program = self.binaries.path(name);
        let mut command = if self.keeper.user.is_empty() {
            Command::new(program)
        } else {
            let mut command = Command::new("setpriv");
            let (user, group) = (format!("--reuid={USER}"), format!("--regid={USER}"));
            command.args([&user, &group, "--init-groups", "--"]).arg(program);
            command
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        // That user may not be allowed into the folder we are in; and its messages are read above.
        command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
        command
    }
}

/// The process that cleans up after us, and the folder it made.
#[derive(Debug)]
struct Keeper {
    process: Child,
    folder: PathBuf,
    /// As whom the server's programs run; empty where that is who we are.
    user: &'static str,
}

impl Keeper {
    fn start(binaries: &Binaries, parent: &Path) -> Result<Self, Error> {
        let user = if is_root()? { USER } else { "" };
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("keep.sh"), "refundry-postgres-keeper"]);
        command.arg(parent).arg(binaries.path("pg_ctl")).arg(user);
        // A group of its own: an interrupt from the terminal is for us, and the keeper's turn comes after that.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let failed = |error: std::io::Error| Error::new(format!("the keeper of a cluster did not start: {error}"));
        let mut process = command.spawn().map_err(failed)?;
        let mut folder = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut folder).map_err(failed)?;
        }
        let keeper = Self { process, folder: PathBuf::from(folder.trim_end()), user };
        if keeper.folder.as_os_str().is_empty() {
            return Err(Error::new(format!("no folder for a cluster could be made in {}", parent.display())));
        }
        Ok(keeper)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        match self.process.wait() {
            Ok(status) if status.success() => {}
            // To panic here would hide why a test failed.
            ended => eprintln!("the keeper of {} ended with {ended:?}", self.folder.display()),
        }
    }
}

/// Runs a program to its end; what it said is in the error.
fn run(command: &mut Command) -> Result<(), Error> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|error| Error::new(format!("{program} did not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::new(format!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&said))))
}

/// Picked by the system, and free again when this returns.
fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let port = listener.and_then(|listener| listener.local_addr()).map(|address| address.port());
    port.map_err(|error| Error::new(format!("no free port: {error}")))
}
