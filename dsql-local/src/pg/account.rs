//! The account that PostgreSQL's programs run as: the current one, or `nobody` instead of root,
//! because they refuse to run as root.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::PostgresError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    Own,
    /// The process runs as root, and these IDs are used instead.
    Nobody {
        uid: u32,
        gid: u32,
    },
}

impl Account {
    pub(super) fn current() -> Result<Self, PostgresError> {
        let temp = std::env::temp_dir();
        // A new file belongs to the effective user. This is the only way to get its ID without
        // `unsafe` or another crate.
        let owner = tempfile::tempfile_in(&temp)
            .and_then(|file| file.metadata())
            .map_err(PostgresError::file("write to", &temp))?
            .uid();
        if owner != 0 {
            return Ok(Self::Own);
        }
        let passwd = Path::new("/etc/passwd");
        let text = fs::read_to_string(passwd).map_err(PostgresError::file("read", passwd))?;
        nobody(&text).ok_or_else(|| PostgresError::Failed {
            program: "switching from root to another account".to_owned(),
            output: "the account `nobody` does not exist".to_owned(),
        })
    }

    /// Creates a command that runs as this account with `PATH` as the only variable of the
    /// environment. The system's directories follow it, so that the watchdog always finds `cp` and
    /// `rm`.
    pub(super) fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").current_dir("/");
        let mut path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin".into());
        path.push(":/usr/bin:/bin");
        command.env("PATH", path);
        if let Self::Nobody { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Changes the owner of a file or directory to this account.
    pub(super) fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Nobody { uid, gid } => chown(path, Some(uid), Some(gid)),
        }
    }
}

fn nobody(passwd: &str) -> Option<Account> {
    let line = passwd.lines().find(|line| line.starts_with("nobody:"))?;
    let mut ids = line.split(':').skip(2).map(parse_id);
    Some(Account::Nobody { uid: ids.next()??, gid: ids.next()?? })
}

/// Reads a user ID. macOS writes the IDs of `nobody` as -2.
fn parse_id(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_found_on_linux_and_on_macos() {
        let linux = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
        let macos = "##\nnobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n";

        assert_eq!(nobody(linux), Some(Account::Nobody { uid: 65534, gid: 65534 }));
        assert_eq!(nobody(macos), Some(Account::Nobody { uid: u32::MAX - 1, gid: u32::MAX - 1 }));
        assert_eq!(nobody("root:x:0:0::/root:/bin/sh"), None);
    }
}
