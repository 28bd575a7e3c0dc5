//! Where `PostgreSQL`'s server binaries are, and how to get them on Debian and Ubuntu.
//!
//! Looks and, only when told to by [`Binaries::find_or_install`], installs; starts no server.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{BINARIES_VARIABLE, Error, URL_VARIABLE};

/// Where Debian and Ubuntu keep the binaries of each version, off the `PATH`.
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";

/// The one package: it depends on the server of whichever version the release carries.
const PACKAGE: &str = "postgresql";

/// Read by the package when it is installed, see [`install`].
const NO_MAIN_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/refundry-tests.conf";

/// A folder with `initdb`, `pg_ctl` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// The folder named in [`BINARIES_VARIABLE`], or else that of the `initdb` on the `PATH`, the one `pg_config`
    /// names, or the newest under `/usr/lib/postgresql`.
    pub fn find() -> Result<Self, Error> {
        if let Some(folder) = std::env::var_os(BINARIES_VARIABLE) {
            let missing = || format!("{BINARIES_VARIABLE} is {}: no initdb, pg_ctl and postgres", folder.display());
            return Self::complete(Path::new(&folder)).ok_or_else(|| Error::new(missing()));
        }
        let found = on_path().or_else(named_by_pg_config).or_else(|| newest_under(Path::new(DEBIAN_VERSIONS)));
        found.ok_or_else(|| Error::new(missing(&os_release())))
    }

    /// As [`Binaries::find`]; where they are missing on Debian or Ubuntu and this is root, installs them first.
    pub fn find_or_install() -> Result<Self, Error> {
        match Self::find() {
            Err(_) if std::env::var_os(BINARIES_VARIABLE).is_none() && is_root()? && is_debian(&os_release()) => {
                install()?;
                Self::find()
            }
            found => found,
        }
    }

    /// The path of one of them.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `pg_config` and `initdb` alone also come with packages that have no server.
    fn complete(folder: &Path) -> Option<Self> {
        let has_all = ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file());
        has_all.then(|| Self { folder: folder.to_owned() })
    }
}

fn on_path() -> Option<Binaries> {
    let path = std::env::var_os("PATH")?;
    // Resolved, because a link to one of them leads to the folder with all.
    let initdb = std::env::split_paths(&path).find_map(|folder| folder.join("initdb").canonicalize().ok())?;
    Binaries::complete(initdb.parent()?)
}

fn named_by_pg_config() -> Option<Binaries> {
    let output = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    Binaries::complete(Path::new(folder.trim_end()))
}

fn newest_under(versions: &Path) -> Option<Binaries> {
    let folders = fs::read_dir(versions).ok()?.filter_map(Result::ok);
    let version = |name: &OsStr| name.to_str()?.parse::<u32>().ok();
    let numbered = folders.filter_map(|entry| Some((version(&entry.file_name())?, entry.path())));
    let complete = numbered.filter_map(|(version, path)| Some((version, Binaries::complete(&path.join("bin"))?)));
    complete.max_by_key(|(version, _)| *version).map(|(_, binaries)| binaries)
}

/// Empty where there is none: then it is no Debian.
fn os_release() -> String {
    fs::read_to_string("/etc/os-release").unwrap_or_default()
}

/// Debian, Ubuntu, and what says of itself that it is like them.
fn is_debian(os_release: &str) -> bool {
    let values = os_release.lines().filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")));
    values.flat_map(|value| value.trim_matches('"').split(' ')).any(|id| matches!(id, "debian" | "ubuntu"))
}

fn missing(os_release: &str) -> String {
    let install = if is_debian(os_release) {
        format!("install the package {PACKAGE} (apt-get install --no-install-recommends {PACKAGE})")
    } else {
        "install PostgreSQL's server, version 13 or later".to_owned()
    };
    format!(
        "PostgreSQL's server binaries were not found; {install}, name their folder in {BINARIES_VARIABLE}, or name a \
         running server in {URL_VARIABLE}"
    )
}

/// Installs the package, without the server that it would otherwise set up and start on port 5432.
fn install() -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::new(format!("cannot write {NO_MAIN_CLUSTER}: {error}"));
    apt_get(&["update", "-qq"])?;
    if let Some(folder) = Path::new(NO_MAIN_CLUSTER).parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(NO_MAIN_CLUSTER, "create_main_cluster = false\n").map_err(failed)?;
    let installed = apt_get(&["install", "-qq", "-y", "--no-install-recommends", PACKAGE]);
    // The machine's owner decides about later versions.
    fs::remove_file(NO_MAIN_CLUSTER).map_err(failed)?;
    installed
}

fn apt_get(args: &[&str]) -> Result<(), Error> {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let status = command.status().map_err(|error| Error::new(format!("apt-get did not start: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("apt-get {} ended with {status}", args.join(" "))))
}

/// Whether this process runs as root, as which the server refuses to run.
pub(crate) fn is_root() -> Result<bool, Error> {
    let output = Command::new("id").arg("-u").output().map_err(|error| Error::new(format!("id: {error}")))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::{is_debian, missing, newest_under};

    #[test]
    fn knows_debian_and_its_kin() {
        assert!(is_debian("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"));
        assert!(is_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(is_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!is_debian("ID=fedora\nHOME_URL=https://debian.org\n"));
        assert!(!is_debian(""));
    }

    #[test]
    fn says_what_to_install() {
        assert!(missing("ID=debian").contains("install the package postgresql (apt-get install"));
        assert!(missing("ID=alpine").contains("install PostgreSQL's server"));
        assert!(missing("").contains("REFUNDRY_TEST_POSTGRES"));
    }

    #[test]
    fn the_newest_complete_version_wins() {
        let versions = std::env::temp_dir().join(format!("refundry-versions-{}", std::process::id()));
        for (version, names) in
            [("9", &["initdb", "pg_ctl", "postgres"][..]), ("15", &["initdb", "pg_ctl", "postgres"])]
                .into_iter()
                .chain([("16", &["initdb"][..]), ("old", &[])])
        {
            let folder = versions.join(version).join("bin");
            std::fs::create_dir_all(&folder).unwrap();
            for name in names {
                std::fs::write(folder.join(name), "").unwrap();
            }
        }
        let found = newest_under(&versions).unwrap();
        std::fs::remove_dir_all(&versions).unwrap();
        assert_eq!(found.path("initdb"), versions.join("15/bin/initdb"));
        assert_eq!(newest_under(&versions), None);
    }
}
