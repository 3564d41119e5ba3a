//! Lists the statements that are not allowed in a migration, and why.
//!
//! The list has statements whose effect is lost or harmful although the server accepts them,
//! statements whose work the provider does itself, and statements that need an interactive client.
//! This file knows them by their first words; `nested` finds what is inside a statement. Statements
//! that DSQL does not support are left to the server, which rejects them.

mod nested;

use super::tokens::Tokens;

/// Why a statement is not allowed in a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disallowed {
    /// What the migration contains, for example `SET`.
    pub statement: &'static str,
    /// The reason, as a clause that can follow a colon.
    pub reason: &'static str,
    /// What to do instead, in sentences.
    pub advice: &'static str,
}

/// A row of the table: the words that such statements begin with.
struct DisallowedForm {
    words: &'static [&'static str],
    disallowed: Disallowed,
}

/// Returns why a statement, which begins with the tokens `head`, is not allowed. `None` if it is
/// allowed.
pub(super) fn disallowed(sql: &str, head: Tokens<'_>) -> Option<Disallowed> {
    at_the_beginning(head).or_else(|| nested::nested(sql, head))
}

fn at_the_beginning(head: Tokens<'_>) -> Option<Disallowed> {
    DISALLOWED.iter().find(|form| head.begins(form.words)).map(|form| form.disallowed)
}

/// `BEGIN` with a mode that would be lost, because the provider does not send `BEGIN` as written.
pub(super) const TRANSACTION_MODE: Disallowed = Disallowed {
    statement: "BEGIN with a transaction mode",
    reason: "the provider opens transactions itself, always as REPEATABLE READ and READ WRITE",
    advice: "Write BEGIN alone, or remove it together with its COMMIT.",
};

/// `COMMIT AND CHAIN`, `COMMIT PREPARED` and other forms that do more than end a transaction.
pub(super) const COMMIT_OPTION: Disallowed = Disallowed {
    statement: "COMMIT with an option",
    reason: "the provider ends transactions itself, and Aurora DSQL supports neither chained nor \
             prepared transactions",
    advice: "Write COMMIT alone, or remove it together with its BEGIN.",
};

const fn form(
    words: &'static [&'static str],
    statement: &'static str,
    reason: &'static str,
    advice: &'static str,
) -> DisallowedForm {
    DisallowedForm { words, disallowed: Disallowed { statement, reason, advice } }
}

const FORWARD: &str = "a migration is forward-only, so there is nothing to roll back";
const NO_SAVEPOINTS: &str = "Aurora DSQL does not support savepoints";
const SESSION: &str = "its effect on the session is lost when a run resumes on another connection";
const NOTIFICATIONS: &str =
    "Aurora DSQL does not support notifications, and a migration cannot wait for one";

const REMOVE: &str = "Remove the statement.";
const NO_SETTING: &str = "Remove the statement. Qualify names with their schema, and specify \
                          settings in the statement that needs them.";
const PLAIN: &str = "Write the statement itself, with its values in place of parameters.";

static DISALLOWED: &[DisallowedForm] = &[
    form(&["ROLLBACK"], "ROLLBACK", FORWARD, REMOVE),
    form(&["ABORT"], "ABORT", FORWARD, REMOVE),
    form(&["SAVEPOINT"], "SAVEPOINT", NO_SAVEPOINTS, REMOVE),
    form(&["RELEASE"], "RELEASE", NO_SAVEPOINTS, REMOVE),
    form(
        &["PREPARE", "TRANSACTION"],
        "PREPARE TRANSACTION",
        "Aurora DSQL does not support two-phase commit",
        REMOVE,
    ),
    form(&["PREPARE"], "PREPARE", SESSION, PLAIN),
    form(&["EXECUTE"], "EXECUTE", SESSION, PLAIN),
    form(&["DEALLOCATE"], "DEALLOCATE", SESSION, REMOVE),
    form(
        &["SET", "CONSTRAINTS"],
        "SET CONSTRAINTS",
        "it applies until the end of a transaction, and the provider decides where transactions end",
        "Declare the constraint INITIALLY DEFERRED, or order the statements so that it holds.",
    ),
    form(&["SET"], "SET", SESSION, NO_SETTING),
    form(&["RESET"], "RESET", SESSION, NO_SETTING),
    form(&["DISCARD"], "DISCARD", SESSION, REMOVE),
    form(&["LOAD"], "LOAD", SESSION, REMOVE),
    form(&["DECLARE"], "DECLARE", SESSION, PLAIN),
    form(&["FETCH"], "FETCH", SESSION, REMOVE),
    form(&["MOVE"], "MOVE", SESSION, REMOVE),
    form(&["CLOSE"], "CLOSE", SESSION, REMOVE),
    form(
        &["LOCK"],
        "LOCK",
        "Aurora DSQL does not support table locks, and the provider's lease excludes other runs",
        REMOVE,
    ),
    form(
        &["COPY"],
        "COPY",
        "Aurora DSQL does not read files, and the provider sends only SQL, without data after it",
        "Write the rows as INSERT statements, or load them with another tool.",
    ),
    form(&["LISTEN"], "LISTEN", NOTIFICATIONS, REMOVE),
    form(&["UNLISTEN"], "UNLISTEN", NOTIFICATIONS, REMOVE),
    form(&["NOTIFY"], "NOTIFY", NOTIFICATIONS, REMOVE),
    form(
        &["CALL", "SYS", ".", "WAIT_FOR_JOB"],
        "CALL sys.wait_for_job",
        "the provider waits for the jobs of its statements itself",
        "Remove the statement. A job that was started manually is not part of a migration.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_more_specific_form_precedes_a_more_general_one() {
        for (index, form) in DISALLOWED.iter().enumerate() {
            let mut earlier = DISALLOWED[..index].iter();
            let hidden = earlier.any(|earlier| form.words.starts_with(earlier.words));

            assert!(!hidden, "an earlier form hides {}", form.disallowed.statement);
        }
    }

    #[test]
    fn every_reason_is_a_clause_and_every_advice_a_sentence() {
        let all = DISALLOWED.iter().map(|form| form.disallowed);
        for disallowed in all.chain([TRANSACTION_MODE, COMMIT_OPTION]) {
            assert!(!disallowed.reason.ends_with('.'), "{disallowed:?}");
            assert!(disallowed.advice.ends_with('.'), "{disallowed:?}");
        }
    }
}
