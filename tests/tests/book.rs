//! The book under `docs/`: every command of it is run, in the order it stands in, and prints what is shown (F2, F3,
//! F6).

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use backstop::scripted::{Answer, Script, ScriptedProvider};
use backstop_tests::{Chapter, Cli, Registry, Step, backstop_binary, book, chapters, compilers_path, is_as_shown};
use tempfile::TempDir;

/// Chapters in which a reader has something to do, each a test below.
const WITH_COMMANDS: [&str; 8] = [
    "introduction.md",
    "languages/rust.md",
    "languages/javascript.md",
    "languages/python.md",
    "languages/c.md",
    "powers.md",
    "trying.md",
    "service.md",
];

/// The providers whose keys a reader has.
const PROVIDERS: [&str; 3] = ["groq", "openai", "deepseek"];

/// Where the book's registry is.
const REGISTRY: &str = "127.0.0.1:5000";

/// A reader who does what a chapter says.
async fn read(path: &str) {
    let chapter = Chapter::load(path);
    let home = TempDir::new().unwrap();
    let mut providers = Vec::new();
    for _ in PROVIDERS {
        let provider = ScriptedProvider::start(Script::from(Answer::new("Paris is the capital."))).await.unwrap();
        providers.push(provider);
    }
    let registry = chapter.names(REGISTRY).then(Registry::start);
    let mut script = script(&chapter, home.path(), free_port());
    if let Some(registry) = &registry {
        script = script.replace(REGISTRY, &registry.host());
    }
    let mut shell =
        Cli::of(Path::new("bash"), home.path()).with_compilers(&home.path().join(".cache")).with_registries();
    let programs = format!("{}:{}", backstop_binary().parent().unwrap().display(), compilers_path());
    shell = shell.env("PATH", &programs).args(["-c", &script]);
    for (name, provider) in PROVIDERS.iter().zip(&providers) {
        let variable = name.to_uppercase();
        shell = shell.env(&format!("{variable}_API_KEY"), "sk-of-a-reader");
        shell = shell.env(&format!("{variable}_BASE_URL"), provider.base_url().as_str());
    }

    let ran = shell.run().await;

    let said = |place: usize| fs::read_to_string(printed(home.path(), place)).unwrap_or_default();
    let last = (0..chapter.steps.len()).rev().map(said).find(|said| !said.is_empty());
    assert_eq!(ran.code, Some(0), "{path}: {}\n{}", ran.stderr, last.unwrap_or_default());
    for (place, step) in chapter.steps.iter().enumerate() {
        if let Step::Sees(shown) = step {
            let printed = said(place - 1);
            assert!(is_as_shown(shown, &printed), "{path} shows\n{shown}\nand there is\n{printed}");
        }
    }
}

/// Where it is kept what a step has printed.
fn printed(home: &Path, step: usize) -> PathBuf {
    home.join(format!(".printed-{step}"))
}

/// What the reader does, in one shell; a gateway listens at a port of its own.
fn script(chapter: &Chapter, home: &Path, port: u16) -> String {
    let mut script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n".to_owned();
    for (place, step) in chapter.steps.iter().enumerate() {
        let printed = printed(home, place).display().to_string();
        match step {
            Step::Writes { file, text } => {
                let listen = format!("\n[gateway]\nlisten = \"127.0.0.1:{port}\"\n");
                let more = if file == "backstop.toml" { &*listen } else { "" };
                write!(script, "cat >'{file}' <<'END OF THE FILE'\n{text}{more}END OF THE FILE\n")
            }
            Step::Runs { commands, fails } => {
                let commands = commands.replace("127.0.0.1:7878", &format!("127.0.0.1:{port}"));
                let end = if *fails { "&& { echo 'this was to fail' >&2; exit 1; }" } else { "" };
                write!(script, "echo 'step {place}' >&2\n{{\n{commands}}} >'{printed}' 2>&1 {end}\n")
            }
            Step::Sees(_) => Ok(()),
        }
        .unwrap();
    }
    script
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_introduction_shows_what_there_is() {
    read("introduction.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_in_rust_leads_from_an_empty_folder_to_a_strategy_that_decides() {
    read("languages/rust.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_in_javascript_leads_from_an_empty_folder_to_a_strategy_that_decides() {
    read("languages/javascript.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_in_python_leads_from_an_empty_folder_to_a_strategy_that_decides() {
    read("languages/python.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_in_c_leads_from_an_empty_folder_to_a_strategy_that_decides() {
    read("languages/c.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_with_powers_is_refused_until_they_are_granted() {
    read("powers.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_is_checked_simulated_and_replayed() {
    read("trying.md").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_is_watched_in_the_shadow_promoted_and_pinned() {
    read("service.md").await;
}

#[test]
fn no_chapter_with_commands_is_left_out() {
    let with_commands: Vec<_> = chapters().into_iter().filter(|path| Chapter::load(path).has_commands()).collect();
    assert_eq!(with_commands, WITH_COMMANDS);
}

#[test]
fn every_page_is_in_the_table_of_contents_and_leads_to_pages_that_are_there() {
    let chapters = chapters();
    let missing = |from: &str| {
        let folder = book().join(from).parent().unwrap().to_owned();
        let links = Chapter::load(from).links.into_iter();
        links.filter(move |link| !folder.join(link.split('#').next().unwrap()).is_file()).collect::<Vec<_>>()
    };

    for chapter in chapters.iter().map(String::as_str).chain(["SUMMARY.md"]) {
        assert_eq!(missing(chapter), [""; 0], "{chapter}");
    }
    let mut pages: Vec<_> = pages(&book()).iter().map(|page| page.display().to_string()).collect();
    let mut listed = [chapters, vec!["SUMMARY.md".to_owned()]].concat();
    pages.sort();
    listed.sort();
    assert_eq!(pages, listed);
}

/// All pages below a folder, from there.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = PathBuf::from(entry.file_name());
        if entry.path().is_dir() {
            found.extend(pages(&entry.path()).into_iter().map(|page| name.join(page)));
        } else if name.extension().is_some_and(|extension| extension == "md") {
            found.push(name);
        }
    }
    found
}
