//! Scenarios that are at fault, and what is said of them.

use super::*;

fn problems(text: &str) -> String {
    match parse_scenario("s.toml", text) {
        Ok(_) => "in order".to_owned(),
        Err(error) => error.problems.iter().map(|problem| format!("{problem}\n")).collect(),
    }
}

/// What is wrong with a provider's or traffic's table, beside which everything is in order.
fn problems_of(provider: &str, traffic: &str) -> String {
    problems(&format!("[providers.a]\n{provider}\n[[traffic]]\nrate = 1\n{traffic}\n"))
}

#[test]
fn unknown_keys_are_told_with_the_nearest_that_is_known() {
    let text = "duraton = \"5m\"\n[providers.a]\nfirst_tokn = \"1s\"\nfailures = { overload = 0.1 }\n\
                [[providers.a.phases]]\noutage = \"server_eror\"\n[[traffic]]\nrte = 3\nrate = 1\n";

    insta::assert_snapshot!(problems(text), @r#"
    s.toml:1: duraton: no such setting; did you mean duration?
    s.toml:3: providers.a.first_tokn: no such setting; did you mean first_token?
    s.toml:4: providers.a.failures.overload: no such setting; did you mean overloaded?
    s.toml:6: providers.a.phases[0].outage = "server_eror": no such failure; did you mean server_error?
    s.toml:8: traffic[0].rte: no such setting; did you mean rate?
    "#);
}

#[test]
fn a_provider_has_what_its_model_can() {
    let text = "[providers.a]\ncontext_window = 8192\nvision = true\ntools = false\n[[traffic]]\nrate = 1\n";

    let scenario = parse_scenario("s.toml", text).unwrap();

    let model = &scenario.config.providers["a"].models[0];
    assert_eq!((model.context_window, model.vision, model.tools), (Some(8192), true, false));
}

#[test]
fn faulty_values_are_told_with_place_value_and_mend() {
    let provider = "first_token = { p50 = \"2s\", p95 = \"1s\" }\ntotal = { from = \"1s\" }\nrefusal = 3\n\
                    failures = { timeout = 0.6, overloaded = 0.6 }\nbounds = { rpm = 0 }\nquality = \"good\"";
    let traffic = "input_tokens = { mean = 0 }\nstreaming = 70\narrivals = \"randm\"";

    insta::assert_snapshot!(problems_of(provider, traffic), @r#"
    s.toml:2: providers.a.first_token: p95 is less than p50; write the smaller one first
    s.toml:3: providers.a.total: not a distribution; write one value, { from, to }, { p50, p95 } or { mean }
    s.toml:4: providers.a.refusal = 3: a length of time needs a unit; write refusal = "3s"
    s.toml:5: providers.a.failures: more than all calls fail (1.2); let the shares come to at most 1
    s.toml:6: providers.a.bounds.rpm = 0: must be from 1 to 4294967295; write rpm = 2
    s.toml:7: providers.a.quality = "good": not a number; write quality = 0.5
    s.toml:10: traffic[0].input_tokens.mean = 0: must be from 1 to 1000000; write mean = 2
    s.toml:11: traffic[0].streaming = 70: must be from 0 to 1; write streaming = 0.7
    s.toml:12: traffic[0].arrivals = "randm": no such way to come; did you mean random?
    "#);
}

#[test]
fn what_can_only_be_seen_of_the_whole_is_told_too() {
    let phases = "[[providers.a.phases]]\nfrom = \"5m\"\nto = \"4m\"\n";
    let rate = "rate = [{ at = \"1m\", per_second = 3 }, { at = \"1m\", per_second = 4 }, { at = \"2m\" }]";

    insta::assert_snapshot!(problems(""), @r#"
    providers: no provider; add [providers.NAME]
    traffic: nobody asks; add [[traffic]] with rate = 10
    "#);
    insta::assert_snapshot!(
        problems_of(phases, ""),
        @r#"s.toml:4: providers.a.phases[0].to: ends before it begins; let `to` be later than `from`"#
    );
    insta::assert_snapshot!(problems(&format!("[providers.a]\n[[traffic]]\n{rate}\n")), @r#"
    s.toml:3: traffic[0].rate[1]: no later than the point before it; put the points in order
    s.toml:3: traffic[0].rate[2].per_second: missing: a point has both; write per_second = 10
    "#);
    insta::assert_snapshot!(
        problems("[providers.a]\n[[traffic]]\nrate = 900000\n"),
        @r#"s.toml:2: traffic: brings 540000000 requests; there may be 50000000; shorten the duration, or lower the rates"#
    );
    insta::assert_snapshot!(
        problems("[providers.a]\n[[traffic]]\n"),
        @r#"s.toml:2: traffic[0].rate: missing: neither a rate nor bursts; write rate = 10"#
    );
    insta::assert_snapshot!(
        problems("[providers.a]\n[[traffic]]\nrate = 1\n[route]\ntargets = [\"b\"]\n"),
        @r#"s.toml:5: route.targets[0]: there is no provider b; there is: a"#
    );
}

#[test]
fn strategies_are_named_with_their_options_and_not_in_the_route() {
    let own = "[providers.a]\n[[traffic]]\nrate = 1\n[strategies.smart]\noptions = { patience = \"1s\" }\n\
               [strategies.mine]\nstrategy = \"./mine.wasm\"\n";
    let names: Vec<String> =
        parse_scenario("s.toml", own).unwrap().contenders.into_iter().map(|contender| contender.name).collect();

    assert_eq!(names, ["smart", "mine"]);
    insta::assert_snapshot!(
        problems("[providers.a]\n[[traffic]]\nrate = 1\n[strategies.smrt]\n"),
        @r#"s.toml:4: strategies.smrt: no built-in strategy, no path that ends in .wasm, and no oci:// reference; did you mean smart?"#
    );
    insta::assert_snapshot!(
        problems("[providers.a]\n[[traffic]]\nrate = 1\n[route]\nstrategy = \"cost\"\n"),
        @r#"s.toml:5: route.strategy = "cost": who decides is no part of the route here; name strategies with --strategy, or in [strategies.NAME] with their options"#
    );
    insta::assert_snapshot!(
        parse_contender("csot").unwrap_err(),
        @r#"--strategy = "csot": no built-in strategy, no path that ends in .wasm, and no oci:// reference; did you mean cost?"#
    );
}

#[test]
fn what_is_no_scenario_at_all_is_an_error_and_no_panic() {
    for text in
        ["traffic = 3", "[[providers]]", "providers = 1\ntraffic = []", "[providers.a]\nphases = {}", "= =", "\0"]
    {
        assert_ne!(problems(text), "in order", "{text}");
    }
    let missing = read_scenario(std::path::Path::new("/no/such/scenario.toml")).unwrap_err();
    insta::assert_snapshot!(missing, @r#"
    the scenario has 1 problem:
      /no/such/scenario.toml: there is no such file; backstop simulate --list names the scenarios that are built in
    "#);
}
