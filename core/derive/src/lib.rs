//! What a struct says once: `#[derive(Input)]` and `#[derive(Columns)]`.
//!
//! Of `Input` the fields are those of a request. From one declaration come the parser, which finds all the faults of a request, its schema in the OpenAPI document, and, where
//! it is asked for, the type of an edit that changes some of the fields.
mod attributes;
mod columns;
mod field;
mod patch;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result, parse_macro_input, spanned::Spanned as _};

use crate::{attributes::OfStruct, field::Field};

/// Reads each field by its type, under its own name (a `_` at the end is left out: `type_` is `type`):
///
/// | type | |
/// |---|---|
/// | `T` | must be there |
/// | `Option<T>` | may be absent or null |
/// | `Patch<T>` | absent keeps what was, null clears it |
///
/// A field may say more in `#[input(…)]`:
///
/// * `as = R`: read by the rules of `R` (an `Id`, a `Line<200>`), then made into the field's type by `From`;
/// * `or = value`: the value where it is absent or null (of type `R` beside `as`);
/// * `name = "…"`: its name, where that is not the field's;
/// * `present`: an `Option<T>` that must be there, where null is a value too;
/// * `page = SORTABLE`: a `Page` whose rows can be sorted by those fields; `searching = q`: field `q` is what is searched for;
/// * `flatten`: the fields of another such type;
/// * `skip`: not read; its `Default`.
///
/// And the struct:
///
/// * `patch = Name, of = Row`: makes the struct `Name`, with which an edit changes some of these fields: a field that always has a
///   value is an `Option<T>` there, one that may be empty a `Patch<T>`. `Name::over(Row)` gives all fields as the edit leaves them;
/// * `changes = Row`: the struct is itself an edit, of `Option`s and `Patch`es; `over(Row)` gives the row as it leaves it. A field that is
///   `apart` changes nothing there: it is a step of its own;
/// * `check = rule(a, b)`: calls `rule(&mut Fields, Option<&A>, Option<&B>)` after the fields are read, with `None` for one at fault;
///   it adds the faults that it finds. Once for each rule;
/// * `heavy`: reading it takes processor time worth speaking of.
#[proc_macro_derive(Input, attributes(input))]
pub fn input(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    expand(&item).unwrap_or_else(Error::into_compile_error).into()
}

/// Names the columns of a row by its fields, as `sqlx::FromRow` does (`#[sqlx(rename = "…")]`), for statements that are put together
/// at run time. A field with `#[columns(beside = "e.nom")]` comes from a table that is joined: `e.nom as <field>`.
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
