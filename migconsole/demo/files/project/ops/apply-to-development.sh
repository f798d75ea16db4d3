#!/usr/bin/env bash
# Applies the migrations to a development database: the same schema, no data.

source "$(dirname "${BASH_SOURCE[0]}")/rehearse.sh"

rehearse fulfillment_ops_development --schema-only
