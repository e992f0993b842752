//! Stands in for the scripted backend where nobody tests with it: a driver that cannot exist.

use core::time::Duration;

use super::{Event, Kind, Op, Request, Table, Watch};
use crate::Result;

#[derive(Debug)]
#[allow(dead_code, reason = "there is none to be made")]
pub(super) enum Driver {}

impl Driver {
    pub(super) fn kind(&self) -> Kind {
        match *self {}
    }
    pub(super) fn watch(&self, _watch: &Watch, _interest: u32) -> Result<()> {
        match *self {}
    }
    pub(super) fn unwatch(&self, _watch: &Watch) {
        match *self {}
    }
    pub(super) fn unwatch_and_close(&self, _watch: &Watch) {
        match *self {}
    }
    pub(super) fn again(&self, _watch: &Watch, _mask: u32) {
        match *self {}
    }
    pub(super) fn unsure(&self, _watch: &Watch) {
        match *self {}
    }
    pub(super) unsafe fn submit(&self, _op: &Op, _request: &Request) -> Result<()> {
        match *self {}
    }
    pub(super) fn has_company(&self) -> bool {
        match *self {}
    }
    pub(super) fn cancel(&self, _op: &Op) {
        match *self {}
    }
    pub(super) fn cancel_now(&self, _op: &Op) -> bool {
        match *self {}
    }
    pub(super) fn reap(&self, _op: &Op) -> Option<i32> {
        match *self {}
    }
    pub(super) fn flush(&self) {
        match *self {}
    }
    pub(super) fn begin_round(&self) {
        match *self {}
    }
    pub(super) fn no_news(&self) {
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
