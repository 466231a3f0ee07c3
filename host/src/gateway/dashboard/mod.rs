//! The dashboard: one page and what belongs to it, part of the binary. It speaks to the admin API and to nothing else.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// What a browser may do with the page: run its own scripts, speak to this gateway, and nothing more. What a provider says
/// of itself appears on it, so a second wall stands behind the page's own care.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// One file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) content_type: &'static str,
    pub(super) bytes: &'static [u8],
    /// Names these bytes, as the header `etag` has it: with the quotes.
    pub(super) etag: String,
}

impl Asset {
    fn new(content_type: &'static str, bytes: &'static [u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let digits: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self { content_type, bytes, etag: format!("\"{digits}\"") }
    }

    /// What is to be said of it beside its type. It is asked for anew each time, so that a new version of the gateway never
    /// meets parts of the old page; what has not changed is not sent again.
    pub(super) fn headers(&self) -> [(&'static str, &str); 6] {
        [
            ("content-type", self.content_type),
            ("etag", &self.etag),
            ("cache-control", "no-cache"),
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ]
    }

    /// Whether a browser that says `if-none-match` has it already.
    pub(super) fn is_held(&self, if_none_match: &str) -> bool {
        let mut held = if_none_match.split(',').map(str::trim);
        held.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
    }
}

/// What is at a path: the page at `/`, its parts under `/assets/`.
pub(super) fn asset(path: &str) -> Option<&'static Asset> {
    let name = if path == "/" { PAGE } else { path.strip_prefix("/assets/").filter(|name| *name != PAGE)? };
    ASSETS.iter().find(|(known, _)| *known == name).map(|(_, asset)| asset)
}

const PAGE: &str = "index.html";

/// Each file by the name it is asked for.
static ASSETS: LazyLock<Vec<(&'static str, Asset)>> = LazyLock::new(|| {
    FILES.iter().map(|(name, content_type, bytes)| (*name, Asset::new(content_type, bytes))).collect()
});

const FILES: &[(&str, &str, &[u8])] = &[
    (PAGE, HTML, include_bytes!("index.html")),
    ("icon.svg", SVG, include_bytes!("icon.svg")),
    ("theme.css", CSS, include_bytes!("theme.css")),
    ("page.css", CSS, include_bytes!("page.css")),
    ("providers.css", CSS, include_bytes!("providers.css")),
    ("requests.css", CSS, include_bytes!("requests.css")),
    ("story.css", CSS, include_bytes!("story.css")),
    ("alerts.js", JS, include_bytes!("alerts.js")),
    ("api.js", JS, include_bytes!("api.js")),
    ("budgets.js", JS, include_bytes!("budgets.js")),
    ("buckets.js", JS, include_bytes!("buckets.js")),
    ("candidates.js", JS, include_bytes!("candidates.js")),
    ("clock.js", JS, include_bytes!("clock.js")),
    ("configuration.js", JS, include_bytes!("configuration.js")),
    ("controls.js", JS, include_bytes!("controls.js")),
    ("dialog.js", JS, include_bytes!("dialog.js")),
    ("element.js", JS, include_bytes!("element.js")),
    ("event-stream.js", JS, include_bytes!("event-stream.js")),
    ("figures.js", JS, include_bytes!("figures.js")),
    ("key.js", JS, include_bytes!("key.js")),
    ("known.js", JS, include_bytes!("known.js")),
    ("link.js", JS, include_bytes!("link.js")),
    ("main.js", JS, include_bytes!("main.js")),
    ("palette.js", JS, include_bytes!("palette.js")),
    ("plot.js", JS, include_bytes!("plot.js")),
    ("providers.js", JS, include_bytes!("providers.js")),
    ("requests.js", JS, include_bytes!("requests.js")),
    ("routes.js", JS, include_bytes!("routes.js")),
    ("sender.js", JS, include_bytes!("sender.js")),
    ("spend.js", JS, include_bytes!("spend.js")),
    ("state.js", JS, include_bytes!("state.js")),
    ("steps.js", JS, include_bytes!("steps.js")),
    ("story.js", JS, include_bytes!("story.js")),
    ("theme.js", JS, include_bytes!("theme.js")),
    ("toast.js", JS, include_bytes!("toast.js")),
    ("traffic.js", JS, include_bytes!("traffic.js")),
    ("waterfall.js", JS, include_bytes!("waterfall.js")),
    ("words.js", JS, include_bytes!("words.js")),
    ("uplot.css", CSS, include_bytes!("vendor/uplot-1.6.32.min.css")),
    ("uplot.js", JS, include_bytes!("vendor/uplot-1.6.32.min.js")),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn text(name: &str) -> &'static str {
        let path = if name == PAGE { "/".to_owned() } else { format!("/assets/{name}") };
        std::str::from_utf8(asset(&path).expect("the page has it").bytes).expect("text")
    }

    /// The files that are ours: uPlot's are its own.
    fn ours() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, ..)| *name).filter(|name| !name.starts_with("uplot"))
    }

    /// What stands between two marks, each time.
    fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
        text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
    }

    #[test]
    fn is_at_the_root_and_its_parts_are_under_assets() {
        let types = ["/", "/assets/main.js", "/assets/page.css", "/assets/icon.svg"].map(|path| {
            let asset = asset(path).expect("the page has it");
            asset.content_type
        });

        assert_eq!(types, [HTML, JS, CSS, SVG]);
    }

    #[test]
    fn has_nothing_at_any_other_path() {
        for path in [
            "",
            "//",
            "/index.html",
            "/assets/",
            "/assets/index.html",
            "/assets/../mod.rs",
            "/assets/mod.rs",
            "main.js",
        ] {
            assert!(asset(path).is_none(), "{path}");
        }
    }

    #[test]
    fn has_every_file_of_its_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gateway/dashboard");
        let files = fs::read_dir(folder).expect("the folder of the sources").map(|entry| entry.expect("an entry"));
        let names = files.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.contains('.'));

        let missing: Vec<String> =
            names.filter(|name| name != "mod.rs" && !ours().any(|known| known == name)).collect();

        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn names_only_parts_that_are_there() {
        let page = text(PAGE);
        let named =
            between(page, "src=\"", '"').chain(between(page, "href=\"", '"')).filter(|link| !link.starts_with('#'));
        let imported =
            ours().filter(|name| name.ends_with(".js")).flat_map(|name| between(text(name), "from \"./", '"'));

        let missing: Vec<String> = named
            .map(str::to_owned)
            .chain(imported.map(|name| format!("/assets/{name}")))
            .filter(|path| asset(path).is_none())
            .collect();

        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn loads_nothing_from_elsewhere_and_reads_no_text_as_markup() {
        let forbidden = [
            "https://",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "style=\"",
            "onclick=",
            "@import",
        ];

        for name in ours() {
            for word in forbidden {
                assert!(!text(name).contains(word), "{name} has `{word}`");
            }
            let foreign = text(name).replace("http://www.w3.org/2000/svg", "").contains("http://");
            assert!(!foreign, "{name} has a foreign address");
        }
    }

    #[test]
    fn has_no_script_or_style_inside_the_page_which_its_policy_would_stop() {
        let page = text(PAGE);

        assert!(between(page, "<script", '>').all(|attributes| attributes.contains("src=")));
        assert!(!page.contains("<style"));
        assert!(!POLICY.contains("unsafe"));
    }

    #[test]
    fn says_what_it_is_and_what_a_browser_may_do_with_it() {
        let page = asset("/").expect("the page");

        let said = page.headers();

        let etag = page.etag.as_str();
        assert_eq!(
            said.map(|(name, value)| format!("{name}: {value}")),
            [
                format!("content-type: {HTML}"),
                format!("etag: {etag}"),
                "cache-control: no-cache".to_owned(),
                format!("content-security-policy: {POLICY}"),
                "x-content-type-options: nosniff".to_owned(),
                "referrer-policy: no-referrer".to_owned(),
            ]
        );
    }

    #[test]
    fn is_not_sent_again_to_who_has_it() {
        let page = asset("/").expect("the page");
        let other = asset("/assets/main.js").expect("a part");

        assert!(page.is_held(&page.etag));
        assert!(page.is_held(&format!("\"older\", W/{}", page.etag)));
        assert!(page.is_held("*"));
        assert!(!page.is_held(&other.etag));
    }
}
