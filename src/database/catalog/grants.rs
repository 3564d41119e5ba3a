//! Rights as the catalog writes them: an array of `grantee=letters/grantor`.

use std::collections::BTreeMap;

use super::array::elements;

/// Each letter and its word, in the order in which a grant lists them.
const WORDS: &[(char, &str)] = &[
    ('r', "SELECT"),
    ('a', "INSERT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
];

/// Who but the owner may do what: grantee, quoted for SQL, to words. `None` if the text is not
/// what PostgreSQL 16 writes.
///
/// The owner's rights are left out: they are written down only once somebody else got one, so a
/// grant that is taken back would leave a difference. Who granted a right is left out as well.
pub(super) fn parse(array: &str, owner: &str) -> Option<BTreeMap<String, String>> {
    let mut letters_of = BTreeMap::<String, String>::new();
    for item in elements(array)?.into_iter().flatten() {
        let (grantee, rest) = grantee(&item)?;
        let (letters, _grantor) = rest.split_once('/')?;
        if grantee != owner {
            let to = if grantee.is_empty() { "PUBLIC".to_owned() } else { quoted(&grantee) };
            letters_of.entry(to).or_default().push_str(letters);
        }
    }
    letters_of
        .into_iter()
        .filter(|(_, letters)| !letters.is_empty())
        .map(|(to, letters)| Some((to, words(&letters)?)))
        .collect()
}

/// The name before the equals sign, which has quotes if it is not a plain word, and what follows.
fn grantee(item: &str) -> Option<(String, &str)> {
    let Some(mut rest) = item.strip_prefix('"') else {
        let (name, rest) = item.split_once('=')?;
        return Some((name.to_owned(), rest));
    };
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after.strip_prefix('=')?)),
        }
    }
}

fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { name.to_owned() } else { postgres_protocol::escape::escape_identifier(name) }
}

/// `ar*` becomes `SELECT WITH GRANT OPTION, INSERT`. A star belongs to the letter before it.
fn words(letters: &str) -> Option<String> {
    let known = |letter| letter == '*' || WORDS.iter().any(|(known, _)| *known == letter);
    if !letters.chars().all(known) {
        return None;
    }
    let words =
        WORDS.iter().filter(|(letter, _)| letters.contains(*letter)).map(|(letter, word)| {
            let option =
                if letters.contains(&format!("{letter}*")) { " WITH GRANT OPTION" } else { "" };
            format!("{word}{option}")
        });
    Some(words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(array: &str) -> Vec<(String, String)> {
        parse(array, "admin").expect("rights").into_iter().collect()
    }

    fn pair(to: &str, words: &str) -> (String, String) {
        (to.to_owned(), words.to_owned())
    }

    #[test]
    fn rights_are_told_by_grantee_and_the_owners_are_left_out() {
        assert_eq!(parsed("{}"), []);
        assert_eq!(parsed("{admin=arwdDxt/admin}"), []);
        assert_eq!(
            parsed("{admin=arwdDxt/admin,app=ar*/admin,=r/admin}"),
            [pair("PUBLIC", "SELECT"), pair("app", "SELECT WITH GRANT OPTION, INSERT")]
        );
    }

    #[test]
    fn names_with_quotes_commas_and_equals_signs_are_read() {
        assert_eq!(
            parsed(r#"{"\"a=b,c\"\"d\"=r/admin","\"my role\"=U/admin"}"#),
            [pair(r#""a=b,c""d""#, "SELECT"), pair("\"my role\"", "USAGE")]
        );
    }

    #[test]
    fn rights_from_two_grantors_count_once() {
        assert_eq!(
            parsed("{app=r/admin,app=r/other,app=a/other}"),
            [pair("app", "SELECT, INSERT")]
        );
    }

    #[test]
    fn what_is_no_list_of_rights_is_refused() {
        for text in ["", "app=r/admin", "{app}", "{app=r}", "{app=?/admin}", "{\"app=r/admin}"] {
            assert_eq!(parse(text, "admin"), None, "{text}");
        }
    }
}
