# What an external package needs of Buildroot, for a dry run of its installation: ours, not theirs.
# Set from outside: BR2_EXTERNAL_SCRAPEPORT_PATH, TARGET_DIR, INIT, and the options of the package.
INSTALL := install
qstrip = $(strip $(subst ",,$(1)))
cargo-package = $(eval KIND := cargo)
generic-package = $(eval KIND := generic)
include $(BR2_EXTERNAL_SCRAPEPORT_PATH)/external.mk

define newline


endef

all:
	$(if $(KIND),,$(error the package is of no kind))
	$(SCRAPEPORT_INSTALL_TARGET_CMDS)
	$(foreach hook,$(SCRAPEPORT_POST_INSTALL_TARGET_HOOKS),$($(hook))$(newline))
	$(SCRAPEPORT_INSTALL_INIT_$(INIT))

describe:
	@echo "$(KIND)|$(strip $(SCRAPEPORT_VERSION))|$(SCRAPEPORT_SITE_METHOD)|$(strip $(SCRAPEPORT_SOURCE))|$(strip $(SCRAPEPORT_USERS))"

# What cargo is told, with the quotes that a shell sees.
options:
	@printf '%s\n' $(SCRAPEPORT_CARGO_$(WHICH)_OPTS)
