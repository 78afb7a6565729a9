# The compiler is left out: what there is to compile has to be there, the program comes from elsewhere.
RUST_ARCH_DEPENDS:=@(aarch64||arm)
RustBinPackage:=
define Build/Compile
	test -f $(PKG_BUILD_DIR)/Cargo.toml && test -f $(PKG_BUILD_DIR)/Cargo.lock && test -d $(PKG_BUILD_DIR)/src/bin
	test ! -e $(PKG_BUILD_DIR)/target
	mkdir -p $(PKG_INSTALL_DIR)/bin
	cp $(COMPILED) $(PKG_INSTALL_DIR)/bin/scrapeport
endef
