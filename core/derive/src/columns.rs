//! `#[derive(Columns)]`: the columns of a statement, by the fields of the row type that it returns.
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, LitStr, Result, Type, spanned::Spanned as _,
};

pub(crate) fn expand(item: &DeriveInput) -> Result<Tokens> {
    let Data::Struct(data) = &item.data else {
        return Err(Error::new(item.span(), "only a struct has columns"));
    };
    let (mut own, mut nullable, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for field in &data.fields {
        let name = name(field)?;
        if let Some(sql) = said(&field.attrs, "columns", "beside")? {
            beside.push(format!("{sql} as {name}"));
            continue;
        }
        if is_option(&field.ty) {
            nullable.push(name.clone());
        }
        own.push(name);
    }
    let (name, own, beside) = (&item.ident, own.join(", "), beside.join(", "));
    Ok(quote! {
        #[automatically_derived]
        impl ::erp_core::page::Columns for #name {
            const OWN: &'static str = #own;
            const NULLABLE: &'static [&'static str] = &[#(#nullable),*];
            const BESIDE: &'static str = #beside;
        }
    })
}

/// Whether the type is an `Option`, as which `sqlx` reads a null.
fn is_option(type_: &Type) -> bool {
    let Type::Path(path) = type_ else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Option")
}

/// The name of the column, as `sqlx::FromRow` looks it up.
fn name(field: &Field) -> Result<String> {
    if let Some(name) = said(&field.attrs, "sqlx", "rename")? {
        return Ok(name);
    }
    let name =
        field.ident.as_ref().ok_or_else(|| Error::new(field.span(), "a field without a name"))?;
    Ok(name.to_string())
}

/// The text of `#[attribute(key = "…")]`.
fn said(attributes: &[Attribute], attribute: &str, key: &str) -> Result<Option<String>> {
    let mut found = None;
    for attribute in attributes.iter().filter(|found| found.path().is_ident(attribute)) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident(key) {
                return Err(meta.error(format!("{key} is expected")));
            }
            found = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    Ok(found)
}
