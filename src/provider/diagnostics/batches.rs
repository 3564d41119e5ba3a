//! Messages about statements that change many rows: DSQL's limits and the progress of batches.

use crate::database::{Batches, ServerError};

/// An example of a statement that changes few rows at a time.
const SMALL: &str =
    "UPDATE t SET c = 1\n   WHERE id IN (SELECT id FROM t WHERE c IS NULL LIMIT 1000)";

/// Returns the advice for a statement that exceeds a limit (`54000`). Only the choice of the advice
/// depends on the text of the message. `resumed` is where the next apply resumes.
pub(super) fn limit_advice(error: &ServerError, batches: Option<Batches>, resumed: &str) -> String {
    let says = |words: &str| error.message.contains(words);
    let limit = if says("transaction row limit") {
        "A transaction of Aurora DSQL can change at most 3,000 rows, including the rows of the \
         provider's own record, and this one would change more."
    } else if says("transaction size limit") {
        "A transaction of Aurora DSQL can change at most 10 MiB, including all indexes, and this \
         one would change more."
    } else if says("transaction age limit") {
        "A transaction of Aurora DSQL can take at most 300 seconds, and this one took longer."
    } else {
        return format!(
            "The statement exceeds a limit of Aurora DSQL, which the message names. Fix the \
             statement and apply again. The apply resumes with {resumed}."
        );
    };
    if batches.is_some() {
        format!(
            "{limit} Each batch is a transaction of its own, so the statement must limit the rows \
             that it changes at once. Use a smaller LIMIT, for example\n\n  {SMALL}\n\nand apply \
             again. The apply resumes with the remaining rows."
        )
    } else {
        format!(
            "{limit} Adjacent row changes share a transaction, unless a COMMIT separates them. \
             Write the statement so that it changes some of the rows, and let the provider repeat \
             it until no row remains, with a comment above it:\n\n  -- dsql:batch\n  \
             {SMALL};\n\nThen apply again. The apply resumes with {resumed}. See the guide \
             \"Large data changes\"."
        )
    }
}

/// Returns the number of batches and rows that were committed before an error.
pub(super) fn progress(batches: Batches) -> String {
    let Batches { count, rows } = batches;
    let rows = thousands(rows);
    match count {
        0 => "No batch of this statement was committed.".to_owned(),
        1 => format!("1 batch of this statement was committed and remains applied: {rows} rows."),
        n => {
            let n = thousands(n);
            format!("{n} batches of this statement were committed and remain applied: {rows} rows.")
        }
    }
}

/// A hint about a statement that was stopped while it still changed rows.
pub(super) const MAY_BE_ENDLESS: &str = "The statement was still changing rows. If it has \
     changed more rows than expected, it selects finished rows again: make its WHERE clause \
     exclude them before the next apply.";

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
            limit_advice(&error, batches, "statement 2")
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
