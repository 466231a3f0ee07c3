//! The records of the latest requests.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::types::{RequestId, RequestRecord};

/// The latest records, oldest first.
#[derive(Debug)]
pub(super) struct Records {
    kept: VecDeque<Arc<RequestRecord>>,
    most: usize,
}

impl Records {
    /// None yet, and never more than that.
    pub(super) fn none(most: usize) -> Self {
        Self { kept: VecDeque::new(), most }
    }

    pub(super) fn keep(&mut self, record: Arc<RequestRecord>) {
        self.kept.push_back(record);
        if self.kept.len() > self.most {
            self.kept.pop_front();
        }
    }

    pub(super) fn find(&self, id: RequestId) -> Option<Arc<RequestRecord>> {
        self.kept.iter().rev().find(|record| record.id == id).cloned()
    }

    pub(super) fn latest(&self, most: usize) -> Vec<Arc<RequestRecord>> {
        self.kept.iter().rev().take(most).cloned().collect()
    }
}
