//! Whom something is for, as Python says it.

use pyo3::prelude::*;
use sockline::io::{BroadcastOperator, Namespace};

/// One name or several; `None` for all.
#[derive(FromPyObject)]
pub(crate) enum Names {
    One(String),
    Several(Vec<String>),
}

impl Names {
    pub(crate) fn all(&self) -> Vec<&str> {
        match self {
            Names::One(name) => vec![name],
            Names::Several(names) => names.iter().map(String::as_str).collect(),
        }
    }
}

/// Who is in one of these rooms, but not in one of the others.
pub(super) fn chosen(namespace: &Namespace, to: Option<&Names>, skip: Option<&Names>) -> BroadcastOperator {
    let mut chosen = namespace.all();
    if let Some(to) = to {
        chosen = chosen.to_all(&to.all());
    }
    if let Some(skip) = skip {
        chosen = chosen.except_all(&skip.all());
    }
    chosen
}

/// The same, or those of this server alone.
pub(super) fn among(whom: BroadcastOperator, local: bool) -> BroadcastOperator {
    if local { whom.local() } else { whom }
}
