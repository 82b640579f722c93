//! Parses the `#[input(…)]` attributes of a struct and of its fields.
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::{
    Attribute, Expr, Ident, LitStr, Path, Result, Token, Type, parenthesized, parse::Parse,
    parse::ParseStream, punctuated::Punctuated,
};

/// `#[input(…)]` of a struct.
#[derive(Default)]
pub(crate) struct OfStruct {
    pub(crate) heavy: bool,
    pub(crate) patch: Option<Ident>,
    /// The row type that the patch changes.
    pub(crate) of: Option<Type>,
    /// The row type that the struct itself changes.
    pub(crate) changes: Option<Type>,
    pub(crate) checks: Vec<Check>,
}

impl OfStruct {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("input")) {
            attribute.parse_nested_meta(|meta| {
                match name(&meta.path)?.as_str() {
                    "heavy" => found.heavy = true,
                    "patch" => found.patch = Some(meta.value()?.parse()?),
                    "of" => found.of = Some(meta.value()?.parse()?),
                    "changes" => found.changes = Some(meta.value()?.parse()?),
                    "check" => found.checks.push(meta.value()?.parse()?),
                    _ => return Err(meta.error("heavy, patch, of, changes or check is expected")),
                }
                Ok(())
            })?;
        }
        Ok(found)
    }
}

/// A validation rule over some of the fields: `rule(a, b)`.
pub(crate) struct Check {
    rule: Path,
    fields: Punctuated<Ident, Token![,]>,
}

impl Parse for Check {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let rule = input.call(Path::parse_mod_style)?;
        let fields;
        parenthesized!(fields in input);
        Ok(Self { rule, fields: Punctuated::parse_terminated(&fields)? })
    }
}

impl Check {
    /// The statement that calls the rule with the fields as read.
    pub(crate) fn call(&self) -> Tokens {
        let Self { rule, fields } = self;
        let fields = fields.iter().map(|field| format_ident!("read_{field}"));
        quote! { #rule(fields, #(#fields.as_ref()),*); }
    }
}

/// `#[input(…)]` of a field.
#[derive(Default)]
pub(crate) struct OfField {
    pub(crate) name: Option<String>,
    pub(crate) read_as: Option<Type>,
    pub(crate) or: Option<Expr>,
    pub(crate) page: Option<Expr>,
    pub(crate) searching: Option<Ident>,
    pub(crate) apart: bool,
    pub(crate) way: Way,
}

/// How a field is read.
#[derive(Default, PartialEq)]
pub(crate) enum Way {
    #[default]
    ByType,
    Present,
    Flatten,
    Skip,
}

impl OfField {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("input")) {
            attribute.parse_nested_meta(|meta| {
                match name(&meta.path)?.as_str() {
                    "name" => found.name = Some(meta.value()?.parse::<LitStr>()?.value()),
                    "as" => found.read_as = Some(meta.value()?.parse()?),
                    "or" => found.or = Some(meta.value()?.parse()?),
                    "page" => found.page = Some(meta.value()?.parse()?),
                    "searching" => found.searching = Some(meta.value()?.parse()?),
                    "apart" => found.apart = true,
                    "present" => found.way = Way::Present,
                    "flatten" => found.way = Way::Flatten,
                    "skip" => found.way = Way::Skip,
                    _ => {
                        let known = "name, as, or, page, searching, apart, present, flatten or skip is expected";
                        return Err(meta.error(known));
                    }
                }
                Ok(())
            })?;
        }
        Ok(found)
    }
}

/// The name of a key. `require_ident` also accepts the keyword `as`.
fn name(path: &Path) -> Result<String> {
    path.require_ident().map(ToString::to_string)
}
