# What a recipe needs of OpenWrt's build system, for a dry run of its steps: ours, not theirs.
INCLUDE_DIR:=$(TOPDIR)/include
BUILD_DIR:=$(OUTPUT)/build
PKG_BUILD_DIR=$(BUILD_DIR)/$(PKG_NAME)-$(PKG_VERSION)
PKG_INSTALL_DIR=$(PKG_BUILD_DIR)/install
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_DATA:=install -m0644
INSTALL_CONF:=install -m0600
