//! The ways in which Terraform finds and starts the provider.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::world::{World, on_each_terraform};

const BINARY: &str = env!("CARGO_BIN_EXE_terraform-provider-dsql");

const ONE: &str = "resource \"dsql_migration\" \"one\" {\n  version = \"1\"\n  sql     = \"CREATE TABLE one (id int PRIMARY KEY)\"\n}\n";

/// Installs the provider from the folder `mirror`, and runs one apply.
fn assert_installs_from_mirror(world: &World) {
    world.cli_config(&format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n",
        world.path("mirror")
    ));
    world.configure(ONE);

    world
        .run(&["init", "-no-color", "-input=false"])
        .ends_with(0)
        .says(concat!("Installed dsql-migrate/dsql v", env!("CARGO_PKG_VERSION")));
    world.apply().ends_with(0).says("1 added");
}

#[test]
fn a_filesystem_mirror_and_init_install_it() {
    on_each_terraform(|world| {
        let platform = platform();
        let mirrored = format!(
            "mirror/registry.terraform.io/dsql-migrate/dsql/{0}/{platform}/terraform-provider-dsql_v{0}",
            env!("CARGO_PKG_VERSION")
        );
        world.write(&mirrored, "");
        fs::copy(BINARY, world.path(&mirrored)).unwrap();
        assert_installs_from_mirror(world);
        world.plan().ends_with(0);
        world.destroy().ends_with(0);
    });
}

#[test]
fn a_packed_release_installs_from_a_filesystem_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let dist = folder.path().join("dist");
    let Some(packed) = pack(&dist, &format!("{}={BINARY}", platform())) else { return };
    assert!(packed.status.success(), "{packed:?}");

    let release = concat!("terraform-provider-dsql_", env!("CARGO_PKG_VERSION"));
    let zip = format!("{release}_{}.zip", platform());
    let manifest = format!("{release}_manifest.json");
    let content = fs::read(dist.join(&manifest)).unwrap();
    let content: Value = serde_json::from_slice(&content).unwrap();
    assert_eq!(content, json!({"version": 1, "metadata": {"protocol_versions": ["6.0"]}}));

    let sums = fs::read_to_string(dist.join(format!("{release}_SHA256SUMS"))).unwrap();
    let expected = [&zip, &manifest].map(|file| {
        let sum = Sha256::digest(fs::read(dist.join(file)).unwrap());
        let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}  {file}\n")
    });
    assert_eq!(sums, expected.concat());

    on_each_terraform(|world| {
        let mirrored = format!("mirror/registry.terraform.io/dsql-migrate/dsql/{zip}");
        world.write(&mirrored, fs::read(dist.join(&zip)).unwrap());
        assert_installs_from_mirror(world);
    });
}

#[test]
fn a_binary_for_another_platform_or_of_another_version_is_not_packed() {
    let folder = tempfile::tempdir().unwrap();
    let dist = folder.path().join("dist");
    let other = folder.path().join("other");
    // The headers of a Windows program for amd64, and nothing behind them.
    let mut program = vec![0; 0x46];
    program[..2].copy_from_slice(b"MZ");
    program[0x3c] = 0x40;
    program[0x40..].copy_from_slice(b"PE\0\0\x64\x86");
    fs::write(&other, program).unwrap();

    let other = other.display();
    for (binary, reason) in [
        (format!("linux_amd64={other}"), "is not a program for linux_amd64"),
        (format!("windows_amd64={other}"), "build it again"),
        (format!("windows_x64={other}"), "windows_x64 is not one of"),
    ] {
        let Some(packed) = pack(&dist, &binary) else { return };
        let said = String::from_utf8_lossy(&packed.stderr);
        assert!(!packed.status.success() && said.contains(reason), "{said}");
        assert!(!dist.exists());
    }
}

/// Runs `release/package`. `None`, with a line on standard error, if Python is missing and `CI` is
/// not set.
fn pack(dist: &Path, binary: &str) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("release/package");
    let python = if cfg!(windows) { "python" } else { "python3" };
    let output = Command::new(python).arg(script).arg(dist).arg(binary).output();
    if let (Err(error), None) = (&output, std::env::var_os("CI")) {
        writeln!(std::io::stderr(), "e2e: NOT RUN, release/package needs {python}: {error}").ok();
        return None;
    }
    Some(output.unwrap())
}

#[test]
fn terraform_attaches_to_a_provider_that_runs_by_hand() {
    on_each_terraform(|world| {
        let mut provider = Command::new(BINARY)
            .arg("--debug")
            .env("DSQL_ENDPOINT", world.cluster().endpoint())
            .env("DSQL_PORT", world.cluster().port().to_string())
            .env("DSQL_CA_FILE", world.cluster().ca_file())
            .env("DSQL_TOKEN", world.cluster().token("admin"))
            .env("TMPDIR", temporary(world))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = BufReader::new(provider.stdout.take().unwrap()).lines();
        let line = printed.map(Result::unwrap).find(|line| line.contains("TF_REATTACH_PROVIDERS"));
        let line = line.expect("the provider prints the variable");
        let (name, value) = line.trim().split_once('=').unwrap();
        world.configure(ONE);

        // The process outlives each command, so Terraform configures it again for each.
        for (arguments, code) in [
            (&["plan", "-detailed-exitcode", "-no-color"][..], 2),
            (&["apply", "-auto-approve", "-no-color"], 0),
            (&["plan", "-detailed-exitcode", "-no-color"], 0),
        ] {
            let mut command = world.command(arguments);
            command.env(name, value.trim_matches('\'')).env_remove("DSQL_ENDPOINT");
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        }
        assert_eq!(world.tables(), "one");

        assert!(provider.try_wait().unwrap().is_none(), "it waits for the next run");
        assert_eq!(sockets(world), 1);
        let sent = Command::new("kill").arg(provider.id().to_string()).status().unwrap();
        assert!(sent.success());
        provider.wait().unwrap();
        assert_eq!(sockets(world), 0);
    });
}

#[test]
fn no_command_leaves_a_socket_behind() {
    on_each_terraform(|world| {
        world.configure(ONE);
        for arguments in [
            &["validate", "-no-color"][..],
            &["plan", "-no-color"],
            &["apply", "-auto-approve", "-no-color"],
            &["destroy", "-auto-approve", "-no-color"],
        ] {
            let output = world.command(arguments).env("TMPDIR", temporary(world)).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            assert_eq!(sockets(world), 0, "{arguments:?}");
        }

        // Nor does one that is killed together with the provider.
        world.hold_jobs(true);
        world.configure(&format!(
            "resource \"dsql_migration\" \"two\" {{\n  version = \"2\"\n  sql = {:?}\n}}",
            "CREATE TABLE two (id int PRIMARY KEY, a int); CREATE INDEX ASYNC i ON two (a);"
        ));
        let mut command = world.command(&["apply", "-auto-approve", "-no-color"]);
        command.env("TMPDIR", temporary(world));
        let mut apply = World::spawn(command);
        world.wait_for(&mut apply, |world| world.times_run("CREATE INDEX ASYNC i") > 0);
        let group = format!("-{}", apply.id());
        assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
        apply.wait().unwrap();
        assert_eq!(sockets(world), 0);
    });
}

/// A directory for temporary files of its own.
fn temporary(world: &World) -> PathBuf {
    let path = world.path("temporary");
    fs::create_dir_all(&path).unwrap();
    path
}

/// How many sockets the directory for temporary files has.
fn sockets(world: &World) -> usize {
    let names = fs::read_dir(temporary(world)).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".sock")).count()
}

#[test]
fn terraform_may_ask_for_a_plugin_without_tls() {
    on_each_terraform(|world| {
        world.configure(ONE);
        let output = world
            .command(&["apply", "-auto-approve", "-no-color"])
            .env("TF_DISABLE_PLUGIN_TLS", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(world.tables(), "one");
    });
}

#[test]
fn its_log_reaches_terraforms_and_has_no_token() {
    on_each_terraform(|world| {
        world.configure(ONE);
        let output = world
            .command(&["apply", "-auto-approve", "-no-color"])
            .env("TF_LOG", "TRACE")
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        assert!(log.contains("provider.terraform-provider-dsql"), "{log}");
        let token = world.cluster().token("admin");
        let signature = token.rsplit('=').next().unwrap();
        assert!(signature.len() >= 16 && !log.contains(signature), "a token is in the log");
    });
}

#[test]
fn run_by_hand_it_explains_itself() {
    let output = Command::new(BINARY).env_remove("TF_PLUGIN_MAGIC_COOKIE").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "standard output belongs to the handshake");
    assert!(said.contains("Terraform"), "{said}");

    let version = Command::new(BINARY).arg("--version").output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&version.stdout),
        concat!("terraform-provider-dsql ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert!(Path::new(BINARY).is_file());
}

/// Terraform's name of this platform.
fn platform() -> String {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}_{architecture}")
}
