//! What the process may keep of messages.

use pyo3::prelude::*;

/// Limits what the process keeps of messages, over all its connections, in bytes; ``None`` sets no limit.
#[pyfunction]
pub(crate) fn set_memory_budget(budget: Option<usize>) {
    sockline::set_memory_budget(budget.unwrap_or(0));
}

/// What the budget limits, in bytes, as it is now.
#[pyfunction]
pub(crate) fn memory_in_use() -> usize {
    sockline::memory_in_use()
}
