//! The glue between the component's exports and the trait. Only guests have it.

#![allow(unsafe_code, missing_docs, unreachable_pub, reason = "most of it is generated")]
#![allow(clippy::all, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "most of it is generated")]

use core::cell::Cell;
use core::marker::PhantomData;
use std::thread::LocalKey;

use crate::{Ask, Decision, Description, End, Observe, Outcome, Question, Roster, Strategy, Target};

/// The bindings of the contract, over the types of this crate. Imports that a guest does not use are not in its component.
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        inline: r"
            package backstop:sdk;
            world guest {
                include backstop:strategy/described-strategy@1.0.0;
                import backstop:strategy/state@1.0.0;
                import backstop:strategy/content@1.0.0;
                import backstop:strategy/log@1.0.0;
            }
        ",
        world: "backstop:sdk/guest",
        generate_all,
        with: { "backstop:strategy/types@1.0.0": crate::contract },
        pub_export_macro: true,
        export_macro_name: "export_component",
    });
}

/// The export of those that are told outcomes. Apart, since an export cannot be left unused.
pub mod observing {
    wit_bindgen::generate!({
        path: "wit",
        inline: r"
            package backstop:sdk-observing;
            world observing {
                export backstop:strategy/observe@1.0.0;
            }
        ",
        world: "backstop:sdk-observing/observing",
        generate_all,
        with: { "backstop:strategy/types@1.0.0": crate::contract },
        pub_export_macro: true,
        export_macro_name: "export_observe",
    });
}

use observing::exports::backstop::strategy::observe as told;

/// A strategy with the roster it was configured for.
pub struct Configured<S> {
    roster: Roster,
    strategy: S,
}

/// Where an instance keeps its strategy between calls. There is one for each exported strategy, made by the macro.
pub type Slot<S> = Cell<Option<&'static Configured<S>>>;

/// An exported strategy: what the macro adds to a [`Strategy`].
pub trait Exported: Strategy + 'static {
    fn slot() -> &'static LocalKey<Slot<Self>>;
    fn about() -> Description;
}

/// The component that a strategy becomes.
pub struct Component<S>(PhantomData<S>);

impl<S: Exported> bindings::exports::backstop::strategy::choose::Guest for Component<S> {
    fn configure(targets: Vec<Target>, options: String) -> Result<(), String> {
        let roster = Roster::new(targets);
        let strategy = S::configure(&roster, crate::read_options(&options)?)?;
        // An instance is configured once and then lives as long as the memory it is in.
        let configured = Box::leak(Box::new(Configured { roster, strategy }));
        S::slot().with(|slot| slot.set(Some(configured)));
        Ok(())
    }

    fn next(question: Question) -> Decision {
        let configured = configured::<S>();
        configured.strategy.next(&Ask::new(&configured.roster, &question))
    }
}

impl<S: Exported + Observe> told::Guest for Component<S> {
    fn observe(outcome: told::Outcome) {
        let configured = configured::<S>();
        configured.strategy.observe(&configured.roster, &outcome.into());
    }
}

fn configured<S: Exported>() -> &'static Configured<S> {
    match S::slot().with(Cell::get) {
        Some(configured) => configured,
        // The host configures before all else. One that does not is told so in the only way there is: by a trap.
        None => core::arch::wasm32::unreachable(),
    }
}

impl From<told::Outcome> for Outcome {
    fn from(outcome: told::Outcome) -> Self {
        Self {
            sequence: outcome.sequence,
            entropy: outcome.entropy,
            now_ms: outcome.now_ms,
            target: outcome.target,
            end: match outcome.end {
                told::End::Served => End::Served,
                told::End::Failed(failure) => End::Failed(failure),
                told::End::Outrun => End::Outrun,
                told::End::Abandoned => End::Abandoned,
            },
            took_ms: outcome.took_ms,
            first_token_ms: outcome.first_token_ms,
            cost: outcome.cost,
            input_tokens: outcome.input_tokens,
            output_tokens: outcome.output_tokens,
            streaming: outcome.streaming,
            labels: outcome.labels,
            extras: outcome.extras,
        }
    }
}

impl<S: Exported> bindings::exports::backstop::strategy::about::Guest for Component<S> {
    fn describe() -> bindings::exports::backstop::strategy::about::Description {
        let about = S::about();
        bindings::exports::backstop::strategy::about::Description {
            name: about.name,
            version: about.version,
            summary: about.summary,
            options_schema: about.options_schema,
        }
    }
}

/// Exports a strategy; with `: Observe` one that is told what became of attempts.
#[macro_export]
macro_rules! export {
    ($strategy:ty) => {
        $crate::export!($strategy => {});
    };
    ($strategy:ty: Observe) => {
        $crate::export!($strategy => {
            $crate::guest::observing::export_observe!(Component with_types_in $crate::guest::observing);
        });
    };
    ($strategy:ty => { $($more:tt)* }) => {
        #[allow(unsafe_code, reason = "a component's exports are functions without mangling")]
        const _: () = {
            ::std::thread_local! {
                static SLOT: $crate::guest::Slot<$strategy> = const { ::core::cell::Cell::new(None) };
            }

            impl $crate::guest::Exported for $strategy {
                fn slot() -> &'static ::std::thread::LocalKey<$crate::guest::Slot<Self>> {
                    &SLOT
                }

                fn about() -> $crate::Description {
                    $crate::Description {
                        name: ::core::env!("CARGO_PKG_NAME").into(),
                        version: ::core::env!("CARGO_PKG_VERSION").into(),
                        summary: ::core::env!("CARGO_PKG_DESCRIPTION").into(),
                        options_schema: $crate::schema_of::<<Self as $crate::Strategy>::Options>(),
                    }
                }
            }

            type Component = $crate::guest::Component<$strategy>;
            $crate::guest::bindings::export_component!(Component with_types_in $crate::guest::bindings);
            $($more)*
        };
    };
}
