//! What is asked where money is counted.

/// The body of a question that is reckoned at far more than the 100 tokens a provider counts for it.
pub const LONG_QUESTION: &str = concat!(
    r#"{"messages":[{"role":"user","content":"Once upon a midnight dreary, while I pondered, weak and weary, over many "#,
    "a quaint and curious volume of forgotten lore, while I nodded, nearly napping, suddenly there came a tapping, as ",
    "of some one gently rapping, rapping at my chamber door. 'Tis some visitor, I muttered, tapping at my chamber door, ",
    r#"only this and nothing more."}],"max_tokens":200}"#
);
