# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Debian packages for the tools beside this file, which source it.
#
# Two ways to a package: setup installs ordinary ones with the machine's own
# apt; all else (kernels, headers, sources, Go, of other suites too) is fetched
# with a private apt configuration and unpacked below the cache, so that
# neither the machine's apt sources nor its packages change.

KGO_CACHE=${KGO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kgo}

# Who sets APT_ARCH before sourcing this gets packages of that architecture.
APT_DIR=$KGO_CACHE/apt${APT_ARCH:+-$APT_ARCH}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

debian_release() {
	(. /etc/os-release 2>/dev/null && printf '%s\n' "${VERSION_CODENAME:-}")
}

# Major version as it stands in package names: 12 for bookworm.
debian_major() {
	(. /etc/os-release 2>/dev/null && printf '%s\n' "${VERSION_ID:-}")
}

# Run a command while holding the lock NAME in the cache: two builds started
# at once fetch a package once.
with_lock() {
	local name=$1 fd status=0
	shift
	mkdir -p "$KGO_CACHE/lock"
	exec {fd}>"$KGO_CACHE/lock/$name"
	flock "$fd"
	"$@" || status=$?
	exec {fd}>&-
	return "$status"
}

# The mirrors that the machine's own apt reads Debian from, as lines of
# "URI label": the archive itself has the label Debian, its security updates
# Debian-Security.
debian_mirrors() {
	# shellcheck disable=SC2016
	apt-get indextargets \
		--format '$(ORIGIN)|$(REPO_URI)|$(LABEL)|$(COMPONENT)' \
		'Created-By: Packages' 2>/dev/null |
	awk -F'|' '$1 == "Debian" && $4 == "main" && !seen[$2 $3]++ {
		print $2, $3
	}'
}

# The suites to fetch from: the machine's own, its backports, and those of the
# next release, whose kernels and Go are newer.
private_sources() {
	local here=$1 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local uri label suite signed=""
	[ ! -r $keyring ] || signed="[signed-by=$keyring]"
	while read -r uri label; do
		for suite in "$here" trixie; do
			case $label in
			Debian)
				echo "deb $signed $uri $suite main"
				echo "deb $signed $uri $suite-backports main"
				;;
			Debian-Security)
				echo "deb $signed $uri $suite-security main"
				;;
			esac
		done
	done | awk '!seen[$0]++'
}

apt_options() {
	printf '%s\n' -q \
		-o "Dir::Etc::sourcelist=$APT_DIR/sources.list" \
		-o "Dir::Etc::sourceparts=-" \
		-o "Dir::Etc::preferences=-" \
		-o "Dir::Etc::preferencesparts=-" \
		-o "Dir::State::lists=$APT_DIR/lists" \
		-o "Dir::Cache=$APT_DIR/cache" \
		-o "Dir::Cache::pkgcache=pkgcache.bin" \
		-o "Dir::Cache::srcpkgcache=srcpkgcache.bin" \
		-o "APT::Sandbox::User=" \
		-o "APT::Default-Release=" \
		-o "Acquire::Retries=3" \
		-o "Acquire::Languages=none"
	[ -z "${APT_ARCH:-}" ] ||
		printf '%s\n' -o "APT::Architecture=$APT_ARCH" \
			-o "APT::Architectures=$APT_ARCH"
}

private_apt() {
	local tool=$1 options
	shift
	mapfile -t options < <(apt_options)
	"$tool" "${options[@]}" "$@"
}

# Refresh the private package lists unless they are younger than an hour.
update_private_lists() {
	local here mirrors sources=$APT_DIR/sources.list
	here=$(debian_release)
	if [ -z "$here" ] || ! command -v apt-get >/dev/null; then
		die "this machine is not a Debian one, which the test machine's parts come from"
	fi
	mkdir -p "$APT_DIR"/{lists,cache}/partial \
		"$APT_DIR/cache/archives/partial"
	mirrors=$(debian_mirrors)
	if [ -z "$mirrors" ] && [ "$(id -u)" = 0 ]; then
		apt-get -q update >&2
		mirrors=$(debian_mirrors)
	fi
	[ -n "$mirrors" ] ||
		die "apt knows no Debian mirror; run 'apt-get update' once as root"
	private_sources "$here" <<<"$mirrors" >"$sources.new"
	if cmp -s "$sources.new" "$sources" &&
	   [ -n "$(find "$APT_DIR/updated" -mmin -60 2>/dev/null)" ]; then
		rm "$sources.new"
		return
	fi
	mv "$sources.new" "$sources"
	say "reading Debian's package lists"
	private_apt apt-get update >"$APT_DIR/update.log" 2>&1 || {
		tail -n 5 "$APT_DIR/update.log" >&2
		die "cannot read Debian's package lists (is there a network?)"
	}
	touch "$APT_DIR/updated"
}

# Names of the packages that match an extended regular expression and that can
# be fetched (apt also knows names that are only mentioned), oldest first.
package_names() {
	local prefix=$1 pattern=$2 names
	mapfile -t names < <(private_apt apt-cache pkgnames "$prefix" |
			     grep -E "^$pattern\$" | sort -V)
	[ ${#names[@]} -gt 0 ] || return 0
	private_apt apt-cache madison "${names[@]}" |
	awk '!seen[$1]++ { print $1 }' | sort -V
}

# Newest version of a package over all suites.
package_version() {
	private_apt apt-cache madison "$1" | awk '{ print $3 }' |
	while read -r version; do
		[ -n "${newest:-}" ] && dpkg --compare-versions \
			"$version" lt "$newest" || newest=$version
		printf '%s\n' "$newest"
	done | tail -n 1
}

# Fetch packages ("name" or "name=version") and unpack them all into a folder.
unpack_packages() {
	local into=$1 deb debs
	shift
	debs=$(mktemp -d "$KGO_CACHE/debs.XXXXXX")
	if ! (cd "$debs" && private_apt apt-get download "$@") \
	     >"$debs/log" 2>&1; then
		tail -n 5 "$debs/log" >&2
		rm -rf "$debs"
		say "cannot fetch $* (is there a network?)"
		return 1
	fi
	for deb in "$debs"/*.deb; do
		dpkg -x "$deb" "$into" || { rm -rf "$debs"; return 1; }
	done
	rm -rf "$debs"
}

# Point $1/current at a complete $1/$2. If that is not there yet, the command after
# them makes it in a new folder, its last argument, which then takes the name.
keep() {
	local dir=$1 name=$2
	shift 2
	if [ ! -d "$dir/$name" ]; then
		rm -rf "$dir"/.new.*	# of a run that was cut short
		mkdir -p "$dir/.new.$name"
		"$@" "$dir/.new.$name" || return
		mv "$dir/.new.$name" "$dir/$name"
	fi
	ln -sfn "$name" "$dir/.current"
	mv -T "$dir/.current" "$dir/current"
}
