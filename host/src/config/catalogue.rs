//! What models are known to cost and to take in: the catalogue that comes with the program, asked once at the start.

use std::time::{Duration, SystemTime};

use genai_prices::{Calculator, PriceCalculation, PriceRequest, ProviderInfo, Usage, UsageKey};
use jiff::Timestamp;
use url::Url;

use crate::types::{LongInput, NanoUsd, Price, Rates};

use super::settings::{Config, Listing, ProviderConfig};

/// Providers by the names that go with them here, and what the catalogue calls them.
const NAMES: &[(&str, &str)] = &[
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("gemini", "google"),
    ("google", "google"),
    ("groq", "groq"),
    ("cerebras", "cerebras"),
    ("together", "together"),
    ("fireworks", "fireworks"),
    ("openrouter", "openrouter"),
    ("deepseek", "deepseek"),
    ("mistral", "mistral"),
    ("xai", "x-ai"),
    ("azure", "azure"),
];

/// Dollars for 1,000,000 tokens that nobody asks for: a rate above is an error of the catalogue's.
const DEAREST: f64 = 1_000_000.0;

/// Input tokens of the longest request whose rates are looked for.
const LONGEST_INPUT: u64 = 1 << 27;

/// The tokens that the rates of requests of usual length are worked out from.
const ONE_TOKEN: u64 = 1;

/// Adds to every model what the catalogue says of it at that time, where the operator leaves something unsaid. Local models are
/// left alone: what they cost is known, and how much they take in is up to whoever runs them.
///
/// Prices that change with the hour count as at the dearest hour of the day, so that no budget is overrun. A price that is
/// charged otherwise than by the token is taken for unknown.
pub fn look_up(config: &mut Config, now: Timestamp) {
    for (name, provider) in config.providers.iter_mut().filter(|(_, provider)| !provider.local) {
        let is_priced = provider.price.is_some();
        let wanting = provider.models.iter().any(|model| {
            model.listed.is_none() && (model.context_window.is_none() || (model.price.is_none() && !is_priced))
        });
        let embedding_wanting =
            provider.embedding_models.iter().any(|model| model.listed.is_none() && model.price.is_none());
        if wanting || embedding_wanting {
            fill(name, provider, now);
        }
    }
}

fn fill(name: &str, provider: &mut ProviderConfig, now: Timestamp) {
    let Some(seller) = seller(name, &provider.base_url) else { return };
    for model in provider.models.iter_mut().filter(|model| model.listed.is_none()) {
        model.listed = Some(Entry { seller, model: &model.id, at: SystemTime::from(now) }.listing());
    }
    for model in provider.embedding_models.iter_mut().filter(|model| model.listed.is_none()) {
        model.listed = Entry { seller, model: &model.id, at: SystemTime::from(now) }.price_of_input();
    }
}

/// Who sells the tokens: whoever is at the address, else whoever goes by the name (a proxy before a provider bears its name).
fn seller(name: &str, base_url: &Url) -> Option<ProviderInfo<'static>> {
    let named = NAMES.iter().find(|(known, _)| *known == name);
    // The catalogue takes some forty milliseconds to read, so it is opened only for what can be in it.
    if named.is_none() && !has_public_name(base_url) {
        return None;
    }
    let catalogue = Calculator::bundled();
    let found = |name, address| catalogue.find_provider(name, address).ok().flatten();
    found(None, Some(base_url.as_str())).or_else(|| found(Some(named?.1), None))
}

fn has_public_name(url: &Url) -> bool {
    // RFC 2606: what ends in `.invalid` is nobody's.
    url.domain().is_some_and(|domain| domain.contains('.') && !domain.ends_with(".invalid"))
}

/// A model of a seller at a time. The catalogue keeps its rates to itself, so they are worked out from what it charges.
#[derive(Clone, Copy)]
struct Entry<'a> {
    seller: ProviderInfo<'static>,
    model: &'a str,
    at: SystemTime,
}

impl Entry<'_> {
    fn listing(self) -> Listing {
        let found = self.charge(ONE_TOKEN, &[]);
        let known = found.and_then(|found| self.seller.models().find(|known| known.id() == found.model_id));
        let window = known.and_then(|known| known.context_window());
        Listing { price: self.price(), context_window: window.and_then(|tokens| u32::try_from(tokens).ok()) }
    }

    fn price(self) -> Option<Price> {
        // OpenRouter's own word for models that cost nothing, which the catalogue has no price for.
        if self.seller.id() == "openrouter" && self.model.ends_with(":free") {
            return self.charge(ONE_TOKEN, &[]).map(|_| Price::FREE);
        }
        let entry = self.at_its_dearest();
        // What is charged for no token at all is a fee for each request.
        if entry.charge(0, &[])?.total_price > 0.0 {
            return None;
        }
        let rates = entry.rates(ONE_TOKEN)?;
        Some(Price { rates, long_input: entry.long_input(rates) })
    }

    /// The price of an embedding model, which has no output to charge for; unknown where it charges for anything but input, or
    /// by another rate where there is more of it.
    fn price_of_input(self) -> Option<Price> {
        let entry = self.at_its_dearest();
        if entry.charge(0, &[])?.total_price > 0.0 {
            return None;
        }
        let of = |tokens| {
            let charged = entry.charge(tokens, &[])?;
            rate(charged.input_price, tokens).filter(|rate| *rate > NanoUsd::ZERO && charged.output_price == 0.0)
        };
        let usual = of(ONE_TOKEN).filter(|usual| of(LONGEST_INPUT) == Some(*usual))?;
        Some(Price::new(usual, NanoUsd::ZERO))
    }

    /// The same entry at the hour of the day at which it costs most. Rates change on the hour or on the half hour, and stay for
    /// longer than one.
    fn at_its_dearest(self) -> Self {
        let of_day = self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
        let Some(midnight) = self.at.checked_sub(Duration::from_secs(of_day)) else { return self };
        let quarter_to = |hour: u64| midnight.checked_add(Duration::from_secs(hour * 3_600 + 2_700));
        let hours = (0..24).filter_map(quarter_to).map(|at| Self { at, ..self });
        let total =
            |entry: &Self| entry.charge(ONE_TOKEN, &[]).map_or(0.0, |charge| charge.input_price + charge.output_price);
        hours.max_by(|one, other| total(one).total_cmp(&total(other))).unwrap_or(self)
    }

    /// The rates that a longer input changes to, and from how many tokens on. Where they change more than once, those of the
    /// longest count from the first change on: nowhere does a longer input cost less by the token.
    fn long_input(self, usual: Rates) -> Option<LongInput> {
        let longest = self.rates(LONGEST_INPUT)?;
        if longest == usual {
            return None;
        }
        let (mut below, mut above) = (ONE_TOKEN, LONGEST_INPUT);
        while above - below > 1 {
            let middle = below.midpoint(above);
            if self.rates(middle)? == usual { below = middle } else { above = middle }
        }
        Some(LongInput { above_tokens: below, rates: longest })
    }

    /// The rates of a request with so many input tokens; unknown where either half is: a chat model charges for both.
    fn rates(self, tokens: u64) -> Option<Rates> {
        let plain = self.charge(tokens, &[])?;
        let input = rate(plain.input_price, tokens).filter(|rate| *rate > NanoUsd::ZERO)?;
        let output = rate(plain.output_price, tokens).filter(|rate| *rate > NanoUsd::ZERO)?;
        let cached = |key| {
            let rate = rate(self.charge(tokens, &[key])?.input_price, tokens)?;
            Some((rate != input).then_some(rate))
        };
        Some(Rates {
            input_per_mtok: input,
            output_per_mtok: output,
            cache_read_per_mtok: cached(UsageKey::CACHE_READ_TOKENS)?,
            cache_write_per_mtok: cached(UsageKey::CACHE_WRITE_TOKENS)?,
        })
    }

    /// What so many input tokens and as many output tokens are charged, the input ones of these kinds.
    fn charge(self, tokens: u64, kinds: &[UsageKey]) -> Option<PriceCalculation> {
        let tokens = u32::try_from(tokens).map(f64::from).ok()?;
        let mut usage = Usage::from([(UsageKey::INPUT_TOKENS, tokens), (UsageKey::OUTPUT_TOKENS, tokens)]);
        for kind in kinds {
            usage.insert(kind.clone(), tokens);
        }
        let request = PriceRequest::new(self.model, &usage).with_provider_id(self.seller.id()).with_timestamp(self.at);
        Calculator::bundled().calculate(&request).ok()
    }
}

/// The rate for 1,000,000 tokens behind a charge for so many.
fn rate(charged: f64, tokens: u64) -> Option<NanoUsd> {
    let tokens = u32::try_from(tokens).ok()?;
    nanos(charged / f64::from(tokens) * 1_000_000.0)
}

/// Dollars as nano-dollars, the half rounded up; nothing where they are no price.
fn nanos(dollars: f64) -> Option<NanoUsd> {
    if !dollars.is_finite() || !(0.0..=DEAREST).contains(&dollars) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10^15, whole")]
    let nanos = (dollars * 1e9 + 0.5).floor() as u64;
    Some(NanoUsd::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KNOWN_PROVIDERS, ModelConfig};
    use crate::types::Usage as Tokens;

    const OCTOBER: &str = "2026-10-01T12:00:00Z";

    fn at(url: &str, model: &str) -> ProviderConfig {
        ProviderConfig::openai_compatible(url.parse().unwrap()).with_model(model)
    }

    fn looked_up(name: &str, provider: ProviderConfig, now: &str) -> ProviderConfig {
        let mut config = Config::new();
        config.providers.insert(name.to_owned(), provider);
        look_up(&mut config, now.parse().unwrap());
        config.providers.swap_remove(name).unwrap()
    }

    fn price(provider: &ProviderConfig) -> Option<Price> {
        provider.price_of(&provider.models[0])
    }

    /// Input, output, cache read and cache write in dollars.
    fn told(rates: Rates) -> [String; 4] {
        let Rates { input_per_mtok, output_per_mtok, cache_read_per_mtok, cache_write_per_mtok } = rates;
        let cached = |rate: Option<NanoUsd>| rate.map_or("as input".to_owned(), |rate| rate.to_string());
        let (read, write) = (cached(cache_read_per_mtok), cached(cache_write_per_mtok));
        [input_per_mtok.to_string(), output_per_mtok.to_string(), read, write]
    }

    #[test]
    fn knows_what_cached_tokens_cost() {
        let provider = looked_up("anthropic", at("https://api.anthropic.com", "claude-haiku-4-5"), OCTOBER);

        let price = price(&provider).unwrap();

        assert_eq!(told(price.rates), ["$1.00", "$5.00", "$0.10", "$1.25"]);
        assert_eq!(price.long_input, None);
        assert_eq!(provider.models[0].window(), Some(200_000));
        let usage = Tokens { input: 12_000, output: 300, cache_read: 10_000, cache_creation: 1_500, reasoning: 0 };
        // 500 at $1, 10,000 at $0.10, 1,500 at $1.25, 300 at $5.
        assert_eq!(price.bill(&usage).to_string(), "$0.004875");
    }

    #[test]
    fn finds_where_long_input_begins() {
        let provider = looked_up("mine", at("https://api.anthropic.com", "claude-sonnet-4-5"), OCTOBER);

        let price = price(&provider).unwrap();

        let long = price.long_input.unwrap();
        assert_eq!(told(price.rates), ["$3.00", "$15.00", "$0.30", "$3.75"]);
        assert_eq!(long.above_tokens, 200_000);
        assert_eq!(told(long.rates), ["$6.00", "$22.50", "$0.60", "$7.50"]);
    }

    #[test]
    fn counts_the_dearest_where_rates_change_more_than_once() {
        let provider = looked_up("openrouter", at("https://openrouter.ai/api/v1", "qwen/qwen3.7-flash"), OCTOBER);

        let price = price(&provider).unwrap();

        let long = price.long_input.unwrap();
        assert_eq!(told(price.rates), ["$0.03", "$0.13", "$0.006", "$0.038"]);
        assert_eq!(long.above_tokens, 32_000);
        assert_eq!(told(long.rates), ["$0.20", "$0.80", "$0.04", "$0.25"]);
    }

    #[test]
    fn goes_by_the_date() {
        let at = |now| looked_up("openrouter", at("https://openrouter.ai/api/v1", "qwen/qwen3-coder-flash"), now);

        let prices = ["2026-10-18T23:59:00Z", "2026-10-19T00:00:00Z"].map(|now| price(&at(now)).unwrap());

        assert_eq!(prices[0].rates, prices[1].rates);
        assert!(prices[0].long_input.is_none() && prices[1].long_input.is_some());
    }

    #[test]
    fn counts_the_dearest_hour_of_the_day() {
        let at = |now| looked_up("deepseek", at("https://api.deepseek.com", "deepseek-v4-pro"), now);

        let prices = ["2026-10-01T00:15:00Z", "2026-10-01T02:00:00Z"].map(|now| price(&at(now)).unwrap());

        assert_eq!(told(prices[0].rates), ["$1.32", "$3.96", "$0.044", "as input"]);
        assert_eq!(prices[0], prices[1]);
    }

    #[test]
    fn goes_by_the_address_before_the_name() {
        let by_name = looked_up("openai", at("http://proxy.internal/v1", "gpt-4o-mini"), OCTOBER);
        let by_address = looked_up("mine", at("https://api.openai.com/v1", "gpt-4o-mini"), OCTOBER);
        let elsewhere = looked_up("openai", at("https://api.groq.com/openai/v1", "gpt-4o-mini"), OCTOBER);
        let unheard_of = looked_up("my-openai", at("http://proxy.internal/v1", "gpt-4o-mini"), OCTOBER);

        assert_eq!(told(price(&by_name).unwrap().rates), ["$0.15", "$0.60", "$0.075", "as input"]);
        assert_eq!(price(&by_name), price(&by_address));
        assert_eq!([price(&elsewhere), price(&unheard_of)], [None, None]);
    }

    #[test]
    fn leaves_the_operators_own_word_alone() {
        let own = Price::flat_per_1k(NanoUsd::from_nanos(7));
        let mut provider = at("https://api.openai.com/v1", "gpt-4o-mini").with_model("gpt-4o");
        provider.models[0].context_window = Some(4_096);

        let of_models = looked_up("openai", provider.clone(), OCTOBER);
        let of_provider = looked_up("openai", provider.clone().with_price(own), OCTOBER);
        let local = looked_up("openai", ProviderConfig { local: true, ..provider }, OCTOBER);

        assert_eq!((of_models.models[0].window(), of_models.models[1].window()), (Some(4_096), Some(128_000)));
        assert_eq!(price(&of_provider), Some(own));
        assert_eq!((price(&local), local.models[1].window()), (Some(Price::FREE), None));
    }

    #[test]
    fn takes_for_unknown_what_is_not_charged_by_the_token() {
        for (url, model) in [
            ("https://api.perplexity.ai", "sonar-pro"),
            ("https://api.openai.com/v1", "text-embedding-3-small"),
            ("https://api.openai.com/v1", "no-such-model"),
        ] {
            assert_eq!(price(&looked_up("any", at(url, model), OCTOBER)), None, "{model}");
        }
    }

    #[test]
    fn takes_openrouters_word_for_what_is_free() {
        let free = looked_up("openrouter", at("https://openrouter.ai/api/v1", "openai/gpt-oss-20b:free"), OCTOBER);
        let unknown = looked_up("openrouter", at("https://openrouter.ai/api/v1", "no-such/model:free"), OCTOBER);

        assert_eq!((price(&free), price(&unknown)), (Some(Price::FREE), None));
    }

    #[test]
    fn has_a_price_for_the_usual_models_of_known_providers_but_for_those_it_has_dropped() {
        let mut unknown = Vec::new();
        for known in KNOWN_PROVIDERS.iter().filter(|known| !known.local) {
            let mut provider = at(known.base_url, known.models[0]);
            provider.models = known.models.iter().map(|id| ModelConfig::new(id)).collect();
            let provider = looked_up(known.name, provider, OCTOBER);
            let unpriced = provider.models.iter().filter(|model| provider.price_of(model).is_none());
            unknown.extend(unpriced.map(|model| format!("{}/{}", known.name, model.id)));
        }

        let dropped =
            ["cerebras/llama-4-scout-17b-16e-instruct", "fireworks/accounts/fireworks/models/llama-v3p3-70b-instruct"];
        assert_eq!(unknown, dropped);
    }

    #[test]
    fn knows_every_provider_of_its_table() {
        for (name, id) in NAMES {
            let seller = seller(name, &"http://127.0.0.1:1/".parse().unwrap()).unwrap();
            assert_eq!(seller.id(), *id);
        }
    }

    #[test]
    fn makes_exact_amounts_of_floating_dollars() {
        assert_eq!(nanos(0.15), Some(NanoUsd::from_nanos(150_000_000)));
        assert_eq!(nanos(0.000_000_000_5), Some(NanoUsd::from_nanos(1)), "half a nano-dollar is rounded up");
        assert_eq!(nanos(0.000_000_000_4), Some(NanoUsd::ZERO));
        assert_eq!(nanos(1e6).map(NanoUsd::nanos), Some(1_000_000_000_000_000));
        for no_price in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.01, 1_000_000.01] {
            assert_eq!(nanos(no_price), None, "{no_price}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reads_every_rate_with_so_many_digits_exactly(micros in 0u64..1_000_000_000, tokens in 1u32..=1 << 27) {
            // A rate of up to a thousand dollars in millionths, as the catalogue would charge it for so many tokens.
            let dollars = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            let charged = dollars.parse::<f64>().unwrap() * f64::from(tokens) / 1_000_000.0;

            proptest::prop_assert_eq!(rate(charged, u64::from(tokens)), dollars.parse().ok());
        }
    }
}
