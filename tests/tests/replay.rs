//! Every recorded exchange with a real provider, through a socket and the real binary: skipped with a word where the
//! recordings are not there.

use std::path::{Path, PathBuf};

use backstop_tests::replay::{self, Exchange};

/// Named by `BACKSTOP_WIRE_FIXTURES`; else beside the repository.
fn folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/wire");
    std::env::var_os("BACKSTOP_WIRE_FIXTURES").map_or(beside, PathBuf::from).join("dev")
}

#[tokio::test]
async fn whatever_was_recorded_comes_out_as_it_was_said() {
    let folder = folder();
    if !folder.is_dir() {
        println!("skipped: no recordings at {}", folder.display());
        return;
    }

    let table = replay::run(Exchange::read_folder(&folder).unwrap()).await;

    println!("{table}");
    assert_eq!(table.unexplained(), []);
    assert_eq!(table.needlessly_explained(), [""; 0]);
    assert!(table.replayed() > 1_000, "only {} were replayed", table.replayed());
}
