/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the configuration that are about events: the trail, and sinks. */
#ifndef KVMWARDEN_CONFIG_SINKS_H
#define KVMWARDEN_CONFIG_SINKS_H

#include "options.h"
#include "yaml-reader.h"

/* Readers for kw_yaml_mapping(); target: struct kw_options. */
int kw_config_read_events(struct kw_yaml *yaml, void *target);
int kw_config_read_sinks(struct kw_yaml *yaml, void *target);

/* Keeps a copy of text until kw_options_done(). NULL: out of memory. */
const char *kw_options_keep(struct kw_options *options, const char *text);

#endif
