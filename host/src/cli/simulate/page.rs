//! The outcomes of a simulation as a page: one file with its own style, script and numbers, which loads nothing.

use serde_json::Value;

const THEME: &str = include_str!("../../gateway/dashboard/theme.css");
const PLOT_STYLE: &str = include_str!("../../gateway/dashboard/vendor/uplot-1.6.32.min.css");
const PLOT: &str = include_str!("../../gateway/dashboard/vendor/uplot-1.6.32.min.js");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page runs its own script and loads nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// The page of some outcomes, as the command tells them in JSON.
pub(super) fn page(told: &Value) -> String {
    // Within a script no text of a scenario's may look like the end of it.
    let numbers = told.to_string().replace('<', "\\u003c");
    [
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<meta http-equiv=\"content-security-policy\" content=\"",
        POLICY,
        "\">\n<title>Backstop simulation</title>\n<style>\n",
        THEME,
        PLOT_STYLE,
        STYLE,
        "\n</style>\n</head>\n<body>\n<main id=\"report\"></main>\n<script type=\"application/json\" id=\"numbers\">",
        &numbers,
        "</script>\n<script>\n",
        PLOT,
        "\n</script>\n<script>\n",
        SCRIPT,
        "\n</script>\n</body>\n</html>\n",
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn needs_nothing_from_anywhere_else() {
        let page = page(&json!({"description": "a </script><script>alert(1)</script> in a scenario"}));

        for outside in ["src=", "href=", "@import", "url(", "fetch(", "XMLHttpRequest"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("</script>").count(), 3, "the scenario's text ends no script");
    }
}
