//! The derive macros `Input` and `Columns`.
//!
//! `Input` is for the fields of a request. From one declaration it makes the parser, which finds all faults of a request, its
//! schema in the OpenAPI document, and, on demand, the type of an edit that changes some of the fields.
mod attributes;
mod columns;
mod field;
mod patch;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result, parse_macro_input, spanned::Spanned as _};

use crate::{attributes::OfStruct, field::Field};

/// Implements `Input`: reads each field by its type, under its own name (without a `_` at the end: `type_` is `type`):
///
/// | type | |
/// |---|---|
/// | `T` | required, unless it has an `or` |
/// | `Option<T>` | may be absent or null |
/// | `Patch<T>` | absent keeps the old value, null clears it |
///
/// Options of a field, in `#[input(…)]`:
///
/// * `as = R`: parsed as an `R` (an `Id`, a `Trimmed<200>`), then converted into the type of the field by `From`;
/// * `or = value`: the value when the field is absent or null (an `R` beside `as`);
/// * `name = "…"`: the name in the request, where it is not that of the field;
/// * `present`: an `Option<T>` that must be there, but may be null;
/// * `page = SORTABLE`: a `Page` whose rows can be sorted by those fields; `searching = q`: field `q` holds the search words;
/// * `flatten`: the fields of another `Input`;
/// * `skip`: not read; the `Default` of its type;
/// * `apart`: beside `changes` on the struct, see there.
///
/// Options of the struct:
///
/// * `patch = Name, of = Row`: also makes the struct `Name`, an edit of some of these fields: a field that always has a value
///   is an `Option<T>` there, one that may be empty a `Patch<T>`. `Name::over(Row)` returns all fields as they are after the
///   edit. The options above but `as`, `name` and `or` do not go with it, nor do `check` and `heavy`;
/// * `changes = Row`: the struct is itself an edit, of `Option`s and `Patch`es; `over(Row)` returns the row after the edit. It
///   skips the fields that are `apart`: the caller applies those itself;
/// * `check = rule(a, b)`: calls `rule(&mut Fields, Option<&A>, Option<&B>)` after the fields are read, with `None` for an
///   invalid one; the rule adds the faults that it finds. May be given several times;
/// * `heavy`: sets `Input::HEAVY`: reading it takes so much processor time that it is done off the async threads.
#[proc_macro_derive(Input, attributes(input))]
pub fn input(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    expand(&item).unwrap_or_else(Error::into_compile_error).into()
}

/// Implements `Columns`: names the columns of a row by its fields, as `sqlx::FromRow` does (`#[sqlx(rename = "…")]`), for
/// statements that are built at run time. A field with `#[columns(beside = "e.nom")]` comes from a joined table, as
/// `e.nom as <field>`.
#[proc_macro_derive(Columns, attributes(columns))]
pub fn columns(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    columns::expand(&item).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(item: &DeriveInput) -> Result<Tokens> {
    let Data::Struct(data) = &item.data else {
        return Err(Error::new(item.span(), "only a struct has fields to read"));
    };
    let of_struct = OfStruct::parse(&item.attrs)?;
    let fields = members(&data.fields)?;
    let input = implementation(item, &of_struct, &fields)?;
    let patch = patch::declaration(item, &of_struct, &fields)?;
    let changes = patch::changes(item, &of_struct, &fields)?;
    Ok(quote! { #input #patch #changes })
}

fn members(fields: &Fields) -> Result<Vec<Field>> {
    fields.iter().enumerate().map(|(place, field)| Field::parse(place, field)).collect()
}

fn implementation(item: &DeriveInput, of_struct: &OfStruct, fields: &[Field]) -> Result<Tokens> {
    let name = &item.ident;
    let heavy = of_struct.heavy.then(|| quote! { const HEAVY: bool = true; });
    let reads = fields.iter().map(Field::read).collect::<Result<Vec<_>>>()?;
    let checks = of_struct.checks.iter().map(attributes::Check::call);
    let members = fields.iter().map(Field::member);
    Ok(quote! {
        #[automatically_derived]
        impl ::erp_core::input::Input for #name {
            #heavy

            fn read(fields: &mut ::erp_core::input::Fields) -> ::core::option::Option<Self> {
                #(#reads)*
                #(#checks)*
                ::core::option::Option::Some(Self { #(#members),* })
            }
        }

        #[automatically_derived]
        impl ::utoipa::PartialSchema for #name {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::Schema> {
                ::erp_core::input::object_schema::<#name>()
            }
        }

        #[automatically_derived]
        impl ::utoipa::ToSchema for #name {}
    })
}
