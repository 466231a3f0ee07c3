//! Faulty files: every fault is told, with its line, its value and its mend.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::config::{Config, StrategyRef, check, finish};

use super::{Folder, default_route, loaded, notices, problem, problems};

const ONE: &str = "[providers.own]\nbase_url = \"http://127.0.0.1:1/v1\"\nmodels = [\"m\"]\n";

// B11
#[test]
fn lists_all_problems_at_once() {
    let toml = r#"
[providers.openai]
priority = "high"
models = ["gpt-4o", 7]
timeouts = { connect = 5, totl = "60s" }
limits = { rpm = 0 }

[providers.mine]
base_url = "http://2130706433/v1"
api_key = "sk-canary"

[routes.default]
targets = ["openai/gpt-4", "grok"]
strategy = "smrt"
max_attempts = 1000000000

[bugdet]
daily_usd = "10,00"

[budget]
daily_usd = 50
monthly_usd = 2.50
"#;

    let error = Folder::with(toml, "LLM_ENABLE_CACHING=maybe\n").load(&[("OPENAI_PRIORITY", "low")]).unwrap_err();

    insta::assert_snapshot!(error, @r#"
    the configuration has 15 problems:
      backstop.toml:3: providers.openai.priority = "high": not a whole number; write priority = 2
      backstop.toml:4: providers.openai.models[1] = 7: a number where text belongs; write "..."
      backstop.toml:5: providers.openai.timeouts.connect = 5: a length of time needs a unit; write connect = "5s"
      backstop.toml:5: providers.openai.timeouts.totl: no such setting; did you mean total?
      backstop.toml:6: providers.openai.limits.rpm = 0: must be from 1 to 4294967295; write rpm = 2
      backstop.toml:8: providers.mine.models: no model; write models = ["gpt-4o"]
      backstop.toml:9: providers.mine.base_url = "http://2130706433/v1": the host is written in a disguised form; write 127.0.0.1 if that is meant
      backstop.toml:10: providers.mine.api_key: keys do not belong into the file; put the key into a variable or into .env, and name that with api_key_env
      backstop.toml:13: routes.default.targets[1]: there is no provider grok; there is: openai
      backstop.toml:14: routes.default.strategy = "smrt": no built-in strategy, no path that ends in .wasm, and no oci:// reference; did you mean smart?
      backstop.toml:15: routes.default.max_attempts = 1000000000: must be from 1 to 100; write max_attempts = 2
      backstop.toml:17: bugdet: no such setting; did you mean budget?
      backstop.toml:21: budget.daily_usd: $50.00 is more than monthly_usd allows ($2.50); lower it, or raise monthly_usd
      .env: LLM_ENABLE_CACHING = "maybe": neither true nor false; write LLM_ENABLE_CACHING=true
      environment: OPENAI_PRIORITY = "low": not a whole number; write OPENAI_PRIORITY=2
    "#);
}

// C1
#[test]
fn takes_an_empty_file_for_no_file() {
    let loaded = Folder::with("# nothing\n", "").load(&[("GROQ_API_KEY", "k")]).unwrap();

    assert_eq!(loaded.config.providers.len(), 1);
    assert!(loaded.file.is_some());
}

// C4, C5
#[test]
fn takes_windows_files() {
    let toml = format!("\u{feff}{}", ONE.replace('\n', "\r\n"));

    assert_eq!(loaded(&toml, &[]).config.providers.len(), 1);
}

// C6, C10
#[test]
fn refuses_a_provider_that_is_there_twice() {
    let says = problems(&format!("{ONE}{ONE}"), &[]);

    assert_eq!(says[0], "backstop.toml:4: \"own\" is there twice; keep one of them");
}

// C7
#[test]
fn refuses_unknown_keys_everywhere() {
    for (toml, says) in [
        ("bugdet = 1\n", "backstop.toml:1: bugdet: no such setting; did you mean budget?"),
        ("[budget]\ndaly_usd = 1\n", "backstop.toml:2: budget.daly_usd: no such setting; did you mean daily_usd?"),
        ("[breaker]\nfailure = 1\n", "backstop.toml:2: breaker.failure: no such setting; did you mean failures?"),
        ("[routes.a]\ntarget = 1\n", "backstop.toml:2: routes.a.target: no such setting; did you mean targets?"),
        ("[sandbox]\nfule = 1\n", "backstop.toml:2: sandbox.fule: no such setting; did you mean fuel?"),
        (
            "[sandbox.grants]\nsmrt = [\"log\"]\n",
            "backstop.toml:2: sandbox.grants.smrt = [\"log\"]: no built-in strategy, no path that ends in .wasm, and no oci:// reference; did you mean smart?",
        ),
        (
            "[sandbox.grants]\n\"x.wasm\" = [\"stat\"]\n",
            "backstop.toml:2: sandbox.grants.\"x.wasm\" = [\"stat\"]: \"stat\" is no power; did you mean state?",
        ),
        ("[gateway]\nlistne = 1\n", "backstop.toml:2: gateway.listne: no such setting; did you mean listen?"),
        ("[store]\npaht = 1\n", "backstop.toml:2: store.paht: no such setting; did you mean path?"),
        ("[cache]\nenable = 1\n", "backstop.toml:2: cache.enable: no such setting; did you mean enabled?"),
        ("[cooldown]\nlongst = 1\n", "backstop.toml:2: cooldown.longst: no such setting; did you mean longest?"),
        ("[retries]\nflor = 1\n", "backstop.toml:2: retries.flor: no such setting; did you mean floor?"),
        (
            "[defaults]\ntemp = 1\n",
            "backstop.toml:2: defaults.temp: no such setting; there is: temperature, max_tokens",
        ),
        (
            "[providers.groq]\nlimits = { rpn = 1 }\n",
            "backstop.toml:2: providers.groq.limits.rpn: no such setting; did you mean rpm?",
        ),
        (
            "[providers.groq]\nmodels = [{ id = \"m\", visoin = true }]\n",
            "backstop.toml:2: providers.groq.models[0].visoin: no such setting; did you mean vision?",
        ),
    ] {
        assert_eq!(problem(toml), says);
    }
}

// C8
#[test]
fn survives_ten_thousand_nested_tables() {
    let toml: String = (0..10_000).map(|depth| format!("[routes.default.options.a{depth}]\n")).collect();

    assert!(problems(&toml, &[]).is_empty());
    assert!(!problems(&format!("x = {}", "[".repeat(100_000)), &[]).is_empty());
}

// C9
#[test]
fn refuses_a_hundred_thousand_providers() {
    let mut toml = "[providers]\n".to_owned();
    for number in 0..50_000 {
        let _ = writeln!(toml, "p{number}={{}}");
    }

    let problems = problems(&toml, &[]);

    assert!(problems[0].contains("50000 providers; there may be 1000; remove some"), "{}", problems[0]);
}

// C11
#[test]
fn refuses_names_that_fit_nowhere() {
    let long = "n".repeat(10_000);
    for name in ["a/b", "a\\nb", "\u{1f600}", "", &long] {
        let toml = format!("[providers.\"{name}\"]\nbase_url = \"http://127.0.0.1:1\"\nmodels = [\"m\"]\n");
        let says = problems(&toml, &[]).join("\n");
        assert!(says.contains("not a fit name; use 1 to 64 letters, digits, -, _ and ."), "{says}");
        assert!(says.len() < 1_000, "{says}");
    }
}

// C12, C13
#[test]
fn refuses_addresses_by_line() {
    let toml = "[providers.own]\nmodels = [\"m\"]\nbase_url = \"http://169.254.169.254/v1\"\n";

    insta::assert_snapshot!(problem(toml), @r#"backstop.toml:3: providers.own.base_url = "http://169.254.169.254/v1": a link-local address (cloud metadata lives there); write the address of the provider's API"#);
}

// C12
#[test]
fn refuses_to_send_a_key_unencrypted() {
    let toml = "[providers.own]\nmodels = [\"m\"]\nbase_url = \"http://api.example/v1\"\napi_key_env = \"OWN_KEY\"\n";
    let key = [("OWN_KEY", "k")];

    let refused = problems(toml, &key);
    let allowed = loaded(&format!("{toml}allow_insecure = true\n"), &key);
    let close = loaded(&toml.replace("api.example", "127.0.0.1:8080"), &key);
    let keyless = loaded(toml, &[]);

    let says = "backstop.toml:3: providers.own.base_url: the key would travel unencrypted; write https://, or allow_insecure = true";
    assert_eq!(refused, [says]);
    for loaded in [allowed, close, keyless] {
        assert_eq!(loaded.config.providers.len(), 1);
    }
}

// C15
#[test]
fn has_no_files_of_keys() {
    let says = problem(&format!("{ONE}api_key_file = \"/etc/key\"\n"));

    assert_eq!(says, "backstop.toml:4: providers.own.api_key_file: no such setting; did you mean api_key_env?");
}

// C16
#[test]
fn refuses_budgets_that_are_no_amounts() {
    for (value, says) in [
        ("-1", "-1: not a plain decimal number of dollars"),
        ("0", "0: a limit of nothing refuses every request; leave it out for no limit"),
        ("nan", "nan: not a plain decimal number of dollars"),
        ("1e300", "1e300: not a plain decimal number of dollars"),
        ("\"$10\"", "\"$10\": not a plain decimal number of dollars"),
        ("\"10,00\"", "\"10,00\": not a plain decimal number of dollars"),
        ("0.0000000001", "0.0000000001: finer than a nano-dollar"),
    ] {
        let shown = problem(&format!("[budget]\ndaily_usd = {value}\n"));
        assert!(shown.starts_with(&format!("backstop.toml:2: budget.daily_usd = {says}")), "{shown}");
    }
}

// C17
#[test]
fn refuses_half_a_price_and_a_negative_one() {
    let half = problem(&format!("{ONE}price = {{ input_per_mtok = \"1\" }}\n"));
    let negative = problem(&format!("{ONE}price = {{ input_per_mtok = -1, output_per_mtok = 2 }}\n"));

    insta::assert_snapshot!(half, @r#"backstop.toml:4: providers.own.price.output_per_mtok: missing: a price has both halves; write output_per_mtok = "2.50""#);
    insta::assert_snapshot!(negative, @r#"backstop.toml:4: providers.own.price.input_per_mtok = -1: not a plain decimal number of dollars; write input_per_mtok = "2.50""#);
}

// C18
#[test]
fn refuses_limits_out_of_range() {
    for value in ["0", "-1", "18446744073709551616", "4294967296"] {
        let says = problem(&format!("{ONE}limits = {{ rpm = {value} }}\n"));
        let expected =
            format!("backstop.toml:4: providers.own.limits.rpm = {value}: must be from 1 to 4294967295; write rpm = 2");
        assert_eq!(says, expected);
    }
}

#[test]
fn refuses_limits_that_make_no_sense_together() {
    for (limits, says) in [
        ("burst = 2", "limits.burst: as many requests do not come in a minute; lower it, or set rpm"),
        ("rpm = 3, burst = 4", "limits.burst: as many requests do not come in a minute; lower it, or set rpm"),
        ("queue_size = 4", "limits.queue_size: there is no line; set queue, such as \"2s\", or leave it out"),
        ("queue = \"2\"", "limits.queue = \"2\": a length of time needs a unit; write queue = \"2s\""),
    ] {
        let problem = problem(&format!("{ONE}limits = {{ {limits} }}\n"));
        assert_eq!(problem, format!("backstop.toml:4: providers.own.{says}"));
    }
    let of_model = problem("[providers.groq]\nmodels = [{ id = \"m\", limits = { queue = \"2s\" } }]\n");
    assert!(
        of_model.starts_with("backstop.toml:2: providers.groq.models[0].limits.queue: no such setting"),
        "{of_model}"
    );
    let never = problem("[cache]\nttl = \"0s\"\n");
    assert!(never.starts_with("backstop.toml:2: cache.ttl = \"0s\": must be more than nothing"), "{never}");
}

// C19
#[test]
fn refuses_timeouts_without_sense() {
    for (value, says) in [
        ("\"0s\"", "must be more than nothing; write total = \"30s\""),
        ("\"-5s\"", "a length of time cannot be negative; write total = \"30s\""),
        ("\"1e9h\"", "not a length of time; write total = \"30s\""),
        ("5", "a length of time needs a unit; write total = \"5s\""),
        ("2.5", "a length of time needs a unit; write total = \"2.5s\""),
        ("true", "true or false where a length of time belongs; write total = \"30s\""),
    ] {
        let shown = problem(&format!("{ONE}timeouts = {{ total = {value} }}\n"));
        assert_eq!(shown, format!("backstop.toml:4: providers.own.timeouts.total = {value}: {says}"));
    }
}

// C20, C21
#[test]
fn refuses_targets_that_are_not_there() {
    for (target, says) in [
        ("own/x", "own has no model \"x\"; there is: m"),
        ("onw", "there is no provider onw; did you mean own?"),
        ("default", "there is no provider default; there is: own"),
    ] {
        let shown = problem(&format!("{ONE}[routes.default]\ntargets = [\"{target}\"]\n"));
        let says = says.replace("\"x\"", "x");
        assert_eq!(shown, format!("backstop.toml:5: routes.default.targets[0]: {says}"));
    }
    let twice = problem(&format!("{ONE}[routes.default]\ntargets = [\"own\", \"own\"]\n"));
    assert_eq!(twice, "backstop.toml:5: routes.default.targets[1]: is there twice; keep one of them");
}

#[test]
fn takes_the_shared_store_with_its_password_from_a_variable() {
    let store = |line: &str| format!("{ONE}[store]\nshared = \"{line}\"\n");

    let shared = loaded(&store("${REDIS_URL}"), &[("REDIS_URL", "rediss://:CANARY@redis.example/3")]);
    let shown = crate::config::show(&shared);
    assert!(
        shown.contains("shared = \"rediss://redis.example:6379/3\"  # with a password; backstop.toml:5"),
        "{shown}"
    );
    assert!(!shown.contains("CANARY"));

    let said = problem(&store("postgres://h"));
    assert!(said.starts_with("backstop.toml:5: store.shared: not an address of Redis's; write shared = "), "{said}");
}
#[test]
fn takes_a_store_beside_the_file_or_none() {
    let path = |setting: &str| loaded(&format!("{ONE}[store]\npath = {setting}\n"), &[]).config.store.path;

    assert!(path("\"records.db\"").is_some_and(|path| path.is_absolute() && path.ends_with("records.db")));
    assert_eq!(path("false"), None);
    assert!(problem(&format!("{ONE}[store]\npath = true\n")).contains("true is no file"));
}

// C23
#[test]
fn refuses_time_zones_that_are_nowhere_and_names_the_nearest() {
    let mars = problem("[budget]\ntime_zone = \"Mars/Base\"\n");
    let berlin = problem("[budget]\ntime_zone = \"Europe/Berln\"\n");

    assert!(mars.starts_with("backstop.toml:2: budget.time_zone = \"Mars/Base\": no such time zone"), "{mars}");
    assert!(berlin.ends_with("no such time zone; did you mean Europe/Berlin?"), "{berlin}");
}

#[test]
fn refuses_labels_that_are_none_and_days_that_may_cost_more_than_their_month_in_every_budget() {
    let label = problem("[budget.labels.team]\ndaily_usd = 1\n");
    let route = problem("[routes.default.budget]\ndaily_usd = 5\nmonthly_usd = 1\n");
    let unknown = problem("[budget.labels.\"team=search\"]\nweekly_usd = 5\n");

    assert!(label.ends_with("no label; write name=text, such as \"team=search\""), "{label}");
    assert!(
        route.contains("routes.default.budget.daily_usd: $5.00 is more than monthly_usd allows ($1.00)"),
        "{route}"
    );
    assert!(
        unknown.contains("weekly_usd: no such setting; there is: per_request_usd, daily_usd, monthly_usd"),
        "{unknown}"
    );
}

#[test]
fn reads_budgets_of_routes_providers_and_labels() {
    let dollars = |dollars: u64| Some(crate::types::NanoUsd::from_nanos(dollars * 1_000_000_000));
    let config = super::loaded(
        "[providers.openai.budget]\nmonthly_usd = 7\n[routes.default.budget]\nper_request_usd = 1\n\
         [budget]\ntime_zone = \"Asia/Tokyo\"\n[budget.labels.\"team=search\"]\ndaily_usd = 2\n",
        &[("OPENAI_API_KEY", "sk-1")],
    )
    .config;

    assert_eq!(config.providers["openai"].budget.monthly, dollars(7));
    assert_eq!(config.routes["default"].budget.per_request, dollars(1));
    assert_eq!(config.budget.labels["team=search"].daily, dollars(2));
    assert_eq!(config.budget.time_zone.iana_name(), Some("Asia/Tokyo"));
}

// C24
#[test]
fn refuses_a_day_that_may_cost_more_than_its_month() {
    let says = problem("[budget]\ndaily_usd = 50\nmonthly_usd = 10\n");

    insta::assert_snapshot!(says, @r#"backstop.toml:2: budget.daily_usd: $50.00 is more than monthly_usd allows ($10.00); lower it, or raise monthly_usd"#);
}

// C25
#[test]
fn refuses_attempts_out_of_range() {
    for value in ["0", "1_000_000_000"] {
        let says = problem(&format!("[routes.default]\nmax_attempts = {value}\n"));
        let expected = format!(
            "backstop.toml:2: routes.default.max_attempts = {value}: must be from 1 to 100; write max_attempts = 2"
        );
        assert_eq!(says, expected);
    }
}

// C26
#[test]
fn looks_for_a_strategy_beside_the_file() {
    let folder = Folder::with("[routes.default]\nstrategy = \"mine.wasm\"\n", "");

    let missing = folder.load(&[]).unwrap_err().to_string();
    std::fs::write(folder.path().join("mine.wasm"), "").unwrap();
    let found = folder.load(&[]).unwrap();

    assert!(missing.contains("backstop.toml:2: routes.default.strategy: there is no file "), "{missing}");
    let expected = StrategyRef::File(folder.path().join("mine.wasm"));
    assert_eq!(default_route(&found.config).strategy, expected);
}

// C27
#[test]
fn includes_no_other_files() {
    let says = problem("include = [\"backstop.toml\"]\n");

    assert!(says.starts_with("backstop.toml:1: include: no such setting"), "{says}");
}

// C29
#[cfg(unix)]
#[test]
fn warns_of_a_file_that_anybody_may_change() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::with(ONE, "");
    let file = folder.path().join("backstop.toml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();

    let loaded = folder.load(&[]).unwrap();

    assert_eq!(notices(&loaded), ["backstop.toml: everybody on this machine may change it; chmod o-w mends that"]);
}

#[test]
fn tells_one_problem_for_one_fault() {
    let toml = "[providers.own]\nbase_url = \"nonsense\"\n[routes.default]\ntargets = [\"own/x\"]\n";

    let problems = problems(toml, &[]);

    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].contains("models") && problems[1].contains("base_url"), "{problems:#?}");
}

#[test]
fn refuses_names_that_would_share_their_keys() {
    let second = ONE.replace("own", "my-own").replace(":1/", ":2/");
    let third = ONE.replace("own", "my_own").replace(":1/", ":3/");

    let says = problem(&format!("{second}{third}"));

    assert!(
        says.starts_with(
            "backstop.toml:4: providers.my_own: reads the same variables (MY_OWN_...) as providers.my-own"
        )
    );
}

#[test]
fn holds_a_configuration_made_in_code_to_the_same_rules() {
    let mut config = Config::new();
    let mut provider = crate::config::ProviderConfig::openai_compatible("ftp://x.example".parse().unwrap());
    provider.timeouts.total = std::time::Duration::ZERO;
    config.providers.insert("a/b".into(), provider);
    config.breaker.success_rate = f64::NAN;
    finish(&mut config);

    let problems: Vec<_> = check(&config).iter().map(ToString::to_string).collect();

    insta::assert_snapshot!(problems.join("\n"), @r#"
    providers."a/b": not a fit name; use 1 to 64 letters, digits, -, _ and .
    providers."a/b".base_url: neither http nor https; write base_url = "https://api.openai.com/v1"
    providers."a/b".models: no model; write models = ["gpt-4o"]
    providers."a/b".timeouts.total: must be more than nothing and at most 30 days; write total = "30s"
    breaker.success_rate: must be from 0 to 1; write success_rate = 0.5
    "#);
}

#[test]
fn finds_nothing_wrong_with_a_fresh_configuration() {
    assert_eq!(check(&Config::new()), []);
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let folder = Folder::with("", "");
        std::fs::write(folder.path().join("backstop.toml"), &bytes).unwrap();
        std::fs::write(folder.path().join(".env"), &bytes).unwrap();
        let _ = folder.load(&[]);
    }

    #[test]
    fn never_panics_on_any_values(
        table in "(providers\\.(openai|x|\"a b\")|routes\\.default|budget|breaker|sandbox|store|gateway|purposes\\.x|cooldown)",
        key in "(base_url|models|price|timeouts|limits|targets|strategy|options|daily_usd|unknown_price|pause|fuel|headers|shared|listen|api_key_env|kind)",
        value in "(-?[0-9]{1,25}|\"[^\"\\\\\\n]{0,30}\"|nan|true|\\[1, \"a\"\\]|\\{ a = 1 \\}|1979-05-27|[0-9]\\.[0-9]{1,12}|\\[\\[\\]\\])",
    ) {
        let _ = problems(&format!("[{table}]\n{key} = {value}\n"), &[]);
    }
}
