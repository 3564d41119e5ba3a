//! Reads the expressions that a comparison needs as the server prints them.

use super::comparison::Printer;
use crate::database::{Error, Session};

/// Compares definitions. If the server has to print expressions for it, reads them in one round
/// trip and compares again.
///
/// # Errors
/// The expressions could not be read.
pub(super) async fn compare_printed<T>(
    session: &mut Session,
    mut compare: impl FnMut(&mut Printer) -> T,
) -> Result<T, Error> {
    let mut printer = Printer::default();
    let compared = compare(&mut printer);
    let missing = printer.missing();
    if missing.is_empty() {
        return Ok(compared);
    }
    let printed = session.explain(&missing).await?;
    printer.add(missing.into_iter().zip(printed).collect());
    Ok(compare(&mut printer))
}
