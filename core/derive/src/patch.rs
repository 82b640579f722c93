//! Edits: structs whose fields change those of a row.
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{DeriveInput, Error, Member, Result};

use crate::{
    attributes::{OfStruct, Way},
    field::{Field, Shape},
};

/// Declares the type of the edit for `patch = Name, of = Row`; empty without them.
pub(crate) fn declaration(
    item: &DeriveInput,
    of_struct: &OfStruct,
    fields: &[Field],
) -> Result<Tokens> {
    let (name, row) = match (&of_struct.patch, &of_struct.of) {
        (None, None) => return Ok(Tokens::new()),
        (Some(name), Some(row)) => (name, row),
        _ => return Err(Error::new(item.ident.span(), "`patch` and `of` come together")),
    };
    if of_struct.heavy || !of_struct.checks.is_empty() {
        return Err(Error::new(item.ident.span(), "an edit would forget `heavy` and `check`"));
    }
    let (vis, all) = (&item.vis, &item.ident);
    let doc = format!("What an edit changes of [`{all}`].");
    let members = fields.iter().map(member).collect::<Result<Vec<_>>>()?;
    let over =
        fields.iter().map(|field| edited(&field.member, matches!(field.shape(), Shape::Always(_))));
    Ok(quote! {
        #[doc = #doc]
        #[derive(Debug, Clone, ::erp_core::input::Input)]
        #vis struct #name { #(#members),* }

        impl #name {
            /// All fields, with the values of `old` where this edit changes nothing.
            #[must_use]
            #vis fn over(self, old: #row) -> #all {
                #all { #(#over),* }
            }
        }
    })
}

/// The field in the edit: its type, and the rules by which it is read.
fn member(field: &Field) -> Result<Tokens> {
    let Field { member, vis, docs, said, .. } = field;
    if said.way != Way::ByType || said.page.is_some() {
        return Err(Error::new_spanned(&field.ty, "a field of an edit is read by its type"));
    }
    let name = field.name()?;
    let read_as = said.read_as.as_ref().map(|read_as| quote! { , as = #read_as });
    let ty = match field.shape() {
        Shape::Always(ty) => quote! { ::core::option::Option<#ty> },
        Shape::Optional(ty) => quote! { ::erp_core::input::Patch<#ty> },
        Shape::Patch(_) => return Err(Error::new_spanned(&field.ty, "an edit of an edit")),
    };
    Ok(quote! { #(#docs)* #[input(name = #name #read_as)] #vis #member: #ty })
}

/// The value of a field after the edit. In the edit it is an `Option` where the row always has a value, else a `Patch`.
fn edited(member: &Member, is_always: bool) -> Tokens {
    if is_always {
        quote! { #member: self.#member.unwrap_or(old.#member) }
    } else {
        quote! { #member: self.#member.over(old.#member) }
    }
}

/// Declares the method `over` of an edit for `changes = Row`; empty without it.
pub(crate) fn changes(
    item: &DeriveInput,
    of_struct: &OfStruct,
    fields: &[Field],
) -> Result<Tokens> {
    let Some(row) = &of_struct.changes else { return Ok(Tokens::new()) };
    let (vis, name) = (&item.vis, &item.ident);
    let changed = fields.iter().filter(|field| !field.said.apart);
    let changed = changed.map(change).collect::<Result<Vec<_>>>()?;
    Ok(quote! {
        impl #name {
            /// `old` as it is after this edit; fields that are `apart` are not applied.
            #[must_use]
            #vis fn over(self, old: #row) -> #row {
                #row { #(#changed,)* ..old }
            }
        }
    })
}

fn change(field: &Field) -> Result<Tokens> {
    match field.shape() {
        Shape::Optional(_) => Ok(edited(&field.member, true)),
        Shape::Patch(_) => Ok(edited(&field.member, false)),
        Shape::Always(ty) => Err(Error::new_spanned(ty, "an `Option` or a `Patch` is expected")),
    }
}
