//! R6: what a budget reckons with is never less than the tokens a request really has, and what no text tells is refused.

use backstop::config::{BudgetConfig, Config, ProviderConfig};
use backstop::router::RouteError;
use backstop::scripted::{Answer, ScriptedProvider};
use backstop::{Backstop, ChatRequest, NanoUsd, Price};
use serde_json::{Value, json};
use tiktoken_rs::CoreBPE;

const PROMPTS: u64 = 10_000;

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    /// From 0 to one less than `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[usize::try_from(self.roll(all.len() as u64)).unwrap()]
    }

    /// So many letters of a range of Unicode.
    fn letters(&mut self, first: u32, last: u32, count: u64) -> String {
        let letter = |dice: &mut Self| {
            let code = u64::from(first) + dice.roll(u64::from(last - first) + 1);
            char::from_u32(u32::try_from(code).unwrap()).unwrap_or('?')
        };
        (0..count).map(|_| letter(self)).collect()
    }

    fn of(&mut self, alphabet: &str, count: u64) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..count).map(|_| alphabet[usize::try_from(self.roll(alphabet.len() as u64)).unwrap()]).collect()
    }
}

const WORDS: [&str; 16] = [
    "the",
    "river",
    "quickly",
    "answer",
    "international",
    "of",
    "Größe",
    "naïve",
    "tokens",
    "whatever",
    "a",
    "counts",
    "42",
    "3.14159",
    "don't",
    "e-mail",
];

const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One piece of text of a kind that tokenizers find easy, or hard.
fn piece(dice: &mut Dice) -> String {
    let count = 1 + dice.roll(120);
    match dice.roll(18) {
        0 | 1 => (0..count).map(|_| format!("{} ", dice.one_of(&WORDS))).collect(),
        2 => dice.letters(0x1F300, 0x1FAFF, count),
        3 => "👩🏽‍👩🏽‍👧🏽‍👦🏽".repeat(usize::try_from(1 + count / 10).unwrap()),
        4 => dice.letters(0x4E00, 0x9FFF, count),
        5 => dice.letters(0x20000, 0x2A6DF, count),
        6 => dice.letters(0x12000, 0x123FF, count),
        7 => dice.letters(0x0F00, 0x0FBC, count),
        8 => dice.letters(0x0600, 0x06FF, count),
        9 => dice.letters(0xAC00, 0xD7A3, count),
        10 => dice.of(BASE64, count * 8),
        11 => dice.of("0123456789abcdef", count * 4),
        12 => dice.of(" \t\n\r", count * 10),
        13 => " ".repeat(usize::try_from(count * 20).unwrap()),
        14 => dice.of("{}[]()<>;:,.!?\"'\\/|@#$%^&*-+=~`_", count),
        15 => (0..count / 8)
            .map(|n| format!("    if x[{n}] != None:\n        return {{\"k{n}\": f(x, y=1e{n})}}\n"))
            .collect(),
        16 => dice.letters(0x0300, 0x036F, count),
        _ => dice.letters(0x01, 0x7F, count),
    }
}

fn text(dice: &mut Dice) -> String {
    (0..=dice.roll(4)).map(|_| piece(dice)).collect()
}

/// A request with what its text comes to as OpenAI's format has it.
fn prompt(dice: &mut Dice) -> (ChatRequest, Vec<String>, usize) {
    let mut request = ChatRequest::new();
    let mut texts = Vec::new();
    let mut frames = 3;
    for _ in 0..=dice.roll(3) {
        let (role, content) = (*dice.one_of(&[&"user", &"assistant", &"system"]), text(dice));
        frames += 3;
        texts.push(role.to_owned());
        if dice.roll(4) == 0 {
            request = request.with_raw_message(&json!({"role": role, "content": [{"type": "text", "text": content}]}));
        } else {
            request = request.with_message(role, &content);
        }
        texts.push(content);
    }
    if dice.roll(3) == 0 {
        let (name, about) = (dice.of("abcdefgh_", 12), text(dice));
        let function = json!({"name": name, "description": about, "parameters": {"type": "object", "properties": {
            "place": {"type": "string", "description": text(dice)}, "unit": {"enum": ["c", "f"]},
        }}});
        let tools = json!([{"type": "function", "function": function}]);
        texts.push(tools.to_string());
        request = request.with_field("tools", &tools);
    }
    (request, texts, frames)
}

fn tokens(bpe: &CoreBPE, texts: &[String], frames: usize) -> usize {
    texts.iter().map(|text| bpe.count_ordinary(text)).sum::<usize>() + frames
}

// R6
#[test]
fn is_never_less_than_the_tokens_of_ten_thousand_prompts() {
    let tokenizers = [tiktoken_rs::o200k_base_singleton(), tiktoken_rs::cl100k_base_singleton()];
    let mut dice = Dice(1);
    let mut above_the_rule_of_thumb = 0;

    for number in 0..PROMPTS {
        let (request, texts, frames) = prompt(&mut dice);
        let needs = request.needs();

        for bpe in tokenizers {
            let real = tokens(bpe, &texts, frames);
            assert!(
                needs.input_bound as usize >= real,
                "prompt {number}: {} bounds {real} tokens: {texts:?}",
                needs.input_bound
            );
            above_the_rule_of_thumb += usize::from(real > needs.input_tokens as usize);
        }
        assert_eq!(needs.media, 0);
    }

    assert!(above_the_rule_of_thumb > 0, "the corpus is too easy: a third of the bytes would do");
}

async fn backstop(provider: &ScriptedProvider, budget: bool, media_tokens: Option<u32>) -> Backstop {
    let dear = Price::new("1".parse().unwrap(), "1".parse().unwrap());
    let mut alpha = ProviderConfig::openai_compatible(provider.base_url()).with_model("m").with_price(dear);
    alpha.models[0].media_tokens = media_tokens;
    let mut config = Config::new();
    config.providers.insert("alpha".to_owned(), alpha);
    if budget {
        config.budget = BudgetConfig { daily: Some("1".parse().unwrap()), ..BudgetConfig::default() };
    }
    Backstop::builder().config(config).build().await.unwrap()
}

fn picture() -> ChatRequest {
    let url = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(200_000));
    let parts: Value =
        json!([{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]);
    ChatRequest::new().with_raw_message(&json!({"role": "user", "content": parts})).with_field("max_tokens", &10)
}

// R6
#[tokio::test]
async fn refuses_media_of_which_nobody_says_what_they_take_where_a_budget_is_set() {
    let provider = ScriptedProvider::start(Answer::new("a cat")).await.unwrap();

    let refused = backstop(&provider, true, None).await.chat(picture()).await.unwrap_err();

    let RouteError::BudgetExceeded { reason, .. } = &refused else { panic!("{refused}") };
    assert!(reason.starts_with("unpriced: ") && reason.ends_with("give the model media_tokens"), "{reason}");
    assert_eq!(provider.call_count(), 0);
    assert!(backstop(&provider, false, None).await.chat(picture()).await.is_ok(), "nobody counts money");
}

#[tokio::test]
async fn reckons_with_the_media_tokens_the_operator_declares() {
    let provider = ScriptedProvider::start(Answer::new("a cat")).await.unwrap();
    let backstop = backstop(&provider, true, Some(1_600)).await;

    let worst = backstop.worst_cases(&picture()).unwrap()[0].cost.unwrap();
    let served = backstop.chat(picture()).await;

    // 1,600 tokens of the picture, the text's few, and ten of output, at a dollar for a million: no word of two megabytes of base64.
    let range = NanoUsd::from_nanos(1_610_000)..NanoUsd::from_nanos(2_400_000);
    assert!(range.contains(&worst), "{worst}");
    assert!(served.is_ok());
}
