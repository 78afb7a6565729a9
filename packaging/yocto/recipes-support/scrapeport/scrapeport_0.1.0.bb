# Compiled from the sources that this layer is in. Its crates are in scrapeport-crates.inc, which
# packaging/yocto/update-crates makes from Cargo.lock.
require scrapeport.inc
require scrapeport-crates.inc

LIC_FILES_CHKSUM = " \
    file://LICENSE-MIT;md5=11feb0c2826d654ef97918c3a8c7e408 \
    file://LICENSE-APACHE;md5=1836efb2eb779966696f473ee8540542 \
"

SRC_URI += "git://${SCRAPEPORT_SOURCES};protocol=file;nobranch=1;destsuffix=${BP}"
# What is checked out there.
SRCREV ?= "${@bb.process.run('git rev-parse HEAD', cwd=d.getVar('SCRAPEPORT_SOURCES'))[0].strip()}"
S = "${UNPACKDIR}/${BP}"
SCRAPEPORT_FILES = "${S}/packaging"

inherit cargo

PACKAGECONFIG ??= "web-config gzip"
PACKAGECONFIG[web-config] = "--features web-config,,,"
PACKAGECONFIG[gzip] = "--features gzip,,,"

CARGO_BUILD_FLAGS += "--bin scrapeport --no-default-features --features exporter,names"

do_install:append() {
    install_service
}
