#!/usr/bin/env bash
# Applies the migrations to a development database: a copy of the data with invented addresses.

source "$(dirname "${BASH_SOURCE[0]}")/rehearse.sh"

rehearse fulfillment_ops_development
