//! A name that contains the value of a variable that is not shown.

use super::Hazard;

/// The values are not known here: the provider adds the hazard to others whose object or role it
/// cannot show.
pub(super) static RULE: Hazard = Hazard {
    name: "hidden_name",
    message: "The object or the role comes from a variable, so the plan shows the name of the \
              variable instead.",
    help: "List the variable in visible_variables if its value may be shown.",
    check: |_| Vec::new(),
};
