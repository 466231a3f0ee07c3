//! The exchanges that do not come out as recorded, each with the reason why that is right or why we live with it.

/// Ids and reasons.
const EXPLAINED: &[(&str, &str)] = &[(
    "anthropic-tools-66c85929d2",
    "the record holds two replies one behind the other; a reply ends with its message_stop, and the first is passed on",
)];

/// Why an exchange may differ from its record.
pub(super) fn reason(id: &str) -> Option<&'static str> {
    EXPLAINED.iter().find(|(known, _)| *known == id).map(|(_, reason)| *reason)
}
