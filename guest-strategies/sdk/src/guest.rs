//! The glue between the component's exports and the trait. Only guests have it.

#![allow(unsafe_code, missing_docs, unreachable_pub, reason = "most of it is generated")]
#![allow(clippy::all, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "most of it is generated")]

use core::cell::Cell;
use core::marker::PhantomData;
use std::thread::LocalKey;

use crate::{Ask, Decision, Description, Question, Roster, Strategy, Target};

/// The bindings of the contract, over the types of this crate.
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "described-strategy",
        with: { "backstop:strategy/types@1.0.0": crate::contract },
        pub_export_macro: true,
        export_macro_name: "export_component",
    });
}

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
        let Some(configured) = S::slot().with(Cell::get) else {
            // The host configures before it asks. One that does not is told so in the only way there is: by a trap.
            core::arch::wasm32::unreachable()
        };
        configured.strategy.next(&Ask::new(&configured.roster, &question))
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

/// Exports a strategy.
#[macro_export]
macro_rules! export {
    ($strategy:ty) => {
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
        };
    };
}
