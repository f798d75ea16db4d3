#!/usr/bin/env bash
# Applies the migrations to a staging database: a full copy with anonymous addresses.

source "$(dirname "${BASH_SOURCE[0]}")/rehearse.sh"

rehearse fulfillment_ops_staging
