//! `backstop chat`, fed by a pipe.

use std::io::Write;
use std::process::{Command, Stdio};

use backstop::scripted::{Reply, Script};
use backstop_tests::{Stage, backstop_binary};
use serde_json::json;

async fn stage(script: Script) -> Stage {
    Stage::new([("alpha", script)]).await
}

#[tokio::test]
async fn carries_the_conversation_along() {
    let stage = stage(Script::new().then(Reply::answer("Paris")).then(Reply::answer("Rome"))).await;

    let lines = "France?\n\nAnd Italy?\nquit\nnot read\n";
    let ran = stage.backstop(["chat", "--system", "Be brief."]).stdin(lines).run().await;

    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.ends_with("Paris\nRome\nGoodbye!\n"), "{ran:#?}");
    assert_eq!(
        stage.provider("alpha").last_call().unwrap().body["messages"],
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "France?"},
            {"role": "assistant", "content": "Paris"},
            {"role": "user", "content": "And Italy?"},
        ])
    );
    assert_eq!(stage.attempts(), [2]);
}

#[tokio::test]
async fn leaves_at_each_of_its_words_and_at_the_end_of_the_input() {
    let stage = stage(Script::always(Reply::answer("never"))).await;

    for input in ["quit\n", "exit\n", "bye\n", "BYE\n", ""] {
        let ran = stage.backstop(["chat"]).stdin(input).run().await;
        assert_eq!(ran.code, Some(0), "{input:?}");
        assert!(ran.stdout.ends_with("Goodbye!\n"), "{input:?}: {ran:#?}");
    }
    assert_eq!(stage.attempts(), [0]);
}

#[tokio::test]
async fn goes_on_after_a_turn_that_failed() {
    let stage = stage(Script::new().then(Reply::invalid_request()).then(Reply::answer("yes"))).await;

    let ran = stage.backstop(["chat"]).stdin("broken\nIs it?\nstats\n").run().await;

    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("refused the request"), "{ran:#?}");
    let messages = stage.provider("alpha").last_call().unwrap().body["messages"].clone();
    assert_eq!(messages, json!([{"role": "user", "content": "Is it?"}]));
    assert!(ran.stdout.contains("total_requests: 2\nsuccessful_requests: 1\nfailed_requests: 1\n"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn says_goodbye_at_ctrl_c() {
    let stage = stage(Script::always(Reply::silence())).await;
    let mut command = Command::new(backstop_binary());
    command.current_dir(stage.home()).env_clear().env("HOME", stage.home()).env("ALPHA_API_KEY", Stage::key("alpha"));
    let piped = command.arg("chat").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"Hello?\n").unwrap();
    stage.provider("alpha").calls_reach(1).await;

    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ended = child.wait_with_output().unwrap();

    assert_eq!(ended.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&ended.stdout).ends_with("Goodbye!\n"));
    drop(stdin);
}
