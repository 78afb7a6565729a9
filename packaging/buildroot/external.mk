include $(sort $(wildcard $(BR2_EXTERNAL_SCRAPEPORT_PATH)/package/*/*.mk))
