//! A server for the run: this same executable as a child process, with a folder or a database of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context as _;

use super::client::Target;
use super::report::Figure;
use crate::cli::DataArgs;

/// Where the data of a run is.
pub(super) struct Place {
    folder: Folder,
    database: Option<String>,
}

impl Place {
    /// The folder that is named, or a temporary one, removed in the end; the database, where one is named.
    pub(super) fn new(folder: Option<&Path>, database: Option<&str>) -> anyhow::Result<Self> {
        let folder = match folder {
            Some(path) => Folder { path: path.to_owned(), temporary: false },
            None => Folder::temporary()?,
        };
        Ok(Self { folder, database: database.map(str::to_owned) })
    }

    /// The same place as an option of other commands.
    pub(super) fn data_args(&self) -> DataArgs {
        DataArgs::at(self.folder.path.clone(), self.database.clone())
    }

    /// Its folder, made if it is not there.
    pub(super) fn folder(&self) -> anyhow::Result<&Path> {
        let path = self.folder.path.as_path();
        std::fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(path)
    }

    /// The database server, where the data is not in the folder.
    pub(super) fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// For a report: where the data is, and on what.
    pub(super) fn described(&self) -> String {
        if let Some(url) = &self.database {
            return without_password(url);
        }
        let on = filesystem_of(&self.folder.path);
        let on = on.as_deref().unwrap_or("an unknown file system");
        format!("{} on {on}, durable commits", self.folder.path.display())
    }

    /// This executable with one of its commands, on this place.
    pub(super) fn command(&self, words: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe().context("the path of this program is unknown")?);
        command.args(words).arg("--data").arg(&self.folder.path);
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        if std::env::var_os("REFUNDRY_LOG").is_none() {
            command.env("REFUNDRY_LOG", "warn");
        }
        Ok(command)
    }
}

/// An address without what opens it.
pub(super) fn without_password(url: &str) -> String {
    let hidden = url.split_once("://").and_then(|(scheme, rest)| {
        let (credentials, place) = rest.split_once('@')?;
        let (user, _) = credentials.split_once(':')?;
        Some(format!("{scheme}://{user}@{place}"))
    });
    hidden.unwrap_or_else(|| url.to_owned())
}

/// A running server. Dropping it stops the process.
pub(super) struct Server {
    pub(super) target: Target,
    process: Process,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub(super) fn start(place: &Place) -> anyhow::Result<Self> {
        let mut command = place.command(&["serve", "--demo", "--listen", "127.0.0.1:0"])?;
        let mut process = Process { child: command.spawn().context("cannot start a server")?, output: None };
        let output = process.child.stdout.take().context("the server's output is not there")?;
        let mut line = String::new();
        // Kept open: a server that cannot print any more would be another server.
        let output = process.output.insert(BufReader::new(output));
        output.read_line(&mut line).context("cannot read the server's output")?;
        let address = line.trim().strip_prefix("listening on ").context("the server did not start")?;
        let target = address.parse().map_err(|reason| anyhow::anyhow!("the server listens on {address}: {reason}"))?;
        Ok(Self { target, process })
    }

    /// What the process holds in memory now, where the system tells.
    pub(super) fn memory(&self) -> Option<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.child.id())).ok()?;
        Memory::read(&status)
    }
}

/// Memory of a process in KiB: what it holds now, and the most it ever held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) resident_kib: u32,
    pub(super) peak_kib: u32,
}

impl Memory {
    /// Reads it from the status page that the kernel has of a process.
    pub(super) fn read(status: &str) -> Option<Self> {
        let figure = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            value.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        Some(Self { resident_kib: figure("VmRSS")?, peak_kib: figure("VmHWM")? })
    }

    /// As a line of a report.
    pub(super) fn figure(self) -> Figure {
        let mib = |kib: u32| f64::from(kib) / 1_024.0;
        let detail = format!("{:.0} MiB at most", mib(self.peak_kib));
        Figure { name: "memory", value: mib(self.resident_kib), unit: "MiB", detail }
    }
}

struct Process {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // The standard library can only kill; asking needs the system's command.
        let asked = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            // It may be gone already. If not: nothing it has promised is lost by this.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A folder; a temporary one is removed in the end.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn temporary() -> anyhow::Result<Self> {
        Self::new_in(&std::env::temp_dir(), "refundry-bench")
    }

    /// A temporary folder within another.
    pub(super) fn new_in(parent: &Path, name: &str) -> anyhow::Result<Self> {
        let path = parent.join(format!("{name}-{}", std::process::id()));
        // Never somebody else's folder: it must be new.
        std::fs::create_dir(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self { path, temporary: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The kind of file system that a folder is on, where the system tells.
pub(super) fn filesystem_of(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    kind_of(&std::fs::read_to_string("/proc/mounts").ok()?, &folder)
}

/// The last line with the longest mount point above the folder counts.
pub(super) fn kind_of(mounts: &str, folder: &Path) -> Option<String> {
    let fields = |line: &'_ str| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    };
    let above = mounts.lines().filter_map(fields).filter(|(point, _)| folder.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind)
}
