//! `#[derive(Tally)]`: a struct of tallies with named fields is a tally itself.
//!
//! What is emitted is what one would write by hand, field by field and in the order of the fields:
//!
//! - `begin_block` opens the block in each field;
//! - `merge` merges each field with the same field of the right-hand side;
//! - `end_block` ends the block of each field, and stops at the first that is not finite, named by its field;
//! - `fits` asks each field whether the same field of the right-hand side has its shape;
//! - `estimates` lists the estimates of each field under the field's name.
//!
//! The macro knows nothing of the trait but its paths. They start at `::croupier`; in a crate that knows the trait by
//! another path, `#[tally(crate = "path")]` says which: the path must hold `Tally`, `Estimates`,
//! `NotFinite` and `Misfit`.
//!
//! It is a crate of its own because procedural macros must be.

mod attribute;
mod expand;

use proc_macro::TokenStream;

/// Implements `Tally` for a struct with named fields, each of which is a tally.
///
/// Type parameters are allowed: the implementation then asks for `Tally` of every field that mentions one. Tuple
/// structs, enums, unions, structs without fields and structs with lifetimes are refused, with what to do instead.
///
/// `#[tally(crate = "path")]` on the struct says where `Tally`, `Estimates`, `NotFinite` and `Misfit` are found,
/// `::croupier` by default.
#[proc_macro_derive(Tally, attributes(tally))]
pub fn derive_tally(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::expand(input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
