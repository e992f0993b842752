//! The io_uring backend: not written yet, so every driver falls back to epoll.

use core::time::Duration;

use super::{Event, Op, Request, Table, Watch};
use crate::{Errno, Result};

#[derive(Debug)]
pub(super) enum Driver {}

impl Driver {
    pub(super) fn new() -> Result<Self> {
        Err(Errno::NOSYS)
    }
    pub(super) fn watch(&self, _watch: &Watch, _interest: u32) -> Result<()> {
        match *self {}
    }
    pub(super) fn unwatch(&self, _watch: &Watch) {
        match *self {}
    }
    pub(super) fn again(&self, _watch: &Watch, _mask: u32) {
        match *self {}
    }
    pub(super) unsafe fn submit(&self, _op: &Op, _request: &Request) -> Result<()> {
        match *self {}
    }
    pub(super) fn cancel(&self, _op: &Op) {
        match *self {}
    }
    pub(super) fn flush(&self) {
        match *self {}
    }
    pub(super) fn wait(&self, _timeout: Option<Duration>) -> Result<bool> {
        match *self {}
    }
    pub(super) fn next(&self, _table: &Table) -> Option<Event> {
        match *self {}
    }
    pub(super) fn has_work(&self) -> bool {
        match *self {}
    }
    pub(super) fn pollable_fd(&self) -> Result<i32> {
        match *self {}
    }
}
