################################################################################
#
# scrapeport
#
################################################################################

SCRAPEPORT_VERSION = 0.1.0
SCRAPEPORT_LICENSE = MIT or Apache-2.0
SCRAPEPORT_SOURCES = $(BR2_EXTERNAL_SCRAPEPORT_PATH)/../..
SCRAPEPORT_BINARY = $(call qstrip,$(BR2_PACKAGE_SCRAPEPORT_BINARY))

define SCRAPEPORT_USERS
	scrapeport -1 scrapeport -1 * - - - Metrics for Prometheus
endef

define SCRAPEPORT_INSTALL_DEFAULT
	$(INSTALL) -D -m 0644 $(SCRAPEPORT_SOURCES)/packaging/deb/default \
		$(TARGET_DIR)/etc/default/scrapeport
endef
SCRAPEPORT_POST_INSTALL_TARGET_HOOKS += SCRAPEPORT_INSTALL_DEFAULT

define SCRAPEPORT_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(SCRAPEPORT_SOURCES)/packaging/sysv/scrapeport \
		$(TARGET_DIR)/etc/init.d/S60scrapeport
endef

define SCRAPEPORT_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(SCRAPEPORT_SOURCES)/packaging/systemd/scrapeport.service \
		$(TARGET_DIR)/usr/lib/systemd/system/scrapeport.service
endef

ifeq ($(SCRAPEPORT_BINARY),)
# Not "local": only what is downloaded gets its crates beside it. See docs/boards.md for how the archive is made.
SCRAPEPORT_SOURCE = scrapeport-$(SCRAPEPORT_VERSION).tar.gz
SCRAPEPORT_SITE = $(BR2_EXTERNAL_SCRAPEPORT_PATH)
SCRAPEPORT_SITE_METHOD = file
SCRAPEPORT_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE

SCRAPEPORT_FEATURES = exporter names
ifeq ($(BR2_PACKAGE_SCRAPEPORT_WEB_CONFIG),y)
SCRAPEPORT_FEATURES += web-config
endif
ifeq ($(BR2_PACKAGE_SCRAPEPORT_GZIP),y)
SCRAPEPORT_FEATURES += gzip
endif
SCRAPEPORT_CARGO_BUILD_OPTS = \
	--bin scrapeport --no-default-features --features "$(SCRAPEPORT_FEATURES)"
SCRAPEPORT_CARGO_INSTALL_OPTS = \
	--no-default-features --features "$(SCRAPEPORT_FEATURES)"

$(eval $(cargo-package))
else
SCRAPEPORT_SOURCE =

define SCRAPEPORT_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(SCRAPEPORT_BINARY) $(TARGET_DIR)/usr/bin/scrapeport
endef

$(eval $(generic-package))
endif
