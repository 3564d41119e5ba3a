//! Statements that a migration must not hold, and why.
//!
//! Only what would be wrong although the server accepts it, or what this provider does itself, or
//! what needs a client that talks back. What DSQL does not support is the server's to refuse.

use super::tokens::Tokens;

/// Why a statement has no place in a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disallowed {
    /// What was found, for example `SET`.
    pub statement: &'static str,
    /// Why not: a clause that can follow a colon.
    pub reason: &'static str,
    /// What to do instead, in a sentence.
    pub advice: &'static str,
}

/// The words that a refused statement begins with.
struct Rule {
    words: &'static [&'static str],
    disallowed: Disallowed,
}

/// The disallowed of a statement that begins with these upper-case words.
pub(super) fn disallowed(head: Tokens<'_>) -> Option<Disallowed> {
    RULES.iter().find(|rule| head.begins(rule.words)).map(|rule| rule.disallowed)
}

/// `BEGIN` with a mode that is lost when the word is dropped.
pub(super) const TRANSACTION_MODE: Disallowed = Disallowed {
    statement: "BEGIN with a transaction mode",
    reason: "the provider opens the transactions itself, always REPEATABLE READ and READ WRITE",
    advice: "Write BEGIN alone, or remove it together with its COMMIT.",
};

/// `COMMIT AND CHAIN`, `COMMIT PREPARED` and what else does not just end a transaction.
pub(super) const COMMIT_OPTION: Disallowed = Disallowed {
    statement: "COMMIT with an option",
    reason: "the provider ends the transactions itself, and Aurora DSQL knows neither chained nor \
             prepared ones",
    advice: "Write COMMIT alone, or remove it together with its BEGIN.",
};

const fn rule(
    words: &'static [&'static str],
    statement: &'static str,
    reason: &'static str,
    advice: &'static str,
) -> Rule {
    Rule { words, disallowed: Disallowed { statement, reason, advice } }
}

const FORWARD: &str = "a migration only goes forward, so there is nothing to go back to";
const NO_SAVEPOINTS: &str = "Aurora DSQL has no savepoints";
const SESSION: &str = "what it leaves in the session is lost when a run resumes on another \
                       connection";
const NOTIFICATIONS: &str = "Aurora DSQL has no notifications, and a migration has no listener";

const REMOVE: &str = "Remove the statement.";
const NO_SETTING: &str = "Remove the statement; write names with their schema, and settings into \
                          the statement that needs them.";
const PLAIN: &str = "Write the statement itself, with its values.";

static RULES: &[Rule] = &[
    rule(&["ROLLBACK"], "ROLLBACK", FORWARD, REMOVE),
    rule(&["ABORT"], "ABORT", FORWARD, REMOVE),
    rule(&["SAVEPOINT"], "SAVEPOINT", NO_SAVEPOINTS, REMOVE),
    rule(&["RELEASE"], "RELEASE", NO_SAVEPOINTS, REMOVE),
    rule(
        &["PREPARE", "TRANSACTION"],
        "PREPARE TRANSACTION",
        "Aurora DSQL has no two-phase commit",
        REMOVE,
    ),
    rule(&["PREPARE"], "PREPARE", SESSION, PLAIN),
    rule(&["EXECUTE"], "EXECUTE", SESSION, PLAIN),
    rule(&["DEALLOCATE"], "DEALLOCATE", SESSION, REMOVE),
    rule(
        &["SET", "CONSTRAINTS"],
        "SET CONSTRAINTS",
        "it lasts until the end of a transaction, and the provider decides where transactions end",
        "Declare the constraint INITIALLY DEFERRED, or order the statements so that it holds.",
    ),
    rule(&["SET"], "SET", SESSION, NO_SETTING),
    rule(&["RESET"], "RESET", SESSION, NO_SETTING),
    rule(&["SELECT", "SET_CONFIG", "("], "set_config", SESSION, NO_SETTING),
    rule(&["SELECT", "PG_CATALOG", ".", "SET_CONFIG", "("], "set_config", SESSION, NO_SETTING),
    rule(&["DISCARD"], "DISCARD", SESSION, REMOVE),
    rule(&["DECLARE"], "DECLARE", SESSION, PLAIN),
    rule(&["FETCH"], "FETCH", SESSION, REMOVE),
    rule(&["MOVE"], "MOVE", SESSION, REMOVE),
    rule(&["CLOSE"], "CLOSE", SESSION, REMOVE),
    rule(
        &["LOCK"],
        "LOCK",
        "Aurora DSQL has no table locks, and the provider's lease keeps other runs out",
        REMOVE,
    ),
    rule(
        &["COPY"],
        "COPY",
        "Aurora DSQL reads no files, and the provider sends only SQL, no data after it",
        "Write the rows as INSERT statements, or load them with another tool.",
    ),
    rule(&["LISTEN"], "LISTEN", NOTIFICATIONS, REMOVE),
    rule(&["UNLISTEN"], "UNLISTEN", NOTIFICATIONS, REMOVE),
    rule(&["NOTIFY"], "NOTIFY", NOTIFICATIONS, REMOVE),
    rule(
        &["CALL", "SYS", ".", "WAIT_FOR_JOB"],
        "CALL sys.wait_for_job",
        "the provider waits for the jobs of its statements itself",
        "Remove the statement; a job started by hand is not part of a migration.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_is_the_most_special_one() {
        for (index, rule) in RULES.iter().enumerate() {
            let hidden = RULES[..index].iter().any(|earlier| rule.words.starts_with(earlier.words));

            assert!(!hidden, "a rule before it hides {}", rule.disallowed.statement);
        }
    }

    #[test]
    fn every_refusal_is_a_clause_and_a_sentence() {
        let all = RULES.iter().map(|rule| rule.disallowed).chain([TRANSACTION_MODE, COMMIT_OPTION]);
        for disallowed in all {
            assert!(!disallowed.reason.ends_with('.'), "{disallowed:?}");
            assert!(disallowed.advice.ends_with('.'), "{disallowed:?}");
        }
    }
}
