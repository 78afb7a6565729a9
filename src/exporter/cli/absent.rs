//! Collectors of the node exporter that this program does not have, so that its unit files carry over: what is absent
//! can be switched off, and who switches it on is told that it is not there.

/// The collector of a flag, if it is one of those.
pub(super) fn collector(long: &str) -> Option<&str> {
    let name = long.strip_prefix("collector.")?.split('.').next()?;
    NAMES.contains(&name).then_some(name)
}

/// Those of Linux in version 1.12. docs/collectors.md says why they are absent.
const NAMES: [&str; 37] = [
    "bcache",
    "bcachefs",
    "btrfs",
    "buddyinfo",
    "cgroups",
    "dmmultipath",
    "drbd",
    "drm",
    "ethtool",
    "fibrechannel",
    "infiniband",
    "ipvs",
    "ksmd",
    "lnstat",
    "logind",
    "meminfo_numa",
    "mountstats",
    "network_route",
    "nfs",
    "nfsd",
    "ntp",
    "nvme",
    "nvmesubsystem",
    "pcidevice",
    "perf",
    "qdisc",
    "runit",
    "slabinfo",
    "supervisord",
    "sysctl",
    "systemd",
    "tapestats",
    "xfrm",
    "xfs",
    "zfs",
    "zoneinfo",
    "zswap",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporter::collectors;

    #[test]
    fn none_of_them_is_there() {
        for entry in collectors::all() {
            assert!(!NAMES.contains(&entry.name()), "{}", entry.name());
        }
        assert_eq!(collector("collector.systemd.unit-include"), Some("systemd"));
        assert_eq!(collector("collector.cpu"), None);
        assert!(NAMES.is_sorted());
    }
}
