//! A component made of a core module, with the digest of its sources in it.

use std::borrow::Cow;

use anyhow::{Context, Result};
use wasm_encoder::{ComponentSection, CustomSection, Encode};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// The custom section that holds the digest.
const SECTION: &str = "backstop:sources";

/// A guest, ready to be loaded.
#[derive(Debug)]
pub(crate) struct Component(Vec<u8>);

impl Component {
    /// Makes a component of a core module that brings its own description along, as wit-bindgen's do.
    pub(crate) fn from_module(module: &[u8], sources: &str) -> Result<Self> {
        let encoder = ComponentEncoder::default().validate(true).module(module);
        let mut encoder = encoder.context("the module was not made by wit-bindgen")?;
        let mut bytes = encoder.encode().context("the module does not fit the contract")?;
        let section = CustomSection { name: Cow::Borrowed(SECTION), data: Cow::Borrowed(sources.as_bytes()) };
        bytes.push(ComponentSection::id(&section));
        section.encode(&mut bytes);
        Ok(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The digest of the sources a component was made from; `None` where it holds none.
pub(crate) fn sources_of(component: &[u8]) -> Option<String> {
    let sections = Parser::new(0).parse_all(component).filter_map(|payload| match payload.ok()? {
        Payload::CustomSection(section) if section.name() == SECTION => Some(section.data().to_vec()),
        _ => None,
    });
    String::from_utf8(sections.last()?).ok()
}
