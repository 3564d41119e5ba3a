//! `terraform test` with a mock in place of the provider.

use std::fs;
use std::path::Path;

use crate::world::on_each_terraform;

/// The test of the guide.
fn mocked() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/guides/writing-a-module.md")).unwrap();
    let (_, rest) = page.split_once("```hcl\n# tests/mocked.tftest.hcl\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn a_mocked_set_has_the_migrations_that_a_test_gives_it() {
    on_each_terraform(|world| {
        world.configure(
            "resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n\n\
             output \"status\" {\n  value = dsql_migration_set.app.migrations[\"0001\"].status\n}\n",
        );
        world.write("tests/mocked.tftest.hcl", mocked());
        world.run(&["test", "-no-color"]).ends_with(0).says("1 passed, 0 failed.");
        let other = mocked().replace("status == \"applied\"", "status == \"failed\"");
        world.write("tests/mocked.tftest.hcl", other);
        let failed = world.run(&["test", "-no-color"]).ends_with(1);
        failed.says("The table orders does not exist.");
        // Computed attributes of the other types are mocked too.
        world.configure(
            "data \"dsql_migration_status\" \"app\" {\n  dir = \"migrations\"\n}\n\n\
             output \"sql\" {\n  value = data.dsql_migration_status.app.pending_sql\n}\n",
        );
        world.write(
            "tests/mocked.tftest.hcl",
            "mock_provider \"dsql\" {\n  mock_data \"dsql_migration_status\" {\n    defaults = {\n      \
             pending_sql = { \"0001\" = \"SELECT 1;\" }\n      \
             jobs = [{ id = \"1\", type = \"INDEX_BUILD\", status = \"failed\", object = null, \
             details = null }]\n    }\n  }\n}\n\nrun \"pending\" {\n  assert {\n    condition = \
             output.sql[\"0001\"] == \"SELECT 1;\" && \
             data.dsql_migration_status.app.jobs[0].status == \"failed\"\n    error_message = \
             \"No.\"\n  }\n}\n",
        );
        world.run(&["test", "-no-color"]).ends_with(0).says("1 passed, 0 failed.");
        world.assert_untouched();
        assert!(world.cluster().statements().is_empty(), "a mock opens no session");
    });
}
