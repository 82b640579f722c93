//! Rules for tests, which are the same on every machine and on every day.
use std::{cell::RefCell, sync::Arc};

use super::Rules;

#[path = "../../../dev/src/zoneinfo.rs"]
pub(crate) mod zoneinfo;

pub(crate) use zoneinfo::{INVENTED, RULES_2025B, RULES_2026C};

thread_local! {
    static USED: RefCell<Option<Arc<Rules>>> = const { RefCell::new(None) };
}

pub(super) fn used() -> Option<Arc<Rules>> {
    USED.with_borrow(Clone::clone)
}

/// Rules read from a zoneinfo folder that is written for the test, with these clock changes of Morocco.
pub(crate) fn rules(morocco: zoneinfo::Changes) -> Rules {
    let folder = tempfile::tempdir().unwrap();
    zoneinfo::write(folder.path(), "2126a", morocco).unwrap();
    let rules = Rules::of_folder(folder.path()).unwrap();
    // Read it now: the folder is removed when this function returns.
    assert!(rules.zone("Europe/Paris").is_some());
    rules
}

/// The current thread uses these rules until the returned value is dropped.
#[must_use]
pub(crate) fn use_rules(morocco: zoneinfo::Changes) -> Used {
    USED.set(Some(Arc::new(rules(morocco))));
    Used
}

pub(crate) struct Used;

impl Drop for Used {
    fn drop(&mut self) {
        USED.set(None);
    }
}
