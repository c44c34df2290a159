//! The expansion: from a struct to its `impl Tally`. A plain function over syn's types, so that it is tested without a
//! compiler.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Generics, Ident, Path, Result, parse_quote};

use crate::attribute;

/// The `impl Tally` of a struct with named fields.
///
/// # Errors
/// Everything that is wrong with the input, at once: a shape that is not a struct with named fields, a lifetime,
/// attributes that mean nothing.
pub(crate) fn expand(input: DeriveInput) -> Result<TokenStream> {
    let mut errors = Vec::new();
    // Something stands in for what could not be read, so that the rest is looked at too.
    let root = attribute::find_root(&input.attrs).unwrap_or_else(|error| {
        errors.push(error);
        parse_quote!(::croupier)
    });
    let fields = named_fields(&input).unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    errors.extend(lifetime_error(&input.generics));
    errors.extend(field_attribute_errors(&fields));
    let refusal = errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    });
    match refusal {
        Some(refusal) => Err(refusal),
        None => Ok(implementation(&input, &root, &fields)),
    }
}

fn named_fields(input: &DeriveInput) -> Result<Vec<&Field>> {
    let name = &input.ident;
    let refuse = |what: &str, remedy: &str| {
        Err(Error::new(
            name.span(),
            format!(
                "`{name}` is {what}, and Tally is derived for structs with named fields: {remedy}"
            ),
        ))
    };
    match &input.data {
        Data::Enum(_) => refuse(
            "an enum",
            "merging has no rule for two variants; make a struct with one tally a variant, or implement Tally by hand",
        ),
        Data::Union(_) => refuse("a union", "make it a struct"),
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(_) => refuse(
                "a tuple struct",
                "name the fields, for estimates are listed by field name",
            ),
            Fields::Unit => refuse("a struct without fields", "give it at least one tally"),
            Fields::Named(fields) if fields.named.is_empty() => {
                refuse("a struct without fields", "give it at least one tally")
            }
            Fields::Named(fields) => Ok(fields.named.iter().collect()),
        },
    }
}

fn lifetime_error(generics: &Generics) -> Option<Error> {
    let lifetime = generics.lifetimes().next()?;
    Some(Error::new(
        lifetime.span(),
        "a tally outlives the threads it is passed between and cannot borrow: own the data instead",
    ))
}

fn field_attribute_errors(fields: &[&Field]) -> Vec<Error> {
    fields
        .iter()
        .flat_map(|field| &field.attrs)
        .filter(|attribute| attribute::is_ours(attribute))
        .map(|attribute| {
            Error::new(
                attribute.span(),
                "fields take no #[tally]: every field is merged; what is no tally belongs in the kernel",
            )
        })
        .collect()
}

fn implementation(input: &DeriveInput, root: &Path, fields: &[&Field]) -> TokenStream {
    let name = &input.ident;
    let generics = bounded(&input.generics, root, fields);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let (_, type_generics, _) = input.generics.split_for_impl();

    // Each call carries the span of its field's type, so that "is not a Tally" is reported there.
    let calls = fields.iter().filter_map(|field| {
        let ident = field.ident.as_ref()?;
        let text = ident.unraw().to_string();
        let span = field.ty.span();
        Some([
            quote_spanned!(span=> #root::Tally::begin_block(&mut self.#ident, block);),
            quote_spanned!(span=> #root::Tally::merge(&mut self.#ident, right.#ident);),
            quote_spanned! {span=>
                #root::Tally::end_block(&mut self.#ident).map_err(|not_finite| not_finite.within(#text))?;
            },
            quote_spanned! {span=>
                estimates.within(#text, |estimates| #root::Tally::estimates(&self.#ident, estimates));
            },
            quote_spanned! {span=>
                #root::Tally::fits(&self.#ident, &right.#ident).map_err(|misfit| misfit.within(#text))?;
            },
        ])
    });
    let [mut begins, mut merges, mut ends, mut checks, mut lists] = [const { Vec::new() }; 5];
    for [begin, merge, end, list, check] in calls {
        begins.push(begin);
        merges.push(merge);
        ends.push(end);
        checks.push(check);
        lists.push(list);
    }

    quote! {
        #[automatically_derived]
        impl #impl_generics #root::Tally for #name #type_generics #where_clause {
            fn begin_block(&mut self, block: u64) {
                #(#begins)*
            }

            fn merge(&mut self, right: Self) {
                #(#merges)*
            }

            fn end_block(&mut self) -> ::core::result::Result<(), #root::NotFinite> {
                #(#ends)*
                ::core::result::Result::Ok(())
            }

            fn fits(&self, right: &Self) -> ::core::result::Result<(), #root::Misfit> {
                #(#checks)*
                ::core::result::Result::Ok(())
            }

            fn estimates(&self, estimates: &mut #root::Estimates) {
                #(#lists)*
            }
        }
    }
}

/// The struct's generics with what the implementation needs: that each field which mentions a type parameter is a
/// tally, and that the struct has the supertraits, which a bound on the fields alone does not imply.
fn bounded(generics: &Generics, root: &Path, fields: &[&Field]) -> Generics {
    let parameters: Vec<&Ident> = generics.type_params().map(|p| &p.ident).collect();
    let mut generics = generics.clone();
    if parameters.is_empty() {
        return generics;
    }
    let clause = generics.make_where_clause();
    for field in fields {
        if mentions(field.ty.to_token_stream(), &parameters) {
            let ty = &field.ty;
            clause.predicates.push(parse_quote!(#ty: #root::Tally));
        }
    }
    clause.predicates.push(parse_quote! {
        Self: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static
    });
    generics
}

fn mentions(tokens: TokenStream, parameters: &[&Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => parameters.contains(&&ident),
        TokenTree::Group(group) => mentions(group.stream(), parameters),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(input: DeriveInput) -> String {
        match expand(input) {
            Ok(tokens) => panic!("expanded to {tokens}"),
            Err(error) => error
                .into_iter()
                .map(|e| e.to_string())
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    #[test]
    fn a_struct_is_merged_field_by_field_in_order() {
        let expanded = expand(parse_quote! {
            struct Option { call: Mean, r#type: Proportion }
        });
        let expected = quote! {
            #[automatically_derived]
            impl ::croupier::Tally for Option {
                fn begin_block(&mut self, block: u64) {
                    ::croupier::Tally::begin_block(&mut self.call, block);
                    ::croupier::Tally::begin_block(&mut self.r#type, block);
                }

                fn merge(&mut self, right: Self) {
                    ::croupier::Tally::merge(&mut self.call, right.call);
                    ::croupier::Tally::merge(&mut self.r#type, right.r#type);
                }

                fn end_block(&mut self) -> ::core::result::Result<(), ::croupier::NotFinite> {
                    ::croupier::Tally::end_block(&mut self.call)
                        .map_err(|not_finite| not_finite.within("call"))?;
                    ::croupier::Tally::end_block(&mut self.r#type)
                        .map_err(|not_finite| not_finite.within("type"))?;
                    ::core::result::Result::Ok(())
                }

                fn fits(&self, right: &Self) -> ::core::result::Result<(), ::croupier::Misfit> {
                    ::croupier::Tally::fits(&self.call, &right.call).map_err(|misfit| misfit.within("call"))?;
                    ::croupier::Tally::fits(&self.r#type, &right.r#type).map_err(|misfit| misfit.within("type"))?;
                    ::core::result::Result::Ok(())
                }

                fn estimates(&self, estimates: &mut ::croupier::Estimates) {
                    estimates.within("call", |estimates| ::croupier::Tally::estimates(&self.call, estimates));
                    estimates.within("type", |estimates| ::croupier::Tally::estimates(&self.r#type, estimates));
                }
            }
        };
        assert_eq!(
            expanded.map(|t| t.to_string()).ok(),
            Some(expected.to_string())
        );
    }

    #[test]
    fn only_fields_that_mention_a_type_parameter_are_bounded() {
        let text = expand(parse_quote! {
            #[tally(crate = "croupier_compute")]
            struct Both<T: Copy, const N: usize> where T: Default { left: Grid<(T, u8), N>, right: Mean }
        })
        .map(|tokens| tokens.to_string());
        let expected = quote! {
            impl<T: Copy, const N: usize> croupier_compute::Tally for Both<T, N>
            where
                T: Default,
                Grid<(T, u8), N>: croupier_compute::Tally,
                Self: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static
        };
        let text = text.unwrap_or_default();
        assert!(text.contains(&expected.to_string()), "{text}");
    }

    #[test]
    fn other_shapes_are_refused_with_a_remedy() {
        assert!(refusal(parse_quote! { struct A(Mean); }).contains("name the fields"));
        assert!(refusal(parse_quote! { struct A; }).contains("at least one tally"));
        assert!(refusal(parse_quote! { struct A {} }).contains("at least one tally"));
        assert!(refusal(parse_quote! { struct A(); }).contains("name the fields"));
        assert!(refusal(parse_quote! { enum A { B(Mean) } }).contains("implement Tally by hand"));
        assert!(refusal(parse_quote! { union A { b: u8 } }).contains("make it a struct"));
        assert!(refusal(parse_quote! { struct A<'a> { b: Mean<'a> } }).contains("own the data"));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let text = refusal(parse_quote! {
            #[tally(rename)]
            struct A<'a> { #[tally(skip)] b: Mean<'a>, #[serde(skip)] c: Mean }
        });
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("unknown key") && text.contains("fields take no #[tally]"));
    }
}
