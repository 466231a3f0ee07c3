//! How records are written as JSON, and read again: lengths of time as milliseconds, money as decimal dollars.

/// A length of time as milliseconds with fractions, under a name that ends in `_ms`.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(of(*length))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let ms = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(ms / 1e3).map_err(D::Error::custom)
    }

    /// Whole microseconds: what is finer is noise.
    #[expect(clippy::cast_precision_loss, reason = "a figure to show: exact for 285 years")]
    pub(in crate::types) fn of(length: Duration) -> f64 {
        length.as_micros() as f64 / 1e3
    }
}

/// As [`millis`], for a length that may not be known.
pub(super) mod maybe_millis {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::types) fn serialize<S: Serializer>(
        length: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        length.map(super::millis::of).serialize(serializer)
    }

    pub(in crate::types) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let ms: Option<f64> = Option::deserialize(deserializer)?;
        ms.map(|ms| Duration::try_from_secs_f64(ms / 1e3).map_err(D::Error::custom)).transpose()
    }
}

/// An amount as decimal dollars, under a name that ends in `_usd`.
pub(crate) mod usd {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::types::NanoUsd;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
    pub(crate) fn serialize<S: Serializer>(amount: &NanoUsd, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&amount.decimal())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NanoUsd, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// As [`usd`], for an amount that may not be known.
pub(crate) mod maybe_usd {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::types::NanoUsd;

    #[expect(clippy::ref_option, reason = "the shape serde asks for")]
    pub(crate) fn serialize<S: Serializer>(amount: &Option<NanoUsd>, serializer: S) -> Result<S::Ok, S::Error> {
        amount.map(NanoUsd::decimal).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NanoUsd>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// The caller's words about a request, as an object.
pub(super) mod labels {
    use std::sync::Arc;

    use indexmap::IndexMap;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::types) fn serialize<S: Serializer>(
        labels: &Arc<[(String, String)]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(labels.iter().map(|(name, text)| (name, text)))
    }

    pub(in crate::types) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<[(String, String)]>, D::Error> {
        IndexMap::<String, String>::deserialize(deserializer).map(|labels| labels.into_iter().collect())
    }
}

/// Steps, each an object of its event's fields and its time since the start.
pub(super) mod steps {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::types::Event;

    #[derive(Serialize)]
    struct Written<'a> {
        #[serde(rename = "at_ms", with = "super::millis")]
        at: Duration,
        #[serde(flatten)]
        event: &'a Event,
    }

    #[derive(Deserialize)]
    struct Read {
        #[serde(rename = "at_ms", with = "super::millis")]
        at: Duration,
        #[serde(flatten)]
        event: Event,
    }

    pub(in crate::types) fn serialize<S: Serializer>(
        steps: &[(Duration, Event)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(steps.iter().map(|(at, event)| Written { at: *at, event }))
    }

    pub(in crate::types) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(Duration, Event)>, D::Error> {
        let steps: Vec<Read> = Vec::deserialize(deserializer)?;
        Ok(steps.into_iter().map(|step| (step.at, step.event)).collect())
    }
}

/// A standing as people read it: `cooling down (1200 ms)`.
pub(crate) mod standing {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::types::Standing;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape serde asks for")]
    pub(crate) fn serialize<S: Serializer>(standing: &Standing, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(standing)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Standing, D::Error> {
        let text = String::deserialize(deserializer)?;
        Standing::parse(&text).ok_or_else(|| D::Error::custom(format_args!("no standing is called {text:?}")))
    }
}
