//! A strategy file that is replaced while requests run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backstop::config::{Config, ProviderConfig, StrategyRef};
use backstop::{Backstop, ChatRequest, Price};
use backstop_tests::simulated::{Fate, Simulated};

fn prebuilt(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt").join(name).with_extension("wasm")
}

/// Puts a component in the place of another as an author would: written beside it, then renamed.
fn put(name: &str, place: &Path) {
    let beside = place.with_extension("new");
    std::fs::copy(prebuilt(name), &beside).unwrap();
    std::fs::rename(&beside, place).unwrap();
}

/// Two targets that `quality` and `cost` order differently, decided by the file.
async fn backstop(file: &Path) -> Backstop {
    let mut config = Config::new();
    for (name, priority, per_1k) in [("dear", 9, "0.03"), ("cheap", 1, "0.001")] {
        let provider = ProviderConfig::openai_compatible(format!("http://{name}.invalid/v1").parse().unwrap())
            .with_model("m")
            .with_priority(priority)
            .with_price(Price::flat_per_1k(per_1k.parse().unwrap()));
        config.providers.insert(name.to_owned(), provider);
    }
    config.routes.get_mut("default").unwrap().strategy = StrategyRef::File(file.to_owned());
    let transport = Simulated::new(|_, _| Fate::Answer(Duration::from_millis(1)));
    Backstop::builder().config(config).transport(transport as Arc<_>).build().await.unwrap()
}

async fn served_by(backstop: &Backstop) -> String {
    backstop.chat(ChatRequest::ask("hi")).await.unwrap().target.unwrap().provider.to_string()
}

/// Asks until another target serves; every request on the way must be served.
async fn asks_until_served_by(backstop: &Backstop, provider: &str) -> usize {
    let asking = async {
        let mut requests = 1;
        while served_by(backstop).await != provider {
            requests += 1;
        }
        requests
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("the new strategy never took over")
}

// F2
#[tokio::test]
async fn takes_a_replaced_strategy_up_without_dropping_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.wasm");
    put("quality", &file);
    let backstop = backstop(&file).await;
    assert_eq!(served_by(&backstop).await, "dear");

    put("cost", &file);
    let requests = asks_until_served_by(&backstop, "cheap").await;

    assert!(requests > 1, "no request ran while the file was replaced");
    assert_eq!(backstop.stats().failed_requests, 0);
}

// F2, R61
#[tokio::test]
async fn keeps_the_old_strategy_where_the_new_one_does_not_prove_fit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.wasm");
    put("quality", &file);
    let backstop = backstop(&file).await;

    std::fs::write(&file, b"not a component").unwrap();
    tokio::time::timeout(Duration::from_millis(1_500), asks_until_served_by(&backstop, "cheap")).await.unwrap_err();
    put("cost", &file);
    asks_until_served_by(&backstop, "cheap").await;

    assert_eq!(backstop.stats().failed_requests, 0);
}
