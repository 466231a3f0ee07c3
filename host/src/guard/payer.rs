//! Who pays for a request: whose budgets it draws on, besides its target's provider's.

use std::sync::Arc;

use super::scope_book::ScopeId;
use crate::types::RequestId;

/// Whose budgets a request draws on. Looked up once, when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payer {
    pub(super) request: RequestId,
    pub(super) route: Arc<str>,
    pub(super) key: Option<Arc<str>>,
    pub(super) labels: Arc<[(String, String)]>,
    /// Budgets of its own: the route's, the key's, its labels'.
    pub(super) scopes: Box<[ScopeId]>,
}

/// Whose budgets one attempt draws on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spender<'a> {
    pub(super) payer: Option<&'a Arc<Payer>>,
    /// The budget of the target's provider, where it has one.
    pub(super) provider: Option<ScopeId>,
}

impl Spender<'_> {
    /// All budgets, everybody's first.
    pub(super) fn scopes(&self) -> impl Iterator<Item = ScopeId> {
        let own = self.payer.map_or(&[][..], |payer| &payer.scopes);
        std::iter::once(ScopeId::EVERYTHING).chain(own.iter().copied()).chain(self.provider)
    }
}
