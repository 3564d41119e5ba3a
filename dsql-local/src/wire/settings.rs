//! The session parameters that a client of DSQL can set. All others are refused at login and in
//! `SET`.

/// AWS documentation, "Accessing Aurora DSQL". `role` is not listed, because it can be set with
/// `SET LOCAL` only.
static SETTABLE: &[&str] = &[
    "application_name",
    "client_encoding",
    "datestyle",
    "disable_sync_create_index",
    "dsql.enable_batched_nestloop",
    "enable_bitmapscan",
    "enable_hashjoin",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_seqscan",
    "extra_float_digits",
    "intervalstyle",
    "search_path",
    "timezone",
];

/// Those that PostgreSQL does not know. It accepts any name that contains a dot.
static DSQL_ONLY: &[&str] = &["disable_sync_create_index"];

pub(crate) fn is_settable(name: &str) -> bool {
    SETTABLE.iter().any(|known| known.eq_ignore_ascii_case(name))
}

pub(crate) fn is_unknown_to_postgres(name: &str) -> bool {
    DSQL_ONLY.iter().any(|known| known.eq_ignore_ascii_case(name))
}

pub(crate) fn not_supported(name: &str) -> String {
    format!("setting configuration parameter \"{name}\" not supported")
}

/// Parses the startup parameter `options`: `-c name=value`, `-cname=value`, `--name=value`.
///
/// A backslash escapes white space, as in libpq.
pub(crate) fn of_options(options: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        let last = words.len() - 1;
        match character {
            '\\' => words[last].extend(characters.next()),
            c if c.is_whitespace() => words.push(String::new()),
            c => words[last].push(c),
        }
    }
    let mut settings = Vec::new();
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next().unwrap_or_default()
        } else if let Some(rest) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            rest.to_owned()
        } else {
            word
        };
        let (name, value) = setting.split_once('=').unwrap_or((&setting, ""));
        // As on PostgreSQL's command line, where the underscores of a setting may be hyphens.
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_parsed_as_libpq_writes_them() {
        let options =
            r"-c search_path=a,public -cdatestyle=ISO --time-zone=UTC -c application_name=a\ b";
        let expected = [
            ("search_path", "a,public"),
            ("datestyle", "ISO"),
            ("time_zone", "UTC"),
            ("application_name", "a b"),
        ];
        assert_eq!(of_options(options), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
