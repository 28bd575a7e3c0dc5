//! A server for the run: this same executable as a child process, with a folder of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context as _;

use super::client::Target;

/// A running server. Dropping it stops the process and removes what is temporary.
pub(super) struct Server {
    pub(super) target: Target,
    // Stopped before its folder is removed: fields are dropped in this order.
    _process: Process,
    folder: Folder,
}

impl Server {
    /// Starts a server and waits until it takes requests.
    pub(super) fn start(data: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match data {
            Some(path) => Folder { path: path.to_owned(), temporary: false },
            None => Folder::temporary()?,
        };
        let program = std::env::current_exe().context("the path of this program is unknown")?;
        let mut command = Command::new(program);
        command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(&folder.path);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        if std::env::var_os("REFUNDRY_LOG").is_none() {
            command.env("REFUNDRY_LOG", "warn");
        }
        let mut process = Process { child: command.spawn().context("cannot start a server")?, output: None };
        let output = process.child.stdout.take().context("the server's output is not there")?;
        let mut line = String::new();
        // Kept open: a server that cannot print any more would be another server.
        let output = process.output.insert(BufReader::new(output));
        output.read_line(&mut line).context("cannot read the server's output")?;
        let address = line.trim().strip_prefix("listening on ").context("the server did not start")?;
        let target = address.parse().map_err(|reason| anyhow::anyhow!("the server listens on {address}: {reason}"))?;
        Ok(Self { target, _process: process, folder })
    }

    /// Where its database is.
    pub(super) fn data(&self) -> &Path {
        &self.folder.path
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

struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn temporary() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("refundry-bench-{}", std::process::id()));
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
