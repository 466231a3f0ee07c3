//! A manifest: what is in a registry under a name, read and written.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::plain_text::tidy;
use super::super::{Inspection, ModuleKind};
use super::RegistryError;

/// What a manifest of ours is.
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Every kind of manifest there is: a registry that were asked for ours alone could not say what else it has.
pub(super) const ANY_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// What a component's configuration is; the second is what older tools wrote.
const CONFIG_TYPES: [&str; 2] = ["application/vnd.wasm.config.v0+json", "application/vnd.wasm.config.v1+json"];

/// What a component's layer is; the second is what older tools wrote.
const LAYER_TYPES: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];

/// Longest name of a type that is shown, in characters.
const SHOWN_CHARS: usize = 100;

/// Where a component's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// SHA-256 of them, in hexadecimal.
    pub(super) digest: String,
    /// How many there are.
    pub(super) bytes: u64,
}

/// What is to be pushed beside a component.
pub(super) struct Papers {
    /// Its configuration.
    pub(super) config: Vec<u8>,
    /// Its manifest.
    pub(super) manifest: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
}

/// The one layer of a component's manifest; what anything else is, is said.
pub(super) fn layer(manifest: &[u8]) -> Result<Layer, RegistryError> {
    let other = |found: String| RegistryError::NotAComponent { found };
    let document: Document =
        serde_json::from_slice(manifest).map_err(|_| other("nothing that could be read as a manifest".to_owned()))?;
    if let Some(manifests) = document.manifests {
        return Err(other(format!("an index of {} manifests", manifests.len())));
    }
    let layers = document.layers.unwrap_or_default();
    let config = document.config.map(|config| config.media_type).unwrap_or_default();
    if !CONFIG_TYPES.contains(&config.as_str()) {
        return Err(other(format!("an artifact whose configuration is {}, with {}", shown(&config), listed(&layers))));
    }
    let [layer] = layers.as_slice() else { return Err(other(format!("an artifact with {}", listed(&layers)))) };
    if !LAYER_TYPES.contains(&layer.media_type.as_str()) {
        return Err(other(format!("an artifact with {}", listed(&layers))));
    }
    let digits = layer.digest.strip_prefix("sha256:").unwrap_or_default();
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return Err(other(format!("an artifact whose layer has the digest {}", shown(&layer.digest))));
    }
    Ok(Layer { digest: digits.to_owned(), bytes: layer.size })
}

/// Configuration and manifest of a component, with what it says of itself.
pub(super) fn papers(inspection: &Inspection, created: Timestamp) -> Papers {
    let layer = format!("sha256:{}", inspection.digest);
    let (system, component) = match inspection.kind {
        ModuleKind::Component => {
            let (exports, imports) = (&inspection.exports, &inspection.imports);
            ("wasip2", Some(json!({"exports": exports, "imports": imports, "target": null})))
        }
        ModuleKind::CoreModule => ("wasip1", None),
    };
    let told = [
        ("created", Some(created.to_string().into())),
        ("author", inspection.authors.as_deref().map(Value::from)),
        ("architecture", Some("wasm".into())),
        ("os", Some(system.into())),
        ("layerDigests", Some(json!([layer]))),
        ("component", component),
    ];
    let config: Map<String, Value> =
        told.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect();
    let config = Value::Object(config).to_string().into_bytes();
    let described = inspection.description.as_ref();
    let said = [
        ("title", described.map(|described| described.name.as_str())),
        ("version", described.map(|described| described.version.as_str())),
        ("description", described.map(|described| described.summary.as_str())),
        ("authors", inspection.authors.as_deref()),
    ];
    let annotation = |(key, value): (&str, Option<&str>)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some((format!("org.opencontainers.image.{key}"), Value::from(value)))
    };
    let annotations: Map<String, Value> = said.into_iter().filter_map(annotation).collect();
    let [config_type, _] = CONFIG_TYPES;
    let [layer_type, _] = LAYER_TYPES;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": config_type,
            "digest": format!("sha256:{}", super::super::cache::digest(&config)),
            "size": config.len(),
        },
        "layers": [{"mediaType": layer_type, "digest": layer, "size": inspection.bytes}],
        "annotations": annotations,
    });
    Papers { config, manifest: manifest.to_string().into_bytes() }
}

fn listed(layers: &[Descriptor]) -> String {
    let types: Vec<String> = layers.iter().take(3).map(|layer| shown(&layer.media_type)).collect();
    let more = if layers.len() > types.len() { ", …" } else { "" };
    match layers.len() {
        0 => "no layer".to_owned(),
        1 => format!("a layer of {}", types.join(", ")),
        count => format!("{count} layers ({}{more})", types.join(", ")),
    }
}

fn shown(kind: &str) -> String {
    let tidied = tidy(kind, SHOWN_CHARS);
    if tidied.is_empty() { "of no type".to_owned() } else { tidied }
}

#[cfg(test)]
mod tests {
    use crate::config::Powers;
    use crate::strategy::Description;

    use super::*;

    const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn artifact(config: &str, layers: &[&str]) -> String {
        let describe = |kind: &str| json!({"mediaType": kind, "digest": format!("sha256:{DIGITS}"), "size": 7});
        let layers: Vec<_> = layers.iter().map(|kind| describe(kind)).collect();
        json!({"schemaVersion": 2, "config": describe(config), "layers": layers}).to_string()
    }

    fn told(manifest: &str) -> String {
        match layer(manifest.as_bytes()) {
            Ok(layer) => format!("{} bytes of {}", layer.bytes, layer.digest),
            Err(RegistryError::NotAComponent { found }) => found,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn takes_a_component_as_tools_write_it_now_and_wrote_it_before() {
        for (config, layer) in CONFIG_TYPES.into_iter().flat_map(|config| LAYER_TYPES.map(|layer| (config, layer))) {
            assert_eq!(told(&artifact(config, &[layer])), format!("7 bytes of {DIGITS}"));
        }
    }

    #[test]
    fn says_what_anything_else_is() {
        let wasm = CONFIG_TYPES[0];
        let image = "application/vnd.oci.image.config.v1+json";
        let tar = "application/vnd.oci.image.layer.v1.tar+gzip";

        insta::assert_snapshot!(told(&artifact(image, &[tar, tar])), @"an artifact whose configuration is application/vnd.oci.image.config.v1+json, with 2 layers (application/vnd.oci.image.layer.v1.tar+gzip, application/vnd.oci.image.layer.v1.tar+gzip)");
        insta::assert_snapshot!(told(&artifact(wasm, &[tar])), @"an artifact with a layer of application/vnd.oci.image.layer.v1.tar+gzip");
        insta::assert_snapshot!(told(&artifact(wasm, &["a/b"; 5])), @"an artifact with 5 layers (a/b, a/b, a/b, …)");
        insta::assert_snapshot!(told(&artifact(wasm, &[])), @"an artifact with no layer");
        insta::assert_snapshot!(told(r#"{"manifests": [{}, {}]}"#), @"an index of 2 manifests");
        insta::assert_snapshot!(told("<html>"), @"nothing that could be read as a manifest");
        insta::assert_snapshot!(told(&artifact(wasm, &["application/wasm"]).replace(DIGITS, "../../x")), @"an artifact whose layer has the digest sha256:../../x");
        insta::assert_snapshot!(told(&artifact("a\u{1b}[2Jb", &[])), @"an artifact whose configuration is ab, with no layer");
    }

    #[test]
    fn reads_what_it_writes() {
        let inspection = Inspection {
            source: "swift.wasm".into(),
            description: Some(Description {
                name: "swift".into(),
                version: "1.2.0".into(),
                summary: "the fastest first".into(),
                options_schema: None,
            }),
            kind: ModuleKind::Component,
            bytes: 7,
            digest: DIGITS.into(),
            authors: Some("Ann".into()),
            powers: Powers::NONE,
            imports: Vec::new(),
            exports: vec!["backstop:strategy/choose@1.0.0".into()],
            compile_ms: None,
        };

        let papers = papers(&inspection, Timestamp::UNIX_EPOCH);

        assert_eq!(layer(&papers.manifest).unwrap(), Layer { digest: DIGITS.into(), bytes: 7 });
        let manifest: Value = serde_json::from_slice(&papers.manifest).unwrap();
        let annotations = json!({
            "org.opencontainers.image.title": "swift",
            "org.opencontainers.image.version": "1.2.0",
            "org.opencontainers.image.description": "the fastest first",
            "org.opencontainers.image.authors": "Ann",
        });
        assert_eq!(manifest["annotations"], annotations);
        let config: Value = serde_json::from_slice(&papers.config).unwrap();
        let expected = json!({
            "created": "1970-01-01T00:00:00Z",
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [format!("sha256:{DIGITS}")],
            "component": {"exports": ["backstop:strategy/choose@1.0.0"], "imports": [], "target": null},
            "author": "Ann",
        });
        assert_eq!(config, expected);
    }
}
