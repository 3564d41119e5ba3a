//! The words of statements that change many rows: DSQL's limits, and how far batches have come.

use crate::database::{Batches, ServerError};

/// What an author writes to make a batch small.
const SMALL: &str =
    "UPDATE t SET c = 1\n   WHERE id IN (SELECT id FROM t WHERE c IS NULL LIMIT 1000)";

/// What a statement may do that the database refused for a limit (`54000`). The message only
/// chooses the advice.
pub(super) fn limit_advice(error: &ServerError, batches: Option<Batches>) -> String {
    let says = |words: &str| error.message.contains(words);
    let limit = if says("transaction row limit") {
        "A transaction of Aurora DSQL may change 3,000 rows, the rows of this provider's own record \
         among them, and this one would change more."
    } else if says("transaction size limit") {
        "A transaction of Aurora DSQL may change 10 MiB, counted with all indexes, and this one \
         would change more."
    } else if says("transaction age limit") {
        "A transaction of Aurora DSQL may take 300 seconds, and this one took longer."
    } else {
        return "It exceeds a limit of Aurora DSQL, which the message names. Mend the statement \
                and apply again; the run goes on with it."
            .to_owned();
    };
    if batches.is_some() {
        format!(
            "{limit} Each batch is a transaction of its own, so the statement itself has to say \
             how many rows it changes at once. Write a smaller LIMIT into it, for \
             example\n\n  {SMALL}\n\nand apply again; the run goes on with the rows that are left."
        )
    } else {
        format!(
            "{limit} Row changes that stand next to each other share a transaction, unless a \
             COMMIT stands between them. The way out: let the statement change a part of the rows, \
             and repeat it until none is left, with a comment above it:\n\n  -- dsql:batch\n  \
             {SMALL};\n\nThen apply again; the run goes on with it. See the guide \"Large data \
             changes\"."
        )
    }
}

/// What the batches before an error have done.
pub(super) fn progress(batches: Batches) -> String {
    let Batches { count, rows } = batches;
    let rows = thousands(rows);
    match count {
        0 => "No batch of this statement is committed.".to_owned(),
        1 => format!("1 batch of this statement is committed and stays: {rows} rows."),
        n => {
            let n = thousands(n);
            format!("{n} batches of this statement are committed and stay: {rows} rows.")
        }
    }
}

/// What may be wrong with a statement that was stopped while it still changed rows.
pub(super) const MAY_BE_ENDLESS: &str = "It still changed rows. If these are more rows than it should change, it finds what it has \
     changed again: then make its WHERE leave out what is done, before the next apply.";

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_groups_of_three() {
        let numbers = [0, 999, 1000, 12_345, 1_234_567];
        assert_eq!(numbers.map(thousands), ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn each_limit_is_named_and_a_limit_of_other_things_is_left_to_its_message() {
        let advice = |message: &str, batches| {
            let error = ServerError::new("54000", message);
            limit_advice(&error, batches)
        };
        for (message, limit) in [
            ("transaction row limit exceeded", "3,000 rows"),
            ("transaction size limit 10mb exceeded", "10 MiB"),
            ("transaction age limit of 300s exceeded", "300 seconds"),
        ] {
            let plain = advice(message, None);
            assert!(plain.contains(limit) && plain.contains("-- dsql:batch"), "{plain}");
            let batch = advice(message, Some(Batches::default()));
            assert!(batch.contains(limit) && batch.contains("LIMIT 1000"), "{batch}");
            assert!(!batch.contains("-- dsql:batch"), "{batch}");
        }
        let other = advice("more than 24 indexes per table are not allowed", None);
        assert!(!other.contains("3,000"), "{other}");
    }
}
