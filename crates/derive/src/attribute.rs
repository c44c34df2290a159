//! `#[tally(crate = "path")]`: where the trait is found. Apart from the expansion because it is all the macro reads
//! besides the fields.

use syn::{Attribute, LitStr, Path, parse_quote};

/// The path that `Tally`, `Estimates`, `NotFinite` and `Misfit` lie under: what the attribute says, else `::croupier`.
pub(crate) fn find_root(attributes: &[Attribute]) -> syn::Result<Path> {
    let mut root: Option<Path> = None;
    for attribute in attributes.iter().filter(|a| is_ours(a)) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("unknown key: the only one is #[tally(crate = \"path\")]"));
            }
            if root.is_some() {
                return Err(meta.error("`crate` is said twice: keep one"));
            }
            let path: LitStr = meta.value()?.parse()?;
            root = Some(path.parse_with(Path::parse_mod_style)?);
            Ok(())
        })?;
    }
    Ok(root.unwrap_or_else(|| parse_quote!(::croupier)))
}

/// Whether an attribute is one of this macro's.
pub(crate) fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().is_ident("tally")
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::DeriveInput;

    use super::*;

    fn root_of(input: DeriveInput) -> Result<String, String> {
        find_root(&input.attrs)
            .map(|root| quote!(#root).to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_root_is_croupier_unless_said() {
        assert_eq!(
            root_of(parse_quote! { struct A { a: Mean } }),
            Ok(":: croupier".into())
        );
    }

    #[test]
    fn a_root_is_taken_as_said() {
        for (input, root) in [
            (
                parse_quote! { #[tally(crate = "croupier_compute")] struct A { a: Mean } },
                "croupier_compute",
            ),
            (
                parse_quote! { #[tally(crate = "crate")] struct A { a: Mean } },
                "crate",
            ),
            (
                parse_quote! { #[tally(crate = "::a::b")] struct A { a: Mean } },
                ":: a :: b",
            ),
        ] {
            assert_eq!(root_of(input), Ok(root.into()));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let unknown = root_of(parse_quote! { #[tally(skip)] struct A { a: Mean } });
        assert!(unknown.is_err_and(|text| text.contains("#[tally(crate = \"path\")]")));
        let twice =
            root_of(parse_quote! { #[tally(crate = "a", crate = "b")] struct A { a: Mean } });
        assert!(twice.is_err_and(|text| text.contains("twice")));
        assert!(root_of(parse_quote! { #[tally(crate = "a b")] struct A { a: Mean } }).is_err());
        assert!(root_of(parse_quote! { #[tally(crate = 7)] struct A { a: Mean } }).is_err());
        assert!(root_of(parse_quote! { #[tally] struct A { a: Mean } }).is_err());
    }
}
