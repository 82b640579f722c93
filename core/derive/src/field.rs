//! One field of a struct that derives `Input`.
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::{
    Error, GenericArgument, Ident, Member, PathArguments, Result, Type, spanned::Spanned as _,
};

use crate::attributes::{OfField, Way};

pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) vis: syn::Visibility,
    pub(crate) docs: Vec<syn::Attribute>,
    pub(crate) ty: Type,
    pub(crate) said: OfField,
    /// The variable that holds its value while the other fields are read.
    variable: Ident,
}

/// Whether a field is required, optional or a patch, by its type; with the inner type.
pub(crate) enum Shape<'a> {
    Always(&'a Type),
    Optional(&'a Type),
    Patch(&'a Type),
}

impl Field {
    pub(crate) fn parse(place: usize, field: &syn::Field) -> Result<Self> {
        let (member, variable) = match &field.ident {
            Some(name) => (Member::Named(name.clone()), format_ident!("read_{name}")),
            None => (Member::from(place), format_ident!("read_{place}")),
        };
        Ok(Self {
            member,
            vis: field.vis.clone(),
            docs: field.attrs.iter().filter(|a| a.path().is_ident("doc")).cloned().collect(),
            ty: field.ty.clone(),
            said: OfField::parse(&field.attrs)?,
            variable,
        })
    }

    pub(crate) fn shape(&self) -> Shape<'_> {
        match argument(&self.ty) {
            Some((name, inner)) if name == "Option" => Shape::Optional(inner),
            Some((name, inner)) if name == "Patch" => Shape::Patch(inner),
            _ => Shape::Always(&self.ty),
        }
    }

    /// The name of the field in a request.
    pub(crate) fn name(&self) -> Result<String> {
        match (&self.said.name, &self.member) {
            (Some(name), _) => Ok(name.clone()),
            (None, Member::Named(name)) => Ok(name.to_string().trim_end_matches('_').to_owned()),
            (None, Member::Unnamed(_)) => Err(Error::new(self.ty.span(), "`name` is missing")),
        }
    }

    /// The statement that reads the field into its variable, which is `None` when the value is invalid.
    pub(crate) fn read(&self) -> Result<Tokens> {
        let Self { variable, ty, .. } = self;
        let value = self.value()?;
        Ok(quote! { let #variable: ::core::option::Option<#ty> = #value; })
    }

    fn value(&self) -> Result<Tokens> {
        let ty = &self.ty;
        match self.said.way {
            Way::Skip => {
                return Ok(
                    quote! { ::core::option::Option::Some(::core::default::Default::default()) },
                );
            }
            Way::Flatten => return Ok(quote! { <#ty as ::erp_core::input::Input>::read(fields) }),
            Way::Present | Way::ByType => {}
        }
        if let Some(sortable) = &self.said.page {
            return Ok(self.page(sortable));
        }
        let name = self.name()?;
        let (inner, method, map) = match (self.shape(), self.said.way == Way::Present) {
            (Shape::Optional(inner), false) => (inner, quote!(optional), true),
            (Shape::Optional(inner), true) => (inner, quote!(present), true),
            (Shape::Patch(inner), false) => (inner, quote!(patch), true),
            (Shape::Always(inner), false) => (inner, quote!(required), false),
            (_, true) => return Err(Error::new(ty.span(), "`present` is for an `Option`")),
        };
        let read_as = self.said.read_as.as_ref().unwrap_or(inner);
        let value = if let Some(value) = &self.said.or {
            quote! { fields.or::<#read_as>(#name, #value) }
        } else {
            quote! { fields.#method::<#read_as>(#name) }
        };
        Ok(match (&self.said.read_as, map) {
            (None, _) => value,
            (Some(_), false) => quote! { #value.map(::core::convert::From::from) },
            (Some(_), true) => {
                quote! { #value.map(|read| read.map(::core::convert::From::from)) }
            }
        })
    }

    fn page(&self, sortable: &syn::Expr) -> Tokens {
        let searching = self.said.searching.as_ref().map(|q| {
            let q = format_ident!("read_{q}");
            quote! { .map(|page| page.searching(#q.as_ref().and_then(|q| q.as_ref()))) }
        });
        quote! { ::erp_core::page::Page::read(fields, #sortable) #searching }
    }

    /// The initializer of the field in the struct that `read` returns.
    pub(crate) fn member(&self) -> Tokens {
        let Self { member, variable, .. } = self;
        quote! { #member: #variable? }
    }
}

/// The name and the argument of a type `Name<T>`.
fn argument(ty: &Type) -> Option<(&Ident, &Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) if arguments.args.len() == 1 => Some((&last.ident, inner)),
        _ => None,
    }
}
