//! `backstop keys`: made once, listed without the key, revoked by id or name.

#![cfg(unix)]

use std::fs;
use std::path::PathBuf;

use backstop::scripted::Script;
use backstop_tests::{CliRun, Stage};
use serde_json::{Value, json};

async fn stage() -> Stage {
    Stage::new([("alpha", Script::new())]).await
}

async fn keys(stage: &Stage, arguments: &[&str]) -> CliRun {
    stage.backstop(["keys"]).args(arguments.iter().copied()).run().await
}

async fn listed(stage: &Stage) -> Value {
    keys(stage, &["list", "--json"]).await.json()
}

fn file(stage: &Stage) -> PathBuf {
    stage.home().join(".local/share/backstop/gateway-keys.json")
}

/// Takes out what differs from run to run.
fn settled(mut shown: Value) -> Value {
    if let Value::Object(fields) = &mut shown {
        for name in ["id", "last4", "created", "revoked", "expires"] {
            fields.entry(name).and_modify(|value| {
                if !value.is_null() {
                    *value = json!("...");
                }
            });
        }
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_a_key_once_and_alone_on_standard_output() {
    let stage = stage().await;

    let made = keys(&stage, &["create", "ci"]).await;
    let shown = keys(&stage, &["list"]).await;

    assert_eq!(made.code, Some(0), "{made:#?}");
    assert!(made.answer().starts_with("bsk_") && made.answer().len() == 47, "{made:#?}");
    assert!(made.stderr.contains("the only time its key is shown"), "{made:#?}");
    assert!(shown.stdout.contains(&format!("...{}", &made.answer()[43..])), "{shown:#?}");
    assert!(shown.stdout.contains("every route") && !shown.stdout.contains(&made.answer()[..20]), "{shown:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_everything_that_was_said_of_a_key() {
    let stage = stage().await;
    let says = "create ops --admin --route default --rpm 60 --tpm 1000 --rpd 9000 --tpd 800000 --burst 10 --concurrent 4 --label team=a --label env=b \
                --daily-usd 5 --monthly-usd 100.50 --expires 30d --json";

    let made = keys(&stage, &says.split_whitespace().collect::<Vec<_>>()).await.json();

    let listed = listed(&stage).await;
    assert!(made["key"].as_str().is_some_and(|key| key.starts_with("bsk_")), "{made}");
    assert_eq!(
        settled(listed["keys"][0].clone()),
        json!({
            "id": "...", "name": "ops", "last4": "...", "state": "live", "live": true, "admin": true, "routes": ["default"],
            "labels": {"team": "a", "env": "b"},
            "limits": {"rpm": 60, "tpm": 1000, "rpd": 9000, "tpd": 800000, "concurrent": 4, "burst": 10},
            "budget": {"daily_usd": "5.00", "monthly_usd": "100.50"},
            "created": "...", "expires": "...", "revoked": null,
        })
    );
    let days = |field: &str| listed["keys"][0][field].as_str().unwrap()[..10].to_owned();
    assert!(days("created") < days("expires"));
}

#[tokio::test(flavor = "multi_thread")]
async fn revokes_by_id_and_by_name_and_rotates() {
    let stage = stage().await;
    let id = keys(&stage, &["create", "ci", "--rpm", "5", "--json"]).await.json()["id"].as_str().unwrap().to_owned();
    keys(&stage, &["create", "app"]).await;

    let rotated = keys(&stage, &["rotate", &id]).await;
    let revoked = keys(&stage, &["revoke", "app"]).await;
    let again = keys(&stage, &["revoke", "app"]).await;
    let unknown = keys(&stage, &["revoke", "nobody"]).await;

    assert!(rotated.answer().starts_with("bsk_"), "{rotated:#?}");
    assert!(revoked.stdout.contains("no gateway takes it any more"), "{revoked:#?}");
    assert_eq!([rotated.code, revoked.code, again.code, unknown.code], [Some(0), Some(0), Some(2), Some(2)]);
    assert!(unknown.stderr.contains("backstop keys list"), "{unknown:#?}");
    let listed = listed(&stage).await;
    let states: Vec<_> = listed["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (&key["name"], &key["state"], &key["limits"]["rpm"]))
        .collect();
    assert_eq!(
        states,
        [
            (&json!("ci"), &json!("revoked"), &json!(5)),
            (&json!("app"), &json!("revoked"), &Value::Null),
            (&json!("ci"), &json!("live"), &json!(5)),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_makes_no_sense() {
    let stage = stage().await;
    keys(&stage, &["create", "ci"]).await;

    for (arguments, says) in [
        (&["create", "ci"][..], "choose another name"),
        (&["create", ""], "a name has 1 to 64 characters"),
        (&["create", "x", "--route", "none"], "there is no route \"none\"; there are: default"),
        (&["create", "x", "--rpm", "0"], "--rpm"),
        (&["create", "x", "--label", "team"], "team=search"),
        (&["create", "x", "--expires", "soon"], "30d"),
        (&["create", "x", "--expires", "4294967295d"], "--expires is too far away"),
        (&["revoke"], "ID|NAME"),
    ] {
        let ran = keys(&stage, arguments).await;

        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ran:#?}");
        assert!(ran.stderr.contains(says), "{arguments:?}: {ran:#?}");
    }
    assert_eq!(listed(&stage).await["keys"].as_array().unwrap().len(), 1);
}

// L12
#[tokio::test(flavor = "multi_thread")]
async fn takes_no_key_as_an_argument_and_does_not_repeat_it() {
    let stage = stage().await;
    let key = keys(&stage, &["create", "ci"]).await.answer().to_owned();

    for command in ["create", "revoke", "rotate"] {
        let ran = keys(&stage, &[command, &key]).await;

        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(ran.stderr.contains("that is a key itself") && !ran.stderr.contains(&key[4..]), "{ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loses_no_key_of_many_processes_at_once() {
    let stage = stage().await;
    let names: Vec<String> = (0..8).map(|n| format!("key {n}")).collect();

    let runs = names.iter().map(|name| tokio::spawn(stage.backstop(["keys", "create", name]).run()));
    for run in runs.collect::<Vec<_>>() {
        assert_eq!(run.await.unwrap().code, Some(0));
    }

    let listed = listed(&stage).await;
    let mut found: Vec<_> =
        listed["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, names);
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_keys_beside_the_store_or_where_it_is_told() {
    let by_store = stage().await.with_settings("[store]\npath = \"data/backstop.db\"");
    let by_name = stage().await.with_settings("[store]\npath = \"data/backstop.db\"\n[gateway]\nkeys = \"own.json\"");

    for (stage, place) in [(&by_store, "data/gateway-keys.json"), (&by_name, "own.json")] {
        let ran = keys(stage, &["create", "ci"]).await;

        assert_eq!(ran.code, Some(0), "{ran:#?}");
        assert!(stage.home().join(place).is_file() && !file(stage).exists(), "{place}");
    }
}

// L6
#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_wrong_with_the_file() {
    let stage = stage().await;
    let empty = keys(&stage, &["list"]).await;
    assert!(empty.code == Some(0) && empty.stderr.contains("no keys yet"), "{empty:#?}");
    keys(&stage, &["create", "ci"]).await;

    fs::write(file(&stage), "no keys").unwrap();
    let ran = keys(&stage, &["create", "app"]).await;

    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:#?}");
    assert!(ran.stderr.contains("gateway-keys.json does not hold keys as Backstop writes them"), "{ran:#?}");
    assert_eq!(fs::read_to_string(file(&stage)).unwrap(), "no keys");
}
