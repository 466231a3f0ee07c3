//! The records of the latest requests.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::types::{RequestId, RequestRecord};

/// How many records are kept.
const KEPT: usize = 1_000;

/// The latest records, oldest first.
#[derive(Debug, Default)]
pub(super) struct Records {
    kept: VecDeque<Arc<RequestRecord>>,
}

impl Records {
    pub(super) fn keep(&mut self, record: Arc<RequestRecord>) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(record);
    }

    pub(super) fn find(&self, id: RequestId) -> Option<Arc<RequestRecord>> {
        self.kept.iter().rev().find(|record| record.id == id).cloned()
    }

    pub(super) fn latest(&self, most: usize) -> Vec<Arc<RequestRecord>> {
        self.kept.iter().rev().take(most).cloned().collect()
    }
}
