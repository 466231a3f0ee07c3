//! What can be seen of a module without compiling it: its kind, its imports and exports, and whether its shape is within
//! bounds.

use std::ops::ControlFlow;

use serde::Serialize;
use wasmparser::{BinaryReaderError, Encoding, MemoryType, Parser, Payload};

use super::{LoadStrategyError, plain_text};

/// Most functions of all its core modules together; CPython has some 20,000.
const FUNCTIONS: usize = 100_000;

/// Most bytes of one function. The compiler's time grows faster than a function does, and it cannot be stopped half-way.
const FUNCTION_BYTES: usize = 512 << 10;

/// The custom section that names who wrote a component.
const AUTHORS: &str = "authors";

/// Longest message kept of the parser, and longest list of authors, in characters.
const MESSAGE_CHARS: usize = 300;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModuleKind {
    /// A component.
    Component,
    /// A core module with the types of a component inside, as wit-bindgen makes it.
    CoreModule,
}

/// A module's kind with what it asks for and offers, outermost level only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) kind: ModuleKind,
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
    /// Whether a core module says which world it is of.
    pub(super) carries_types: bool,
    /// Who wrote it: the custom section that OCI's annotation of the same name comes from.
    pub(super) authors: Option<String>,
}

impl Outline {
    /// Looks a module over; `memory` is the most bytes one instance may have.
    ///
    /// # Errors
    ///
    /// What is not whole WebAssembly, and what is of a shape that no strategy has.
    pub(super) fn of(bytes: &[u8], memory: usize) -> Result<Self, LoadStrategyError> {
        check_preamble(bytes)?;
        let mut survey = Survey::new(memory);
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|error| broken(&error))?;
            if survey.take(payload)?.is_break() {
                break;
            }
        }
        Ok(survey.outline)
    }
}

/// Tells what is not WebAssembly at all, before a parser words it in its own way.
fn check_preamble(bytes: &[u8]) -> Result<(), LoadStrategyError> {
    if bytes.is_empty() {
        return Err(LoadStrategyError::Empty);
    }
    if bytes.starts_with(b"\0asm") {
        return Ok(());
    }
    let text = bytes.trim_ascii_start();
    let is_text = [&b"(module"[..], b"(component", b"(;", b";;"].iter().any(|start| text.starts_with(start));
    Err(if is_text { LoadStrategyError::Text } else { LoadStrategyError::NotWasm })
}

fn broken(error: &BinaryReaderError) -> LoadStrategyError {
    if error.message().starts_with("unexpected end") {
        return LoadStrategyError::Truncated { offset: error.offset() };
    }
    LoadStrategyError::Malformed { message: plain_text::tidy(&error.to_string(), MESSAGE_CHARS) }
}

/// The state of looking a module over, section by section.
struct Survey {
    outline: Outline,
    memory: usize,
    /// How many modules and components enclose the present section.
    depth: usize,
    functions: usize,
}

impl Survey {
    fn new(memory: usize) -> Self {
        let outline = Outline {
            kind: ModuleKind::Component,
            imports: vec![],
            exports: vec![],
            carries_types: false,
            authors: None,
        };
        Self { outline, memory, depth: 0, functions: 0 }
    }

    fn take(&mut self, payload: Payload<'_>) -> Result<ControlFlow<()>, LoadStrategyError> {
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if self.depth == 0 => {
                self.outline.kind = ModuleKind::CoreModule;
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.depth += 1,
            Payload::End(_) if self.depth == 0 => return Ok(ControlFlow::Break(())),
            Payload::End(_) => self.depth -= 1,
            Payload::FunctionSection(section) => self.count_functions(section.count() as usize)?,
            Payload::CodeSectionEntry(body) => at_most("bytes in one function", body.range().len(), FUNCTION_BYTES)?,
            Payload::MemorySection(section) => {
                for memory in section {
                    self.check_memory(memory.map_err(|error| broken(&error))?)?;
                }
            }
            outer if self.depth == 0 => self.take_outer(outer)?,
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes note of the imports and exports of the outermost level.
    fn take_outer(&mut self, payload: Payload<'_>) -> Result<(), LoadStrategyError> {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    self.outline.imports.push(import.map_err(|error| broken(&error))?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    self.outline.exports.push(export.map_err(|error| broken(&error))?.name.name.to_owned());
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let module = import.map_err(|error| broken(&error))?.module;
                    if self.outline.imports.last().is_none_or(|last| last != module) {
                        self.outline.imports.push(module.to_owned());
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    self.outline.exports.push(export.map_err(|error| broken(&error))?.name.to_owned());
                }
            }
            Payload::CustomSection(section) => {
                self.outline.carries_types |= section.name().starts_with("component-type");
                if section.name() == AUTHORS {
                    let authors = String::from_utf8_lossy(section.data());
                    self.outline.authors = Some(plain_text::tidy(&authors, MESSAGE_CHARS));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn count_functions(&mut self, more: usize) -> Result<(), LoadStrategyError> {
        self.functions = self.functions.saturating_add(more);
        at_most("functions", self.functions, FUNCTIONS)
    }

    fn check_memory(&self, memory: MemoryType) -> Result<(), LoadStrategyError> {
        if memory.shared {
            return Err(LoadStrategyError::SharedMemory);
        }
        if memory.memory64 {
            return Err(LoadStrategyError::Memory64);
        }
        let bytes = memory.initial.saturating_mul(1 << memory.page_size_log2.unwrap_or(16).min(16));
        if bytes > self.memory as u64 {
            return Err(LoadStrategyError::LargeMemory { bytes, limit: self.memory });
        }
        Ok(())
    }
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), LoadStrategyError> {
    if found > limit { Err(LoadStrategyError::TooComplex { what, found, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::strategy::test_guests::{component, first_of_all, wat};

    use super::*;

    const MEMORY: usize = 16 << 20;

    #[test]
    fn sees_what_a_component_asks_for_and_offers() {
        let outline = Outline::of(&component(&first_of_all()), MEMORY).unwrap();

        assert_eq!(outline.kind, ModuleKind::Component);
        assert_eq!(outline.imports, ["backstop:strategy/types@1.0.0"]);
        assert_eq!(outline.exports, ["backstop:strategy/choose@1.0.0"]);
    }

    #[test]
    fn sees_a_core_module_and_whether_it_carries_types() {
        let typed = Outline::of(&first_of_all(), MEMORY).unwrap();
        let plain = Outline::of(&wat(r#"(module (import "env" "f" (func)) (export "g" (func 0)))"#), MEMORY).unwrap();

        assert_eq!((typed.kind, typed.carries_types), (ModuleKind::CoreModule, true));
        assert_eq!((plain.kind, plain.carries_types), (ModuleKind::CoreModule, false));
        assert_eq!((plain.imports, plain.exports), (vec!["env".to_owned()], vec!["g".to_owned()]));
    }

    #[test]
    fn reads_who_wrote_it_and_shows_no_escape_sequences() {
        let signed = wat(r#"(module (@custom "authors" "Ann <ann@example.org>, \1b[2JBob"))"#);

        let outline = Outline::of(&signed, MEMORY).unwrap();

        assert_eq!(outline.authors.as_deref(), Some("Ann <ann@example.org>, Bob"));
    }

    proptest! {
        #[test]
        fn never_panics_on_a_damaged_module(at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = component(&first_of_all());
            let place = at.index(bytes.len());
            bytes[place] = to;
            bytes.truncate(cut.index(bytes.len() + 1));

            let _ = Outline::of(&bytes, MEMORY);
        }
    }
}
