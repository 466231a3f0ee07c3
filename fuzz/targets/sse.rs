//! An event stream says the same in any split, and not one of its bytes is lost. The first four bytes are the lengths of the pieces.

#![no_main]

use backstop::transport::Splitter;
use backstop_fuzz::same_in_any_split;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((lengths, stream)) = bytes.split_at_checked(4) {
        same_in_any_split(Splitter::events, lengths, stream);
    }
});
