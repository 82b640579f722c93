//! `lib.rs` lists the modules from the ground up. A module imports from those before it in that list, and from no other.
use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use crate::sources::files;

/// The modules in the order of `lib.rs`, and how many of them are of the ground, whose modules know each other.
static FLOORS: LazyLock<(Vec<&str>, usize)> = LazyLock::new(|| {
    let (ground, above) = include_str!("lib.rs").split_once("// The base").expect("a base");
    let modules = |text: &'static str| {
        text.lines().filter_map(|line| {
            line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')
        })
    };
    let ground: Vec<_> = modules(ground).collect();
    let count = ground.len();
    (ground.into_iter().chain(modules(above)).collect(), count)
});

/// Names at the root of the crate that are not modules, and the modules that they come from.
const RENAMED: [(&str, &str); 13] = [
    ("Clock", "clock"),
    ("Code", "error"),
    ("Config", "config"),
    ("Ctx", "ctx"),
    ("Error", "error"),
    ("Lang", "text"),
    ("MIGRATOR", "migrate"),
    ("Noun", "error"),
    ("Result", "error"),
    ("Text", "text"),
    ("Tx", "tx"),
    ("enumeration", "input"),
    ("enumeration_field", "input"),
];
/// Macros of the crate, which are of the ground.
const MACROS: [&str; 1] = ["versioned"];

/// The code of a source, without comments and tests. Tests may import every module.
fn code(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules that `code` imports: the first names after `crate::`, those in braces too.
fn known(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let Some(list) = part.strip_prefix('{') else {
            found.insert(name(part));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && !c.is_whitespace() => {
                    found.insert(name(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found.retain(|name| !MACROS.contains(&name.as_str()));
    found
        .into_iter()
        .map(|name| {
            let module = RENAMED.iter().find(|(renamed, _)| *renamed == name);
            module.map_or(name, |(_, module)| (*module).to_owned())
        })
        .collect()
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The position of a module in the list, the same for all modules of the ground. `None` for an unknown module.
fn height(module: &str) -> Option<usize> {
    let (modules, ground) = &*FLOORS;
    let at = modules.iter().position(|one| *one == module)?;
    Some(at.max(ground - 1))
}

#[test]
fn no_import_climbs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports = 0;
    for file in files(&root, ".rs") {
        let within = file.strip_prefix(&root).unwrap();
        let module = within.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if ["lib", "floors"].contains(&module) {
            continue;
        }
        let ours = height(module).unwrap_or_else(|| panic!("{module} stands on no floor"));
        let code = code(&fs::read_to_string(&file).unwrap());
        // `super::` is the crate itself in the top file of a module, and `super::super::` may be: this test would miss such an
        // import.
        let is_top =
            within.iter().count() == 1 || within.iter().count() == 2 && within.ends_with("mod.rs");
        assert!(!(is_top && code.contains("super::")), "{}: say `crate::`", within.display());
        assert!(!code.contains("super::super"), "{}: say `crate::`", within.display());
        // `lib.rs` names this crate for the code that the derive macros generate: an import by that name would not be found below.
        assert!(!code.contains("erp_core"), "{}: say `crate::`", within.display());
        for other in known(&code) {
            let theirs = height(&other);
            let theirs = theirs.unwrap_or_else(|| panic!("{}: what is {other}?", within.display()));
            let climbs = theirs > ours && module != other;
            assert!(!climbs, "{} knows {other}, which stands above it", within.display());
            imports += 1;
        }
    }
    assert!(imports > 300, "only {imports} imports were found: does this test still see them?");
}

#[test]
fn what_is_imported_is_found() {
    let source = "use crate::{\n    Ctx, Result, local::{self, zone}, // users::find\n    \
                  tx,\n};\nfn f() -> crate::users::Role {}\n#[cfg(test)]\nmod tests { use crate::audit; }";
    let found: Vec<_> = known(&code(source)).into_iter().collect();
    assert_eq!(found, ["ctx", "error", "local", "tx", "users"]);
    assert!(height("users") < height("interventions"));
    assert!(code("#[cfg(test)]\nmod tests;\nuse crate::tx;").contains("crate::tx"));
    assert_eq!(height("text"), height("error"));
}
