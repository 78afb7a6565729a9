# `all` goes through the steps of a package in their order, and describes it in a file.
define BuildPackage
$(eval $(Package/$(1)))
export PACKAGE_TEXT:=$(PKG_NAME)|$(PKG_VERSION)|$(PKG_RELEASE)|$(SECTION)|$(TITLE)|$(strip $(DEPENDS))|$(USERID)|$(PKG_BUILD_DEPENDS)
export CONFFILES:=$(Package/$(1)/conffiles)
all:
	$(Build/Prepare)
	$(Build/Configure)
	$(Build/Compile)
	$(call Package/$(1)/install,$(OUTPUT)/root)
	echo "$$$$PACKAGE_TEXT" >$(OUTPUT)/package
	echo "$$$$CONFFILES" >$(OUTPUT)/conffiles
endef
