//! What the kernel says of itself: processors, memory, time, identity.

mod assignments;
mod columns;
mod cpu;
mod date;
mod entropy;
mod filefd;
mod interrupts;
mod kept;
mod kernel_hung;
mod loadavg;
mod meminfo;
mod names;
mod openwrt;
mod os;
mod pressure;
mod processes;
mod schedstat;
mod selinux;
mod softirqs;
mod stat;
mod swap;
mod time;
mod timex;
mod uname;
mod vmstat;

use crate::exporter::engine::source::Entry;

/// In the order of the page.
pub(super) const ALL: &[&Entry] = &[
    &cpu::ENTRY,
    &entropy::ENTRY,
    &filefd::ENTRY,
    &interrupts::ENTRY,
    &kernel_hung::ENTRY,
    &loadavg::ENTRY,
    &meminfo::ENTRY,
    &openwrt::ENTRY,
    &os::ENTRY,
    &pressure::ENTRY,
    &processes::ENTRY,
    &schedstat::ENTRY,
    &selinux::ENTRY,
    &softirqs::ENTRY,
    &stat::ENTRY,
    &swap::ENTRY,
    &time::ENTRY,
    &timex::ENTRY,
    &uname::ENTRY,
    &vmstat::ENTRY,
];
