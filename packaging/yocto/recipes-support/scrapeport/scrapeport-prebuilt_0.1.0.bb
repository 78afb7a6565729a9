# From a static program that is built already: SCRAPEPORT_BINARY = "/path/to/program" in local.conf, as cross/build of
# these sources makes it for the machine.
require scrapeport.inc

LIC_FILES_CHKSUM = " \
    file://${SCRAPEPORT_SOURCES}/LICENSE-MIT;md5=11feb0c2826d654ef97918c3a8c7e408 \
    file://${SCRAPEPORT_SOURCES}/LICENSE-APACHE;md5=1836efb2eb779966696f473ee8540542 \
"

SCRAPEPORT_BINARY ?= ""
SCRAPEPORT_FILES = "${SCRAPEPORT_SOURCES}/packaging"
S = "${UNPACKDIR}"
INHIBIT_DEFAULT_DEPS = "1"
RPROVIDES:${PN} = "scrapeport"
RCONFLICTS:${PN} = "scrapeport"
# Stripped, and without a library, when it comes here.
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_PACKAGE_DEBUG_SPLIT = "1"
INSANE_SKIP:${PN} = "already-stripped"

python () {
    if not d.getVar('SCRAPEPORT_BINARY'):
        raise bb.parse.SkipRecipe('SCRAPEPORT_BINARY does not say where the program is')
}

do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[file-checksums] += "${SCRAPEPORT_BINARY}:True"

do_install() {
    install -D -m 0755 ${SCRAPEPORT_BINARY} ${D}${bindir}/scrapeport
    install_service
}
