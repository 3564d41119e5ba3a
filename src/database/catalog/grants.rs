//! Privileges as the catalog writes them: an array of `grantee=letters/grantor`.

use std::collections::BTreeMap;

use super::array::elements;
use crate::migration::quoted_identifier;

/// The letters and their keywords, in the order in which a definition lists them.
const KEYWORDS: &[(char, &str)] = &[
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

/// The keyword of a privilege that the catalog shows as this letter.
#[must_use]
pub fn privilege(letter: char) -> Option<&'static str> {
    KEYWORDS.iter().find(|(known, _)| *known == letter).map(|(_, keyword)| *keyword)
}

const GRANT_OPTION: &str = " WITH GRANT OPTION";

/// Returns the privileges of each grantee other than the owner. Grantees are quoted for SQL.
/// `None` if the text is not in the format of PostgreSQL 16.
///
/// The owner's privileges are omitted, because the catalog contains them only after another role
/// has received a privilege: a grant and its revocation would leave a difference. Grantors are
/// omitted as well.
pub(super) fn parse(array: &str, owner: &str) -> Option<BTreeMap<String, String>> {
    let mut letters_of = BTreeMap::<String, String>::new();
    for item in elements(array)?.into_iter().flatten() {
        let (grantee, rest) = grantee(&item)?;
        let (letters, _grantor) = rest.split_once('/')?;
        if grantee != owner {
            let to =
                if grantee.is_empty() { "PUBLIC".to_owned() } else { quoted_identifier(&grantee) };
            letters_of.entry(to).or_default().push_str(letters);
        }
    }
    letters_of
        .into_iter()
        .filter(|(_, letters)| !letters.is_empty())
        .map(|(to, letters)| Some((to, keywords(&letters)?)))
        .collect()
}

/// Returns the statements that give a table the privileges in the array. Grantees keep their grant
/// options. A text in another format gives none, as if the array were empty.
pub(crate) fn grant_sql(array: &str, owner: &str, table: &str) -> Vec<String> {
    let granted = parse(array, owner).unwrap_or_default();
    let statements = granted.iter().flat_map(|(grantee, privileges)| {
        privileges.split(", ").map(move |privilege| {
            let (keyword, option) = match privilege.strip_suffix(GRANT_OPTION) {
                Some(keyword) => (keyword, GRANT_OPTION),
                None => (privilege, ""),
            };
            format!("GRANT {keyword} ON {table} TO {grantee}{option}")
        })
    });
    statements.collect()
}

/// Splits an item at the equals sign after the grantee, which is quoted unless it is a plain word.
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

/// Converts letters to keywords: `ar*` becomes `SELECT WITH GRANT OPTION, INSERT`. A star belongs
/// to the letter before it.
fn keywords(letters: &str) -> Option<String> {
    let known = |letter| letter == '*' || KEYWORDS.iter().any(|(known, _)| *known == letter);
    if !letters.chars().all(known) {
        return None;
    }
    let granted = KEYWORDS.iter().filter(|(letter, _)| letters.contains(*letter));
    let keywords = granted.map(|(letter, keyword)| {
        let option = if letters.contains(&format!("{letter}*")) { GRANT_OPTION } else { "" };
        format!("{keyword}{option}")
    });
    Some(keywords.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(array: &str) -> Vec<(String, String)> {
        parse(array, "admin").expect("privileges").into_iter().collect()
    }

    fn pair(grantee: &str, privileges: &str) -> (String, String) {
        (grantee.to_owned(), privileges.to_owned())
    }

    #[test]
    fn privileges_are_listed_by_grantee_without_those_of_the_owner() {
        assert_eq!(parsed("{}"), []);
        assert_eq!(parsed("{admin=arwdDxt/admin}"), []);
        assert_eq!(
            parsed("{admin=arwdDxt/admin,app=ar*/admin,=r/admin}"),
            [pair("PUBLIC", "SELECT"), pair("app", "SELECT WITH GRANT OPTION, INSERT")]
        );
    }

    #[test]
    fn privileges_become_statements_for_another_table() {
        assert_eq!(
            grant_sql("{admin=arwdDxt/admin,\"my app\"=ar*/admin,=r/admin}", "admin", "l.new"),
            [
                "GRANT SELECT ON l.new TO \"my app\" WITH GRANT OPTION",
                "GRANT INSERT ON l.new TO \"my app\"",
                "GRANT SELECT ON l.new TO PUBLIC",
            ]
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
    fn privileges_from_two_grantors_count_once() {
        assert_eq!(
            parsed("{app=r/admin,app=r/other,app=a/other}"),
            [pair("app", "SELECT, INSERT")]
        );
    }

    #[test]
    fn any_other_text_is_rejected() {
        for text in ["", "app=r/admin", "{app}", "{app=r}", "{app=?/admin}", "{\"app=r/admin}"] {
            assert_eq!(parse(text, "admin"), None, "{text}");
        }
    }
}
