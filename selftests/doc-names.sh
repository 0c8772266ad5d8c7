#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Whether the document of the interface names what is in the header, and nothing
# else. TAP; runs anywhere.

cd "$(dirname "$0")/.." || exit 1
header=uapi/linux/kgo.h
document=Documentation/userspace-api/kgo.rst

# The KGO_* names in a file; one that ends in _ stands for several.
names()
{
	grep -ow 'KGO_[A-Z0-9_]*' "$1" | grep -v '_$' | sort -u
}

# check NUMBER FILE OTHER: the file has names, and each is in the other.
check()
{
	missing=$(names "$2" | while read -r name; do
		grep -qw "$name" "$3" || echo "# $name"
	done)
	if [ -n "$(names "$2")" ] && [ -z "$missing" ]; then
		echo "ok $1 the names in $2 are in $3"
	else
		echo "not ok $1 the names in $2 are in $3"
		echo "${missing:-# no names in $2}"
		failed=1
	fi
}

failed=0
echo "TAP version 13"
echo "1..2"
check 1 "$header" "$document"
check 2 "$document" "$header"
exit $failed
