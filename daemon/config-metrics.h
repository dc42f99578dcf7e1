/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the configuration that is about metrics. */
#ifndef KVMWARDEN_CONFIG_METRICS_H
#define KVMWARDEN_CONFIG_METRICS_H

#include "options.h"
#include "yaml-reader.h"

/* A reader for kw_yaml_mapping(); target: struct kw_options. */
int kw_config_read_metrics(struct kw_yaml *yaml, void *target);

#endif
