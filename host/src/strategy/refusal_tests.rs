//! Modules that must not load (W1 to W12), each with the message an operator reads.

use std::time::Duration;

use crate::config::{SandboxConfig, StrategyRef};

use super::test_guests::{TestGuest, component, first_of_all, load, load_in, wat};
use super::{LoadStrategyError, StrategyFault};

fn refusal(module: &[u8]) -> String {
    load(module).unwrap_err().to_string()
}

#[test]
fn w1_refuses_an_empty_file() {
    insta::assert_snapshot!(refusal(b""), @"the file is empty: build the strategy again");
}

#[test]
fn w2_refuses_text() {
    insta::assert_snapshot!(refusal(b"export function next() {}"), @"the file is not WebAssembly (it does not begin with `\\0asm`): name the `.wasm` that the build made");
    insta::assert_snapshot!(refusal(b"\n(module)"), @"the file is WebAssembly text: `wasm-tools parse FILE -o FILE.wasm` makes the binary of it");
}

#[test]
fn w3_refuses_a_module_cut_off_anywhere() {
    let whole = component(&first_of_all());

    // Behind the last third only names and producers are missing, which may be.
    for length in (9..whole.len() * 2 / 3).step_by(7) {
        let error = load(&whole[..length]).unwrap_err();

        let is_told = matches!(
            error,
            LoadStrategyError::Truncated { .. }
                | LoadStrategyError::Malformed { .. }
                | LoadStrategyError::MissingExport { .. }
                | LoadStrategyError::NotCompilable { .. }
        );
        assert!(is_told, "at {length}: {error}");
    }
}

#[test]
fn w4_refuses_50_mb_without_reading_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.wasm");
    std::fs::File::create(&path).unwrap().set_len(50 << 20).unwrap();

    let error = super::inspect(&StrategyRef::File(path), &SandboxConfig::default()).unwrap_err();

    insta::assert_snapshot!(error, @r#"the file has 52428800 bytes, and may have 2097152: build it with `opt-level = "s"` and `strip = true`, or set `sandbox.module_mib`; with an interpreter in it (Python, JavaScript), set `sandbox.interpreters = true`"#);
}

#[test]
fn w5_refuses_a_million_functions() {
    let mut module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0".to_vec();
    // The function section: a million times type 0, its length and count in LEB128.
    module.extend([0x03, 0xc3, 0x84, 0x3d, 0xc0, 0x84, 0x3d]);
    module.extend(vec![0; 1_000_000]);

    insta::assert_snapshot!(refusal(&module), @"it has 1000000 functions, and may have 100000: it would keep the compiler busy for too long");
}

#[test]
fn w5_refuses_a_function_that_would_keep_the_compiler_busy() {
    let body = "(drop (i32.const 7))".repeat(200_000);

    insta::assert_snapshot!(refusal(&wat(&format!("(module (func {body}))"))), @"it has 600002 bytes in one function, and may have 524288: it would keep the compiler busy for too long");
}

#[test]
fn w6_refuses_a_component_that_is_no_strategy_and_a_module_that_is_none() {
    insta::assert_snapshot!(refusal(&wat("(component)")), @"it exports nothing, not `backstop:strategy/choose@1.0.0`: its world must say `export backstop:strategy/choose@1.0.0;`");
    insta::assert_snapshot!(refusal(&wat("(module)")), @"it is a plain core module, not a strategy: write it with the SDK (`backstop strategy new`) or with wit-bindgen's `strategy` world, which puts the types into the module");
    insta::assert_snapshot!(refusal(&wat(r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)))"#)), @"it is a core module that imports `wasi_snapshot_preview1`: build it for wasm32-unknown-unknown, or make it a component with `wasm-tools component new --adapt`");
}

#[test]
fn w6_takes_a_component_and_the_core_module_it_was_made_of() {
    assert!(load(&first_of_all()).is_ok());
    assert!(load(&component(&first_of_all())).is_ok());
}

#[test]
fn w7_refuses_another_major_version() {
    let second = TestGuest { world: "export backstop:strategy/choose@2.0.0;", ..TestGuest::default() }
        .with_contract(|contract| contract.replace("@1.0.0", "@2.0.0"));

    insta::assert_snapshot!(refusal(&second.module()), @"it exports `backstop:strategy/choose@2.0.0`, and this host speaks version 1: build it with the `wit/` of this release");
}

#[test]
fn w7_takes_a_later_minor_version() {
    let bytes = component(&first_of_all());
    let later = replace(&bytes, b"choose@1.0.0", b"choose@1.7.0");

    assert!(load(&later).is_ok());
}

/// Replaces a name by one of the same length.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = bytes.to_vec();
    for start in 0..bytes.len() - from.len() {
        if bytes[start..].starts_with(from) {
            replaced[start..start + to.len()].copy_from_slice(to);
        }
    }
    replaced
}

#[test]
fn w8_refuses_a_missing_function() {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $choose (export "next" (func $f)))
        (export "backstop:strategy/choose@1.0.0" (instance $choose)))"#;

    insta::assert_snapshot!(refusal(&wat(text)), @"its exports are not the contract's: instance export `backstop:strategy/choose@1.0.0` does not have export `configure`; build it with the `wit/` of this release, unchanged");
}

#[test]
fn w8_refuses_an_export_of_another_type() {
    let changed = TestGuest::default().with_contract(|contract| contract.replace("emergency: bool", "emergency: u8"));

    insta::assert_snapshot!(refusal(&changed.module()), @"its exports are not the contract's: failed to convert function to given type: type mismatch with parameters: type mismatch for field emergency: expected `bool` found `u8`; build it with the `wit/` of this release, unchanged");
}

#[test]
fn w9_ends_a_start_function_that_loops() {
    let module = TestGuest { more: "(func $spin (loop (br 0))) (start $spin)", ..TestGuest::default() }.module();

    let error = load(&module).unwrap_err();

    let expected = StrategyFault::OutOfFuel { fuel: 5_000_000 };
    assert!(matches!(error, LoadStrategyError::FailsAtStart { ref fault } if *fault == expected), "{error}");
}

#[test]
fn w9_ends_a_configure_that_loops() {
    let module = TestGuest { configure: "(loop (br 0)) (unreachable)", ..TestGuest::default() }.module();

    let error = load(&module).unwrap_err();

    assert!(matches!(error, LoadStrategyError::FailsAtStart { fault: StrategyFault::OutOfFuel { .. } }), "{error}");
}

#[test]
fn w10_refuses_an_import_off_the_list() {
    let mut guest = TestGuest {
        imports: r#"(import "acme:db/query@1.0.0" "run" (func))"#,
        world: "import acme:db/query@1.0.0; export backstop:strategy/choose@1.0.0;",
        ..TestGuest::default()
    };
    guest.packages.push("package acme:db@1.0.0; interface query { run: func(); }".to_owned());

    insta::assert_snapshot!(refusal(&guest.module()), @"it imports `acme:db/query@1.0.0`, which no strategy gets: leave that import out of its world (there are the powers `state`, `content` and `log`, and `wasi:*`, which traps unless it is granted)");
}

#[test]
fn w12_refuses_memory_that_strategies_do_not_have() {
    insta::assert_snapshot!(refusal(&wat("(module (memory 1 2 shared))")), @"it declares a shared memory, and strategies have no threads: build it without `-C target-feature=+atomics` (`-pthread`)");
    insta::assert_snapshot!(refusal(&wat("(module (memory i64 1))")), @"it declares a 64-bit memory: build it for wasm32");
    insta::assert_snapshot!(refusal(&wat("(module (memory 257))")), @"it starts with 16842752 bytes of memory, and may have 16777216: link it with `-zstack-size=65536`, or set `sandbox.memory_mib`; with an interpreter in it (Python, JavaScript), set `sandbox.interpreters = true`");
    insta::assert_snapshot!(refusal(&wat("(component (core module (memory 65536)))")), @"it starts with 4294967296 bytes of memory, and may have 16777216: link it with `-zstack-size=65536`, or set `sandbox.memory_mib`; with an interpreter in it (Python, JavaScript), set `sandbox.interpreters = true`");
}

#[test]
fn refuses_a_proposal_that_is_switched_off() {
    let module = TestGuest { more: "(func (drop (v128.const i64x2 0 0)))", ..TestGuest::default() }.module();

    let error = load(&module).unwrap_err();

    assert!(
        matches!(error, LoadStrategyError::NotCompilable { .. } | LoadStrategyError::NotEncodable { .. }),
        "{error}"
    );
}

#[test]
fn refuses_what_takes_too_long_to_compile() {
    let sandbox = SandboxConfig { compile_time: Duration::ZERO, ..SandboxConfig::default() };

    let error = load_in(&component(&first_of_all()), &sandbox).unwrap_err();

    insta::assert_snapshot!(error, @"it took longer than 0ns to compile: make it smaller, or set `sandbox.compile_time`; with an interpreter in it (Python, JavaScript), set `sandbox.interpreters = true`");
}

#[test]
fn shows_the_guests_own_words_where_it_refuses_its_options() {
    let module = TestGuest {
        configure: r"(i32.store8 (i32.const 512) (i32.const 1))
            (i32.store (i32.const 516) (i32.const 600)) (i32.store (i32.const 520) (i32.const 19)) (i32.const 512)",
        more: r#"(data (i32.const 600) "patience: \1b[1m\"abc\"")"#,
        ..TestGuest::default()
    };

    insta::assert_snapshot!(refusal(&module.module()), @r#"it refuses its options: patience: "abc" (`options` of the route)"#);
}

#[test]
fn proves_a_strategy_with_a_first_question() {
    let module = TestGuest { next: "(i32.store (i32.const 1028) (i32.const 3))", ..TestGuest::default() }.module();

    insta::assert_snapshot!(refusal(&module), @"it fails at its first question: answered nonsense: target 3 of 3");
}
