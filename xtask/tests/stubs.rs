//! The stubs compile, and their tests fail with a message that says what to write.
//!
//! Compiles the provider in a copy of the repository:
//! `cargo test -p xtask --test stubs -- --ignored`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// What cargo and the tests of the stubs read.
const COPIED: &[&str] = &[
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "build.rs",
    "clippy.toml",
    "docs",
    "dsql-local",
    "examples",
    "proto",
    "rustfmt.toml",
    "src",
    "tests",
    "xtask",
];

#[test]
#[ignore = "compiles the provider, which takes minutes without a warm target directory"]
fn stubs_compile_and_their_tests_fail_until_they_are_filled_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let copied = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stubs");
    if copied.exists() {
        fs::remove_dir_all(&copied).expect("the old copy can be removed");
    }
    for name in COPIED {
        copy(&root.join(name), &copied.join(name));
    }
    // The copy shares the compiled dependencies. With the same version it would also replace the
    // compiled packages of the repository.
    let manifest = copied.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("the manifest can be read");
    let version = concat!("version = \"", env!("CARGO_PKG_VERSION"), "\"");
    assert!(text.contains(version), "Cargo.toml has no {version}");
    fs::write(&manifest, text.replacen(version, "version = \"0.0.0-stubs\"", 1))
        .expect("the manifest can be written");

    for arguments in [["new-hazard", "stub-rule"], ["new-format", "stub-tool"]] {
        let output = run(Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments), &copied);
        assert!(output.status.success(), "{output:?}");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("Next steps:"), "{printed}");
    }

    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        run(command.args(arguments).env("CARGO_TARGET_DIR", target), &copied)
    };
    let formatted = cargo(&["fmt", "--all", "--check"]);
    assert!(formatted.status.success(), "{formatted:?}");

    let tested = cargo(&["test", "--no-fail-fast", "-p", "terraform-provider-dsql", "--lib"]);
    let printed = String::from_utf8_lossy(&tested.stdout);
    for expected in [
        "sql::hazards::stub_rule::tests::the_hazard_is_reported_and_its_harmless_neighbor_is_not",
        "src/sql/hazards/stub_rule.rs: write the check, and the statements of this test",
        "formats::stub_tool::tests::files_run_in_the_order_of_the_tool",
        "src/formats/stub_tool/tests.rs: list files as stub-tool names them, and expect its order",
        "formats::tests::fixtures::a_directory_of_each_format_is_read_as_expected",
    ] {
        assert!(printed.contains(expected), "{expected} is missing in {tested:?}");
    }

    let left = cargo(&["test", "-p", "xtask", "--bins"]);
    let printed = String::from_utf8_lossy(&left.stdout);
    for file in [
        "src/sql/hazards/stub_rule.rs",
        "src/formats/stub_tool.rs",
        "src/formats/mod.rs",
        "docs/guides/coming-from-stub-tool.md",
    ] {
        assert!(printed.contains(file), "{file} is missing in {left:?}");
    }
}

fn run(command: &mut Command, folder: &Path) -> Output {
    command.current_dir(folder).output().expect("the command starts")
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().expect("a folder")).expect("the folder can be created");
        fs::copy(from, to).expect("the file can be copied");
        return;
    }
    fs::create_dir_all(to).expect("the folder can be created");
    for entry in fs::read_dir(from).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        copy(&path, &to.join(path.file_name().expect("a name")));
    }
}
