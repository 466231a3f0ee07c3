//! Guests for tests, written as core modules in text and given the contract's types.
//!
//! `next` finds the question at `$ask` (`entropy` at 8, `states` at 44 and 48, `remaining-ms` at 92 and 96) and gives back the
//! address of a decision. There is one at 1024 that says "the first target, now"; its fields: the verdict's case at 0, `target`
//! at 4, `after-ms` at 8, the reason's case, address and length at 28, 32 and 36, the note's address and length at 40 and 44.

use std::time::Duration;

use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

use crate::config::{SandboxConfig, StrategyRef};
use crate::types::{Ask, RosterTarget, Standing, State, TargetName};

use super::{LoadStrategyError, Strategy};

const CONTRACT: &str = include_str!("../../../wit/strategy.wit");

/// A core module under construction.
pub(super) struct TestGuest {
    /// The body of `configure`.
    pub(super) configure: &'static str,
    /// The body of `next`, after which the decision at 1024 is given.
    pub(super) next: &'static str,
    /// More fields of the module.
    pub(super) more: &'static str,
    /// Imports of the module, which come first.
    pub(super) imports: &'static str,
    /// The contract and whatever else the world refers to: package and text.
    pub(super) packages: Vec<String>,
    /// What the world says.
    pub(super) world: &'static str,
}

impl Default for TestGuest {
    fn default() -> Self {
        Self {
            configure: "(i32.const 512)",
            next: "",
            more: "",
            imports: "",
            packages: vec![CONTRACT.to_owned()],
            world: "export backstop:strategy/choose@1.0.0;",
        }
    }
}

impl TestGuest {
    /// The core module, with its types.
    pub(super) fn module(&self) -> Vec<u8> {
        let Self { configure, next, more, imports, world, .. } = self;
        let version = if world.contains("choose@2.0.0") { "2.0.0" } else { "1.0.0" };
        let mut module = wat(&format!(
            r#"(module {imports}
                (memory (export "memory") 2)
                (global $top (mut i32) (i32.const 4096))
                (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
                    (global.set $top (i32.add (local.get $at) (local.get $size)))
                    (local.get $at))
                (func (export "backstop:strategy/choose@{version}#configure") (param i32 i32 i32 i32) (result i32) {configure})
                (func (export "cabi_post_backstop:strategy/choose@{version}#next") (param i32)
                    (global.set $top (i32.const 4096)))
                (func (export "backstop:strategy/choose@{version}#next") (param $ask i32) (result i32)
                    {next} (i32.const 1024))
                {more})"#
        ));
        let mut resolve = Resolve::default();
        for (number, package) in self.packages.iter().enumerate() {
            resolve.push_source(&format!("{number}.wit"), package).unwrap();
        }
        let package =
            resolve.push_source("guest.wit", &format!("package test:guest; world guest {{ {world} }}")).unwrap();
        let world = resolve.select_world(&[package], Some("guest")).unwrap();
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    /// The contract as another release would have it.
    pub(super) fn with_contract(self, change: impl Fn(&str) -> String) -> Self {
        Self { packages: vec![change(CONTRACT)], ..self }
    }
}

/// Text to binary.
pub(super) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A module that behaves: it always chooses the first target.
pub(super) fn first_of_all() -> Vec<u8> {
    TestGuest::default().module()
}

/// A module that behaves while entropy is 0, as it is when a strategy is proven, and does the worst afterwards.
pub(super) fn worst(then: &'static str) -> Vec<u8> {
    let next = format!("(if (i64.ne (i64.load offset=8 (local.get $ask)) (i64.const 0)) (then {then}))");
    TestGuest { next: next.leak(), ..TestGuest::default() }.module()
}

/// The component of a core module.
pub(super) fn component(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default().module(module).unwrap().encode().unwrap()
}

/// Loads a module from a file, with a roster of three and no options.
pub(super) fn load(module: &[u8]) -> Result<Strategy, LoadStrategyError> {
    // The time limit has a test of its own; the others are not about a machine that is busy.
    load_in(module, &SandboxConfig { compile_time: Duration::from_secs(60), ..SandboxConfig::default() })
}

/// Loads a module in a sandbox of its own.
pub(super) fn load_in(module: &[u8], sandbox: &SandboxConfig) -> Result<Strategy, LoadStrategyError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("strategy.wasm");
    std::fs::write(&path, module).unwrap();
    Strategy::load(&StrategyRef::File(path), &roster(3), &serde_json::Map::new(), sandbox)
}

/// So many targets.
pub(super) fn roster(targets: usize) -> Vec<RosterTarget> {
    let target = |number: usize| RosterTarget {
        name: TargetName::new(&format!("p{number}"), "m"),
        priority: 0,
        local: false,
        price: None,
        context_window: None,
        tools: true,
        json: true,
        vision: true,
        labels: Vec::new(),
    };
    (0..targets).map(target).collect()
}

/// A question about targets of those standings, with a minute left.
pub(super) fn ask_of(standings: &[Standing]) -> Ask {
    let states = standings.iter().map(|&standing| State::unknown(standing));
    Ask { entropy: 7, now_ms: 1_800_000_000_123, attempts_left: 4, retries_left: 4, ..Ask::first(states.collect()) }
}
